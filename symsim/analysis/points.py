"""Many points of one structure at once: each row is a plan, every answer an array over the rows.

The formulas are those of one plan, put on a sheet (:mod:`symsim.emit.grid.open_axes`): each size is an axis of its
distinct values, and a row is its places on the axes. What depends on few sizes is computed once for their combinations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symsim.analysis.evaluate import holds
from symsim.emit.code import Compiled, compile_array, compile_scalar
from symsim.emit.grid.constant_folding import Folder
from symsim.emit.grid.open_axes import Sheet
from symsim.emit.grid.point_slices import Rows
from symsim.emit.program import Output, Program
from symsim.machine.bind import Machine, constant_of_table
from symsim.records.rule_message import without_values
from symsim.records.system import System

Column = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 1 << 14
"""Rows that are computed together."""

MOST_NUMBERS = 1 << 21
"""Numbers of stages that are computed together: fewer rows where pipelines are long."""

WIDEST = 1 << 20
"""Whole numbers that lie within so much are separated by counting, others by sorting."""


@dataclass(frozen=True, slots=True)
class Points:
    """``values`` by output: an array over the rows, with one more axis where it is of each stage.

    What is not ``legal`` is NaN, as is what lies past a row's last stage. ``illegal`` counts rows by the first rule
    that they break.
    """

    values: Mapping[str, NDArray[np.float64]]
    legal: Mask
    illegal: Mapping[str, int]


class Formulas:
    """A program with its machine, ready for numbers and for rows; ``sizes`` are those that no row changes."""

    def __init__(
        self, program: Program, sizes: Mapping[str, Any], system: System | None, machine: Machine | None
    ) -> None:
        self.program = program
        self._numbers = {**sizes, **(machine.values if machine is not None else {})}
        self._system = system
        self._lookup = machine.lookup if machine is not None else _no_machine
        rules = {f"rule {k}": Output(r.register, "run", "", "rule") for k, r in enumerate(program.rules)}
        self._ruled = replace(program, outputs={**program.outputs, **rules})
        self._rules = tuple(rules)
        self._some: dict[tuple[str, ...], Compiled] = {}
        self._over_stages: dict[tuple[str, ...], Compiled] = {}
        self._folded: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Program, list[int]]] = {}

    def of_stage(self, name: str) -> bool:
        """Whether an output differs between pipeline stages."""
        return self.program.outputs[name].scope == "stage"

    def one(self, sizes: Mapping[str, Any], wanted: tuple[str, ...]) -> tuple[dict[str, Any], str | None]:
        """The wanted outputs of one plan, and the rule that it breaks; then there are no outputs."""
        values = {**self._numbers, **sizes}
        amounts = self._run(self._rules, values) if self._rules else ()
        for rule, amount in zip(self.program.rules, amounts, strict=True):
            if not holds(rule.kind, amount):
                return {}, without_values(rule.message)
        return dict(zip(wanted, self._run(wanted, values), strict=True)), None

    def _run(self, names: tuple[str, ...], values: Mapping[str, Any]) -> tuple[Any, ...]:
        if names not in self._some:
            outputs = self._ruled.outputs
            self._some[names] = compile_scalar(self._ruled, [outputs[n].register for n in names])
        function = self._some[names]
        try:
            return function.run([values[n] for n in function.inputs], self._lookup)
        except ArithmeticError:
            return (float("nan"),) * len(names)

    def rows(self, columns: Mapping[str, Column], wanted: Sequence[str], count: int) -> Points:
        """The wanted outputs over ``count`` rows; ``columns`` are sizes, all of that length."""
        names = (*columns, *(["pp"] if "pp" not in columns else []))
        of_run = tuple(n for n in wanted if not self.of_stage(n))
        program, registers = self._on_axes(names, of_run)
        axes, codes = _factorised({**columns, **({} if "pp" in columns else {"pp": self._constant("pp", count)})})
        every: dict[str, Any] = {n: axes[n] for n in names}
        sheet = Sheet(program, every, self._lookup)
        places = np.array([codes[n] for n in names])
        values = {n: np.full(count, np.nan) for n in of_run}
        legal = np.zeros(count, dtype=bool)
        illegal: dict[str, int] = {}
        rules, outputs = registers[: len(self._rules)], registers[len(self._rules) :]
        with np.errstate(all="ignore"):
            for group in sheet.groups:
                member = np.zeros(len(axes["pp"]), dtype=bool)
                member[list(group.positions)] = True
                for block in _blocks(np.flatnonzero(member[codes["pp"]])):
                    rows = group.rows(places[:, block])
                    good = self._legal(rows, rules, illegal)
                    which = block[good]
                    legal[which] = True
                    if len(which):
                        found = rows.kept(good).numbers(outputs)
                        for name, value in zip(of_run, found, strict=True):
                            values[name][which] = value
        values |= self._stages(columns, tuple(n for n in wanted if self.of_stage(n)), legal)
        return Points({n: values[n] for n in wanted}, legal, illegal)

    def _legal(self, rows: Rows, rules: Sequence[int], illegal: dict[str, int]) -> Mask:
        good = np.ones(len(rows), dtype=bool)
        for rule, amount in zip(self.program.rules, rows.numbers(rules) if rules else (), strict=True):
            held = np.broadcast_to(amount == 0 if rule.kind == "zero" else amount >= 0, good.shape)
            broken = int(np.count_nonzero(good & ~held))
            if broken:
                said = without_values(rule.message)
                illegal[said] = illegal.get(said, 0) + broken
                good &= held
        return good

    def _on_axes(self, names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[Program, list[int]]:
        """The program in which only the rows' sizes are open, and the registers of its rules and outputs."""
        if (names, wanted) not in self._folded:
            numbers = {n: v for n, v in self._numbers.items() if n not in names}
            system = self._system
            constant = (lambda name: constant_of_table(system, name)) if system is not None else (lambda name: None)
            folder = Folder(self.program.title, names, numbers, constant)
            registers = folder.add(self._ruled, {}, [*self._rules, *wanted])
            self._folded[names, wanted] = folder.program(), registers
        return self._folded[names, wanted]

    def _constant(self, name: str, count: int) -> Column:
        return np.full(count, float(self._numbers[name]))

    def _stages(
        self, columns: Mapping[str, Column], wanted: tuple[str, ...], legal: Mask
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """What differs between stages: every stage of every legal row, as many rows at a time as fit."""
        if not wanted:
            return
        if wanted not in self._over_stages:
            registers = [self.program.outputs[n].register for n in wanted]
            self._over_stages[wanted] = compile_array(self.program, registers)
        function = self._over_stages[wanted]
        rows = np.flatnonzero(legal)
        pp = columns["pp"] if "pp" in columns else self._constant("pp", len(legal))
        widest = int(pp[rows].max()) if len(rows) else 1
        found = {n: np.full((len(legal), widest), np.nan) for n in wanted}
        rows = rows[np.argsort(pp[rows], kind="stable")]
        with np.errstate(all="ignore"):
            for which in _blocks(rows, max(1, min(BLOCK, MOST_NUMBERS // widest))):
                values = {**self._numbers, **{n: c[which] for n, c in columns.items()}}
                results = function.run([values[n] for n in function.inputs], self._lookup)
                for name, result in zip(wanted, results, strict=True):
                    wide = np.asarray(result, dtype=float)
                    stages = wide.shape[-1] if wide.ndim else 1
                    found[name][which, :stages] = wide
        yield from found.items()


def _blocks(rows: NDArray[np.intp], length: int = BLOCK) -> Iterator[NDArray[np.intp]]:
    return (rows[begin : begin + length] for begin in range(0, len(rows), length))


def _factorised(columns: Mapping[str, Column]) -> tuple[dict[str, Column], dict[str, NDArray[np.intp]]]:
    """The distinct values of each column, and where each row is among them."""
    axes: dict[str, Column] = {}
    codes: dict[str, NDArray[np.intp]] = {}
    for name, column in columns.items():
        low, high = column.min(), column.max()
        whole = column.astype(np.intp) if high - low < WIDEST else None
        if whole is not None and bool((whole == column).all()):
            whole -= int(low)
            there = np.zeros(int(high - low) + 1, dtype=bool)
            there[whole] = True
            axes[name] = np.flatnonzero(there) + low
            codes[name] = (np.cumsum(there) - 1)[whole]
        else:
            axes[name], codes[name] = np.unique(column, return_inverse=True)
    return axes, codes


def _no_machine(name: str, *dimensions: Any) -> Any:
    raise AssertionError(f"'{name}' needs a machine")
