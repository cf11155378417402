"""How well the forms of efficiency fit a machine's tables: errors, left-out errors, and the fit itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symsim.analysis.fitting.least_squares import fitted
from symsim.language import tree
from symsim.language.figures import neutral
from symsim.language.library import library_of
from symsim.machine.bind import bind, coefficient
from symsim.records.graph import PHASES
from symsim.records.system import System

Array = NDArray[np.float64]

SEPARATOR = "call."
"""Before the name of a size, so that no name of a strategy is meant."""


@dataclass(frozen=True)
class Form:
    """The form of one class of kernels in one phase, ready for arrays of sizes."""

    item: tree.EfficiencyItem
    prefix: str

    @cached_property
    def coefficients(self) -> tuple[str, ...]:
        from symsim.compiler.efficiency import coefficients

        return coefficients(self.item)

    @property
    def free(self) -> tuple[str, ...]:
        """Coefficients that a fit may change: tiles and multiprocessors are counted, not fitted."""
        return tuple(c for c in self.coefficients if neutral(c) != 1)

    @cached_property
    def _run(self) -> Callable[[Sequence[Any]], Array]:
        """The library's expression, lowered like every other formula."""
        from symsim.compiler.efficiency import expression, put
        from symsim.emit.code import compile_array
        from symsim.emit.program import assemble
        from symsim.records.cost import CostModel, Definition
        from symsim.symbols import symbol

        sizes, value = expression(self.item, self.prefix)
        names = [SEPARATOR + s for s in self.item.sizes]
        value = put(value, dict(zip(sizes, map(symbol, names), strict=True)))
        inputs = (*names, *(f"{self.prefix}.{c}" for c in self.coefficients))
        share = Definition("share", value, "share of the peak", "", "run", "time.operator")
        program = assemble(CostModel(self.prefix, (share,), (), inputs))
        compiled = compile_array(program, [program.outputs["share"].register])
        places = [inputs.index(n) for n in compiled.inputs]
        return lambda values: np.asarray(compiled.run([values[p] for p in places], _no_table)[0], dtype=float)

    def share(self, sizes: Array, values: Mapping[str, float]) -> Array:
        """The share of the peak for each row of sizes."""
        given = [*sizes.T, *(np.float64(values[c]) for c in self.coefficients)]
        return np.broadcast_to(self._run(given), len(sizes))


def _no_table(name: str, *sizes: Any) -> Any:
    raise AssertionError(f"a form asks no table: {name}")


@dataclass(frozen=True)
class Fit:
    """One table of a machine next to the form of its class.

    ``errors`` are form/entry − 1 with the machine's coefficients; ``left_out`` those of each entry with the
    coefficients fitted to all others.
    """

    form: Form
    sizes: Array
    entries: Array
    values: Mapping[str, float]
    stated: frozenset[str]

    @property
    def name(self) -> str:
        return self.form.prefix

    @property
    def errors(self) -> Array:
        return self.form.share(self.sizes, self.values) / self.entries - 1

    @cached_property
    def refitted(self) -> dict[str, float]:
        """The coefficients that fit the table best.

        Multiprocessors and tiles are as the machine states them; tiles that it does not state are the best of
        a few that kernels have.
        """
        everything = np.ones(len(self.entries), dtype=bool)
        start = {c: v if c in self.stated else FIRST_GUESS.get(c, v) for c, v in self.values.items()}
        open_tiles = [c for c in self.form.coefficients if c.startswith("tile_") and c not in self.stated]
        found = [
            self._fit(everything, {**start, **dict(zip(open_tiles, tiles, strict=True))})
            for tiles in product(TILES, repeat=len(open_tiles))
        ]
        return min(found, key=self._misfit)

    def _misfit(self, values: Mapping[str, float]) -> float:
        return float(np.abs(np.log(self.form.share(self.sizes, values) / self.entries)).sum())

    @cached_property
    def left_out(self) -> Array:
        errors = np.empty(len(self.entries))
        for k in range(len(self.entries)):
            others = np.arange(len(self.entries)) != k
            values = self._fit(others, self.refitted)
            errors[k] = self.form.share(self.sizes[k : k + 1], values)[0] / self.entries[k] - 1
        return errors

    def _fit(self, rows: NDArray[np.bool_], start: Mapping[str, float]) -> dict[str, float]:
        free = self.form.free
        sizes, entries = self.sizes[rows], self.entries[rows]

        def misfit(point: Array) -> Array:
            return np.log(self.form.share(sizes, {**start, **dict(zip(free, point, strict=True))}) / entries)

        low = np.array([LEAST_LEVEL if c == "level" else 0.0 for c in free])
        high = np.array([1.0 if c == "wave" else np.inf for c in free])
        point = fitted(misfit, np.array([start[c] for c in free]), low, high)
        return {**start, **dict(zip(free, map(float, point), strict=True))}


TILES = (128.0, 256.0)
"""Rows or columns of a tile that kernels of these machines have."""
FIRST_GUESS = {"ramp_k": 100.0, "ramp_rows": 50.0, "ramp_waves": 1.0, "wave": 0.5}
"""Where a fit starts for what a machine does not state."""
LEAST_LEVEL = 0.01
"""Below it no fit looks: a kernel that slow is another kernel."""


def fits(system: System) -> list[Fit]:
    """Every table of a class of kernels that has a form, in the order of the file."""
    from symsim.compiler.efficiency import form_of

    library = library_of()
    found: list[Fit] = []
    for name, table in system.tables.items():
        prefix, _, last = name.rpartition(".")
        rate, _, phase = prefix.partition(".")
        for each in (phase,) if phase else PHASES:
            item = form_of(library, rate, each)
            if item is None or last != "efficiency" or len(item.sizes) != len(table.dimensions):
                continue
            form = Form(item, f"{rate}.{each}")
            sizes = np.array(list(table.entries), dtype=float)
            entries = np.array(list(table.entries.values()))
            stated = frozenset(c for c in form.coefficients if coefficient(system, f"{form.prefix}.{c}") is not None)
            found.append(Fit(form, sizes, entries, values_of(system, form), stated))
    return found


def values_of(system: System, form: Form) -> dict[str, float]:
    """What the machine states for the coefficients of a form, or what stands in for it."""
    names = tuple(f"{form.prefix}.{c}" for c in form.coefficients)
    values = bind(system, names).values
    return {c: values[n] for c, n in zip(form.coefficients, names, strict=True)}


def forms(system: System) -> list[Form]:
    """The forms of every class of kernels for which the machine states a level."""
    from symsim.compiler.efficiency import form_of

    library = library_of()
    rates = dict.fromkeys(name.partition(".")[0] for name in library.efficiencies)
    found = []
    for rate in rates:
        for phase in PHASES:
            item = form_of(library, rate, phase)
            if item is not None and coefficient(system, f"{rate}.{phase}.level") is not None:
                found.append(Form(item, f"{rate}.{phase}"))
    return found
