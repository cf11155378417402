"""A file that is written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from symsim.diagnostics import InputError, error


def check_writable(path: Path, option: str) -> None:
    """Raises InputError if a file cannot be written there: known before the work, not after it."""
    folder = path.resolve().parent
    if path.is_dir():
        raise _problem(path, option, "it is a folder", f"name a file in it: {path / 'FILE'}")
    if not folder.is_dir():
        raise _problem(path, option, f"there is no folder '{path.parent}'", "make the folder first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise _problem(path, option, "permission denied", "name a file in a folder of yours")


def write_whole(path: Path, data: bytes, option: str) -> None:
    """Write beside the file, to the disk, then put it in its place; what stood there stays until then.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    target = path.resolve()
    temporary = ""
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        Path(temporary).replace(target)
    except OSError as problem:
        with contextlib.suppress(OSError):
            if temporary:
                Path(temporary).unlink()
        raise _problem(path, option, problem.strerror or str(problem), "is there room on the disk?") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _problem(path: Path, option: str, what: str, hint: str) -> InputError:
    return error("E373", f"{option}: cannot write '{path}': {what}", None, hint)
