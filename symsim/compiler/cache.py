"""What was compiled before, kept on disk under a hash of all that it depends on.

An entry holds data (a program of :mod:`symsim.emit.program` as JSON), never code. It is checked in
full when it is read, and anything unexpected counts as absent, so a file that someone else put there
can at worst cost a compilation. Files are written whole: to a new name, then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

MAX_ENTRY_BYTES = 16 * 1024 * 1024


def folder() -> Path | None:
    """``$SYMSIM_CACHE``, or ``symsim`` in the user's cache folder; ``None`` when switched off (``off``)."""
    chosen = os.environ.get("SYMSIM_CACHE")
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "symsim"


@cache
def compiler_hash() -> str:
    """A hash of symsim's own source and of the shipped language files: a change empties the cache."""
    from symsim import resources

    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for path in (
        *sorted(package.rglob("*.py")),
        *resources.library_files(),
        *sorted((resources.root() / "grammar").glob("*")),
    ):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key_of(kind: str, *parts: object) -> str:
    digest = hashlib.sha256(f"{kind}\0{compiler_hash()}".encode())
    for part in parts:
        digest.update(b"\0" + repr(part).encode())
    return digest.hexdigest()


def read(key: str) -> Any | None:
    """The JSON under a key, or ``None``."""
    place = folder()
    if place is None:
        return None
    try:
        # No link, and nothing that blocks or never ends.
        handle = os.open(place / f"{key}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            seal, _, content = file.read(MAX_ENTRY_BYTES).partition(b"\n")
        return json.loads(content) if seal == _seal(key, content) else None
    except (OSError, ValueError, RecursionError):
        return None


def _seal(key: str, content: bytes) -> bytes:
    """Tells an entry that was changed or cut off, or that belongs to another key."""
    return hashlib.sha256(key.encode() + content).hexdigest().encode()


def write(key: str, data: Mapping[str, Any]) -> None:
    """Keep an entry; a full or read-only disk is no error."""
    place = folder()
    if place is None:
        return
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=place, suffix=".part")
        try:
            content = json.dumps(data, separators=(",", ":")).encode()
            with os.fdopen(handle, "wb") as file:
                file.write(_seal(key, content) + b"\n" + content)
            Path(name).replace(place / f"{key}.json")
        except OSError:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return
