"""What a command did, as Python's audit hooks saw it."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANGS_AFTER_S = 60
PYTHON = {
    Path(p).resolve() for p in (*sysconfig.get_paths().values(), *site.getsitepackages(), sys.prefix, sys.base_prefix)
}


@dataclass(frozen=True)
class Watched:
    status: int
    out: str
    err: str
    opened: frozenset[Path]
    """Files outside of Python's own, of symsim's own and of the cache."""
    compiled: tuple[str, ...]
    """Texts that were handed to Python's compiler."""
    started: tuple[str, ...]
    """Programs, connections and libraries."""


def watch(folder: Path, *arguments: str, cache: Path | None = None) -> Watched:
    """Run a command in a folder; every file that it opens, and all else it asks of the system."""
    report = folder.parent / f"{folder.name}.events.json"
    kept = cache or folder.parent / f"{folder.name}.cache"
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("audited.py")), str(report), *arguments],
        cwd=folder,
        env={**os.environ, "SYMSIM_CACHE": str(kept), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    events = json.loads(report.read_text(encoding="utf-8"))
    opened = {(folder / path).resolve() for event, path in events if event == "open" and path}
    own = {*PYTHON, ROOT, kept.resolve(), report.resolve()}
    return Watched(
        ended.returncode,
        ended.stdout,
        ended.stderr,
        frozenset(p for p in opened if not any(p.is_relative_to(o) for o in own)),
        tuple(text for event, text in events if event == "compile"),
        tuple(f"{event} {what}" for event, what in events if event not in ("open", "compile")),
    )
