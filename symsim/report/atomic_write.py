"""A file that is written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from symsim.diagnostics import InputError, error


def check_outputs(outputs: Sequence[tuple[Path | None, str]]) -> None:
    """Paths with the options that name them (``None``: not given) are checked before the work and not after it.

    Raises:
        InputError: a file cannot be written there, or two options name one file.
    """
    taken: list[tuple[Path, str]] = []
    for path, option in outputs:
        if path is None:
            continue
        _check_writable(path, option)
        if _goes_through(path):
            continue
        for other, named in taken:
            if _same(path, other):
                raise _problem(path, option, f"{named} writes it too", "give each a file of its own")
        taken.append((path, option))


def _same(path: Path, other: Path) -> bool:
    """Also by a link, or by another spelling where the disk takes both for one."""
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _check_writable(path: Path, option: str) -> None:
    if path.is_dir():
        raise _problem(path, option, "it is a folder", f"name a file in it: {path / 'FILE'}")
    if _goes_through(path):
        if not os.access(path, os.W_OK):
            raise _problem(path, option, "permission denied", "name a file in a folder of yours")
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise _problem(path, option, f"there is no folder '{path.parent}'", "make the folder first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise _problem(path, option, "permission denied", "name a file in a folder of yours")


_OPENED = re.compile(r"/dev/(std(in|out|err)|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")


def _goes_through(path: Path) -> bool:
    """Whether what is written goes on elsewhere: a pipe, a device, a file that somebody has open already.

    Nothing can be put in its place, and the name that a link gives it need not be there.
    """
    if _OPENED.fullmatch(str(path.absolute())):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_whole(path: Path, data: bytes, option: str) -> None:
    """Write next to the file, to the disk, then put it in its place; the old file stays until then.

    Raises:
        InputError: the disk is full, the folder cannot be written, or the reader of a pipe is gone.
    """
    temporary = ""
    try:
        if _goes_through(path):
            with path.open("ab") as through:
                through.write(data)
            return
        target = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        Path(temporary).replace(target)
    except BrokenPipeError:
        raise _problem(path, option, "its reader is gone", "let the reader take all of it") from None
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
