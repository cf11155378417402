"""Which weights are trained: the names that a strategy gives, held against the path of each weight.

A name is a region that the operator is in, or a run of whole parts of ``KIND.OPERATOR.WEIGHT``, where the kind is
that of the layer, ``embedding`` or ``head``: ``attention``, ``attention.qkv``, ``qkv``, ``head``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from symsim.diagnostics import error, nearest
from symsim.records.graph import Region
from symsim.records.strategy import Structure, Value


@dataclass
class Named:
    """Names of one choice, ``None`` for all; ``seen`` collects what they could mean, ``found`` those that mean
    something."""

    choice: str
    names: frozenset[str] | None
    seen: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)

    def matches(self, parts: tuple[str, ...], regions: Iterable[Region]) -> bool:
        """Whether a path, or a region around it, is named."""
        if self.names is None:
            return True
        known = {r.name for r in regions} | {part for name in parts for part in name.split(".")}
        self.seen |= known
        hit = {n for n in self.names if n in known or ("." in n and n in _runs(parts))}
        self.found |= hit
        return bool(hit)

    def check(self) -> None:
        """Raises InputError for a name that nothing in the model has."""
        for name in sorted((self.names or frozenset()) - self.found):
            hint = nearest(name, self.seen) or f"its parts: {', '.join(sorted(self.seen))}"
            message = f"{self.choice}: this model has no region or operator '{name}'"
            raise error("E242", message, None, hint, about=self.choice)


def _runs(parts: tuple[str, ...]) -> Iterator[str]:
    whole = ".".join(parts).split(".")
    for first in range(len(whole)):
        for last in range(first + 1, len(whole) + 1):
            yield ".".join(whole[first:last])


@dataclass
class Trained:
    """What of a model is trained under one strategy, and which of its operators have an adapter.

    With adapters the weights are frozen unless they are named; an adapter's own weights are always trained. A tied
    weight is the embedding's.
    """

    weights: Named
    targets: Named
    adapters: bool
    table: bool = True

    @property
    def everything(self) -> bool:
        return self.weights.names is None

    def weight(self, path: tuple[str, ...], regions: tuple[Region, ...], tied: bool, of_table: bool) -> bool:
        """Whether the strategy trains the weight at a path; ``of_table``: it is the embedding's own table."""
        chosen = self.weights.matches(path, regions)
        if tied:
            return self.table
        if of_table:
            self.table = chosen
        return chosen

    def has_adapter(self, path: tuple[str, ...], regions: tuple[Region, ...]) -> bool:
        return self.adapters and self.targets.matches(path, regions)

    def check(self) -> None:
        """Raises InputError for names that nothing in the model has."""
        self.weights.check()
        if self.adapters:
            self.targets.check()


def trained(structure: Structure) -> Trained:
    """What the strategy's ``trainable``, ``lora_rank`` and ``lora_targets`` say."""
    adapters = "lora_rank" in structure.symbols
    chosen = structure["trainable"]
    if adapters and chosen == "all":
        chosen = "none"
    return Trained(
        Named("trainable", _names(chosen)),
        Named("lora_targets", _names(structure["lora_targets"])) if adapters else Named("lora_targets", None),
        adapters,
    )


def _names(chosen: Value | None) -> frozenset[str] | None:
    return chosen if isinstance(chosen, frozenset) else None if chosen == "all" else frozenset()
