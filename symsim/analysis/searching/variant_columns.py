"""Structural variants of a space as columns of one program: what they share is there once.

Each variant is compiled to formulas (:mod:`symsim.compiler.reuse` takes over what earlier ones made), and folded
with all numbers that do not vary into one program over the axes of the sheet, together with what the search
asks: the objective, the constraints, the values of a front, and bounds of the objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symsim.analysis.answer_json import BREAKDOWN
from symsim.analysis.evaluate import unanswered
from symsim.analysis.quantities import check_kind, names_for
from symsim.analysis.searching.space import Space, Variant, without_number
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.reuse import passes_of
from symsim.diagnostics import InputError
from symsim.emit.grid.constant_folding import Folder, Operand
from symsim.emit.program import CheckedRule, Output, Program
from symsim.emit.quantity import Names, in_formulas, with_quantities
from symsim.language import tree
from symsim.language.expressions import names_in
from symsim.machine.bind import bind, constant_of_table
from symsim.records.cost import CostModel
from symsim.records.strategy import CHOICES
from symsim.records.system import System


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search wants of every point.

    ``objective`` is made small, times ``sign``; ``constraints`` are conditions by their text, in the order in
    which they are checked; ``pareto`` are values whose front is kept, each with its sign.
    """

    objective: tree.Expression
    sign: int
    constraints: tuple[tuple[str, tree.Expression], ...]
    pareto: tuple[tuple[tree.Expression, int], ...]
    best: int


@dataclass(frozen=True, slots=True)
class Columns:
    """One variant in a folded program: registers of its constraints, of its outcomes, of its front; its rules.

    ``bounds`` are never above what is made small: the cheapest first, the closest last. There may be none.
    ``boxes``, one for each constraint or none at all, decide these for many points at once: where the first register
    does not hold, no point of the box meets the constraint, where the second does, all of them do.
    """

    variant: Variant
    bounds: tuple[int, ...]
    constraints: tuple[int, ...]
    boxes: tuple[tuple[int, int], ...]
    outcomes: tuple[int, ...]
    pareto: tuple[int, ...]
    rules: tuple[CheckedRule, ...]

    def registers(self) -> Iterator[int]:
        yield from (*self.bounds, *self.constraints, *self.outcomes, *self.pareto)
        yield from (rule.register for rule in self.rules)
        yield from (register for box in self.boxes for register in box)

    def moved(self, place: Mapping[int, int]) -> Columns:
        """The same in a program that has its registers elsewhere."""
        bounds, constraints, outcomes, pareto = (
            tuple(place[r] for r in registers)
            for registers in (self.bounds, self.constraints, self.outcomes, self.pareto)
        )
        rules = tuple(replace(rule, register=place[rule.register]) for rule in self.rules)
        boxes = tuple((place[possible], place[certain]) for possible, certain in self.boxes)
        return Columns(self.variant, bounds, constraints, boxes, outcomes, pareto, rules)


DEAR = (("bubble", "data_parallel", "optimizer"), ("data_parallel", "optimizer"))
"""Items of a step's time that take most to compute, or that most variants have their own of: without them the time
of a step is a bound of it. Like every item of the breakdown they are not negative."""


LONG = 3
"""Values that an axis has at least for boxes along it to be worth while."""


