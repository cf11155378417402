"""The largest or smallest whole number that satisfies a test, with nothing beyond it left out.

Ranges that bounds rule out are left out whole; all numbers of any other range are tested, from the
sought end on. So the first that is found is the extreme one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from symsim.analysis.one_parameter import Sought
from symsim.diagnostics import error

Array = np.ndarray[Any, Any]
MayHold = Callable[[Array, Array], Array]
Test = Callable[[Array], Array]

LEAF = 512
"""Whole numbers of a range that are tested one by one."""
PARTS = 16
"""Into how many parts a range is split."""
MAX_TESTED = 2**20
"""Most numbers that are tested."""


@dataclass(frozen=True, slots=True)
class Extreme:
    """``value`` is ``None`` where no number satisfies. ``tested`` were tried, ``ruled_out`` ranges bounded away."""

    value: float | None
    tested: int
    ruled_out: int


def extreme(low: float, high: float, sought: Sought, may_hold: MayHold, test: Test, most: int = MAX_TESTED) -> Extreme:
    """The extreme whole number of a range that passes ``test``; ``most`` are tested one by one.

    Raises:
        InputError: too many numbers to test that no bound rules out.
    """
    first, last = int(np.ceil(low)), int(np.floor(high))
    tested = ruled_out = 0
    pending = [(first, last)] if first <= last else []
    while pending:
        begin, end = pending.pop()
        if end - begin < LEAF:
            values = np.arange(begin, end + 1, dtype=float)
            tested += len(values)
            if tested > most:
                raise error(
                    "E352",
                    f"more than {most:,} values would have to be tried one by one",
                    None,
                    "give --from and --to around the values of interest",
                )
            passed = np.flatnonzero(test(values))
            if passed.size:
                found = values[passed[-1 if sought == "largest" else 0]]
                return Extreme(float(found), tested, ruled_out)
            continue
        parts = split(begin, end)
        may = may_hold(np.array([p[0] for p in parts], dtype=float), np.array([p[1] for p in parts], dtype=float))
        ruled_out += int((~may).sum())
        left = [part for part, keep in zip(parts, may, strict=True) if keep]
        pending += left if sought == "largest" else left[::-1]
    return Extreme(None, tested, ruled_out)


def split(begin: int, end: int, parts: int = PARTS) -> list[tuple[int, int]]:
    """Parts of like ratio, of like length where the range is narrow."""
    edges = np.geomspace(begin, end + 1, parts + 1) if end > 2 * begin > 0 else np.linspace(begin, end + 1, parts + 1)
    cuts = sorted({begin, end + 1, *(int(e) for e in edges[1:-1])})
    return [(a, b - 1) for a, b in pairwise(cuts)]
