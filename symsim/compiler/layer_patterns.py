"""Layers one after the other as patterns that repeat: ``a b b a b b c`` is two turns of ``a b b``, then ``c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Layers from ``start`` on: a pattern of ``period`` layers, ``turns`` times."""

    start: int
    period: int
    turns: int


def stretches(kinds: Sequence[object]) -> list[Stretch]:
    """Cut a sequence of kinds into repeating patterns, with as few written layers as possible.

    Of two cuts with equally many, the one with fewer stretches is taken, then the one that begins with the longer.
    Kinds are compared by identity.
    """
    names = {id(kind): k for k, kind in enumerate(dict.fromkeys(kinds))}
    row = [names[id(kind)] for kind in kinds]
    count = len(row)
    best: list[tuple[int, int]] = [(0, 0)] * (count + 1)
    chosen = [Stretch(count, 1, 0)] * (count + 1)
    for start in range(count - 1, -1, -1):
        options = []
        for period in range(1, count - start + 1):
            turns = _turns(row, start, period)
            written, parts = best[start + period * turns]
            options.append((written + period, parts + 1, -period * turns, period, turns))
        written, parts, _, period, turns = min(options)
        best[start], chosen[start] = (written, parts), Stretch(start, period, turns)
    out: list[Stretch] = []
    at = 0
    while at < count:
        out.append(chosen[at])
        at += chosen[at].period * chosen[at].turns
    return out


def _turns(row: list[int], start: int, period: int) -> int:
    turns = 1
    while row[start + turns * period : start + (turns + 1) * period] == row[start : start + period]:
        turns += 1
    return turns
