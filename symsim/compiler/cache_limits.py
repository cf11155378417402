"""How large the disk cache grows: what was used longest ago goes first.

An entry's date is that of its last use. Only files with the name of an entry, or of one that was being written, are
looked at; whatever else lies in the folder stays.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from symsim.diagnostics import error

VARIABLE = "SYMSIM_CACHE_LIMIT"
DEFAULT_BYTES = 256 * 2**20
"""Most bytes of all entries together, where :data:`VARIABLE` does not say: some 2,000 programs."""

MAX_AGE_S = 30 * 24 * 3600
"""An entry that was not used for so long goes: whatever it was made from has changed since, most likely."""

UNFINISHED_S = 3600
"""A file that is being written is done or given up after so long."""

KEPT_SHARE = 0.8
"""What is left of the limit once entries had to go: so that not every new one looks through all of them."""

LOOK_AGAIN_SHARE = 1 / 16
"""How much of the limit a process writes before it looks again."""

USED_S = 24 * 3600
"""How exact the date of the last use is: a day, so that hardly any reading writes."""

_ENTRY = re.compile(r"[0-9a-f]{64}\.json|tmp[A-Za-z0-9_]+\.part")
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]i?)?B?\s*")
_PREFIX = {
    "k": 1000,
    "K": 1000,
    "Ki": 2**10,
    "M": 10**6,
    "Mi": 2**20,
    "G": 10**9,
    "Gi": 2**30,
    "T": 10**12,
    "Ti": 2**40,
}


def limit_bytes() -> int:
    """The limit that ``$SYMSIM_CACHE_LIMIT`` sets: ``500 MB``, ``2 GiB``, ``0`` to keep nothing.

    Raises:
        InputError: it is no amount.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return DEFAULT_BYTES
    found = _AMOUNT.fullmatch(given)
    if found is None or len(given) > 32:
        raise error("E010", f"{VARIABLE} is not an amount of memory: '{given}'", None, "for example 500 MB, or 2 GiB")
    return int(float(found[1]) * _PREFIX.get(found[2] or "", 1))


def shrink(folder: int | str, limit: int, now: float | None = None) -> None:
    """Delete what was not used for long, and the oldest entries where they are too many.

    ``folder`` is a path or an open folder. Others may work in it at the same time: what is gone already is no error.
    """
    now = time.time() if now is None else now
    kept: list[tuple[float, int, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _ENTRY.fullmatch(entry.name):
                continue
            with suppress(OSError):
                known = entry.stat(follow_symlinks=False)
                if now - known.st_mtime > (UNFINISHED_S if entry.name.endswith(".part") else MAX_AGE_S):
                    _delete(folder, entry.name)
                else:
                    kept.append((known.st_mtime, known.st_size, entry.name))
    total = sum(size for _, size, _ in kept)
    if total <= limit:
        return
    for _, size, name in sorted(kept):
        if total <= limit * KEPT_SHARE:
            break
        _delete(folder, name)
        total -= size


def _delete(folder: int | str, name: str) -> None:
    with suppress(OSError):
        if isinstance(folder, int):
            os.unlink(name, dir_fd=folder)
        else:
            os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
