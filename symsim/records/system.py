"""A machine as its file states it: figures with sources, and measured tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a machine in base units (bytes, FLOP/s, B/s, s, or none) and where it is from."""

    value: float
    unit: str
    source: str


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

    The fast link inside an island is called ``link`` here, whether a file says ``nvlink`` or
    ``pcie``; ``link_kind`` remembers which.
    """

    name: str
    title: str
    link_kind: str
    figures: Mapping[str, Figure]
    tables: Mapping[str, Table] = field(default_factory=dict)
