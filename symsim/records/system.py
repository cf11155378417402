"""A machine as its file states it: figures with sources, and measured tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a machine in base units (bytes, FLOP/s, B/s, s, or none) and where it is from."""

    value: float
    unit: str
    source: str
    before: float | None = None
    """What the source says, where the value was fitted to measured steps."""
    fitted_to: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Measured values for exact dimensions, such as the efficiency of a GEMM by (m, k, n).

    ``mean`` answers for dimensions that were not measured.
    """

    dimensions: tuple[str, ...]
    entries: Mapping[tuple[int, ...], float]
    mean: float
    source: str


@dataclass(frozen=True, slots=True)
class System:
    """``figures`` and ``tables`` go by dotted names: ``hbm.bandwidth``, ``matmul.forward``.

    The fast link inside an island is called ``link`` here, whether a file says ``nvlink``, ``pcie``
    or another of its names; ``link_kind`` remembers which. ``lacking`` are precisions that the chip
    does not compute in, with the source of that.
    """

    name: str
    title: str
    link_kind: str
    figures: Mapping[str, Figure]
    tables: Mapping[str, Table] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def fitted(self) -> tuple[str, ...]:
        """Names of the figures that were fitted to measured steps."""
        return tuple(n for n, f in self.figures.items() if f.before is not None)

    def with_figures(self, values: Mapping[str, Any]) -> System:
        """The machine with other values of some figures that it states."""
        changed = {n: replace(self.figures[n], value=float(v), source="given") for n, v in values.items()}
        return replace(self, figures={**self.figures, **changed}) if changed else self

    def as_stated(self) -> System:
        """The machine with every fitted figure as its source has it."""
        stated = {n: f if f.before is None else replace(f, value=f.before) for n, f in self.figures.items()}
        return replace(self, figures=stated)