class RefusedError(Exception):
    """The compiler has no formulas for a structure."""

    def __init__(self, problem: InputError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class VariantCompiler:
    """Writes the variants that share their axes into one program."""

    def __init__(
        self,
        space: Space,
        system: System | None,
        asked: Asked,
        axes: Mapping[str, Sequence[Any]],
        sizes: Mapping[str, Any],
    ) -> None:
        self._space = space
        self._system = system
        self._asked = asked
        self._axes = list(axes)
        # Along pp the formulas themselves change, with the stages.
        long = {n: values for n, values in axes.items() if len(values) >= LONG and n != "pp"}
        self._long = {n: [v for v in values if v is not None] for n, values in long.items()}
        self._model, self._passes = passes_of(space.model)
        constant = (lambda name: constant_of_table(system, name)) if system is not None else (lambda name: None)
        without = unanswered({*sizes, *axes}, None if system is None else system.figures)
        own = sizes if system is None else {n: v for n, v in sizes.items() if n in CHOICES}
        self.folder = Folder(space.model.name, self._axes, own, constant, without)
        if "gbs" not in sizes and "gbs" not in axes:
            self.folder.name("gbs", self._step_size())
        nodes = {"objective": asked.objective}
        nodes |= {f"constraint.{k}": node for k, (_, node) in enumerate(asked.constraints)}
        nodes |= {f"pareto.{k}": node for k, (node, _) in enumerate(asked.pareto)}
        self._quantities: dict[str, tree.Expression] = nodes
        self._used = sorted({in_formulas(n) for node in nodes.values() for n in names_in(node)})

    def columns(self, variant: Variant) -> Columns:
        """Compile a variant and put it in.

        Raises:
            NumberNeededError: its formulas need a size as a number that is an axis here.
            InputError: an expression that means nothing here.
        """
        structure = variant.plan.structure
        if "vp" in self._axes:
            structure = without_number(structure, "vp")
        try:
            cost = compile_cost(self._model, structure, passes=self._passes)
        except InputError as problem:
            raise RefusedError(problem) from None
        timed = self._system is not None
        outcomes = ("time.iteration" if timed else "memory.peak", "memory.peak")
        stub = with_quantities(self._stub(cost, outcomes), self._quantities, self._names(variant))
        for name, node in self._quantities.items():
            check_kind(stub, name, node, condition=name.startswith("constraint."))
        if self._system is not None:
            undefined = (n for n in stub.inputs if n not in stub.outputs)
            self.folder.know(bind(self._system, (*cost.inputs, *undefined), (), cost.figures).values)
        rules = tuple(CheckedRule(self.folder.amount(r.amount), r.kind, r.message, r.names) for r in cost.rules)
        made = self.folder.define(cost.segments)
        names = [*self._quantities, *outcomes]
        register = dict(zip(names, self.folder.add(stub, made, names), strict=True))
        constraints = tuple(register[f"constraint.{k}"] for k in range(len(self._asked.constraints)))
        counts = {made[d.name] for d in cost.definitions if d.unit == "elements" and d.name in made}
        boxes = self.folder.boxes(constraints, [r for r in counts if isinstance(r, int)], self._long)
        return Columns(
            variant,
            self._bounds(register["objective"], made),
            constraints,
            tuple(boxes),
            tuple(register[n] for n in ("objective", *outcomes)),
            tuple(register[f"pareto.{k}"] for k in range(len(self._asked.pareto))),
            rules,
        )

    def _step_size(self) -> Operand:
        """gbs, where the strategy says how many micro-batches a step has: as :func:`symsim.loading.plan.plan` does."""

        def size(name: str) -> Operand:
            found = self.folder.input(name)
            assert found is not None, name
            return found

        ranks = self.folder.emit("mul", size("tp"), size("cp"), size("pp"))
        replicas = self.folder.emit("div", size("world"), ranks)
        return self.folder.emit("mul", size("microbatches"), size("mbs"), replicas)

    def _bounds(self, objective: int, made: Mapping[str, Operand]) -> tuple[int, ...]:
        items = {n: made[f"time.{n}"] for n in BREAKDOWN if f"time.{n}" in made}
        positive = [r for r in items.values() if isinstance(r, int)]
        found = []
        for without in DEAR:
            parts = [r for n, r in items.items() if n in without and isinstance(r, int)]
            bound = self.folder.bound(objective, parts, positive, self._asked.sign) if parts else None
            if bound is not None:
                found.append(bound)
        return tuple(dict.fromkeys(found))

    def _names(self, variant: Variant) -> Names:
        return names_for(self._model, variant.plan, self._system, self._axes)

    def _stub(self, cost: CostModel, outcomes: Sequence[str]) -> Program:
        """A program that has what the search asks for as inputs, so that only the asking itself is lowered."""
        definitions = {d.name: d for d in cost.definitions}
        used = dict.fromkeys((*self._used, *outcomes))
        known = [n for n in used if n in definitions or n in cost.inputs]
        if len(known) < len(used):
            # A name that is wrong: nearest names come from all there are.
            known = [*definitions, *cost.inputs]
        inputs = tuple(dict.fromkeys(("pp", *known)))
        outputs = {
            n: Output(k, definitions[n].scope, definitions[n].unit, definitions[n].part)
            for k, n in enumerate(inputs)
            if n in definitions
        }
        return Program(cost.title, inputs, (), outputs, ())
