"""What was compiled before, kept on disk under a hash of all that it depends on.

An entry holds data (a program of :mod:`symsim.emit.program` as JSON), never code. It is checked in full when it is
read, and anything unexpected counts as absent. Only the user's own folder and the user's own files are believed: where
someone else may write, nothing is read and nothing written. Files are written whole: to a new name, then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from symsim.compiler.cache_limits import LOOK_AGAIN_SHARE, USED_S, limit_bytes, shrink
from symsim.diagnostics import InputError

MAX_ENTRY_BYTES = 16 * 1024 * 1024

SEAL_BYTES = 65
"""What stands before the content: a hash in hexadecimal, and the end of its line."""

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_written: dict[Path, int] = {}
"""Bytes that this process wrote to a folder since it looked how large that is."""


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
        *resources.rule_files("huggingface"),
        resources.class_table("huggingface"),
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
        with _own_folder(place) as opened:
            # No link, and nothing that blocks or never ends.
            handle = os.open(f"{key}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        with os.fdopen(handle, "rb") as file:
            known = os.fstat(handle)
            if not stat.S_ISREG(known.st_mode) or not _is_own(known):
                return None
            seal, _, content = file.read(MAX_ENTRY_BYTES).partition(b"\n")
            if seal != _seal(key, content):
                return None
            if time.time() - known.st_mtime > USED_S:
                with suppress(OSError):
                    os.utime(handle)
        return json.loads(content, parse_constant=_refuse)
    except (OSError, ValueError, RecursionError):
        return None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


@contextmanager
def _own_folder(place: Path) -> Iterator[int]:
    """The folder, opened: it is the one that was looked at, whatever its name stands for a moment later.

    Raises:
        OSError: it is not there, or someone else may write in it.
    """
    opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _is_own(os.fstat(opened)):
            raise PermissionError(f"{place} belongs to others as well")
        yield opened
    finally:
        os.close(opened)


def _is_own(known: os.stat_result) -> bool:
    """Whether a folder or a file is the user's, and nobody else may write to it."""
    return known.st_uid == os.geteuid() and not known.st_mode & OTHERS_WRITE


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
        content = json.dumps(data, separators=(",", ":")).encode()
        with _own_folder(place) as opened:
            if not _make_room(place, opened, len(content) + SEAL_BYTES):
                return
            handle, name = tempfile.mkstemp(dir=place, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_seal(key, content) + b"\n" + content)
                Path(name).replace(place / f"{key}.json")
            except OSError:
                Path(name).unlink(missing_ok=True)
    except (OSError, InputError):
        return


def _make_room(place: Path, opened: int, new: int) -> bool:
    """Keep the folder below its limit, an entry of ``new`` bytes included; whether there is room for it at all.

    Looked at before the first entry of a process, and again once it wrote a part of the limit.
    """
    limit = limit_bytes()
    part = int(limit * LOOK_AGAIN_SHARE)
    if new > part:
        return False
    written = _written.get(place)
    if written is None or written + new > part:
        shrink(opened, limit - part)
        written = 0
    _written[place] = written + new
    return True
