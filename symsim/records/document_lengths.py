"""Documents of different lengths in the sequences of a run: how many there are of each, in proportion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTHS = 64
"""Most different lengths: each is a kernel of its own in the formulas."""

_ITEM = re.compile(r"(?:repeat (\d+) )?(\d+)")


@dataclass(frozen=True, slots=True)
class Documents:
    """``counts``: (tokens of a document, how many of them) in the order of their length."""

    counts: tuple[tuple[int, int], ...]

    @staticmethod
    def of(items: Iterable[tuple[int, int]]) -> Documents:
        """Documents by (tokens, how many); equal lengths add up."""
        found: dict[int, int] = {}
        for length, count in items:
            found[length] = found.get(length, 0) + count
        return Documents(tuple(sorted(found.items())))

    @staticmethod
    def read(text: str) -> Documents:
        """What :attr:`text` wrote."""
        return Documents.of((int(length), int(count or 1)) for count, length in _ITEM.findall(text))

    @property
    def text(self) -> str:
        """As a strategy has it: ``[repeat 30 512, 8192]``."""
        return f"[{', '.join(str(n) if count == 1 else f'repeat {count} {n}' for n, count in self.counts)}]"

    @property
    def longest(self) -> int:
        return self.counts[-1][0]

    @property
    def tokens(self) -> int:
        """Tokens of all of them together."""
        return sum(length * count for length, count in self.counts)

    @property
    def mean(self) -> Fraction:
        """Mean tokens of a document."""
        return Fraction(self.tokens, sum(count for _, count in self.counts))

    def share(self, length: int) -> Fraction:
        """The share of all tokens that is in documents of this length."""
        return Fraction(length * dict(self.counts)[length], self.tokens)
