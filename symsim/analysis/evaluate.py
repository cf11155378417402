"""Evaluate a plan: compile once (or read what was compiled), then only arithmetic."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from symsim.compiler import cache
from symsim.diagnostics import error
from symsim.emit.code import Compiled, compile_array, compile_scalar
from symsim.emit.program import CheckedRule, Program, assemble, from_json, to_json
from symsim.loading.impossible_plans import impossible
from symsim.loading.plan import Plan, with_size
from symsim.loading.question import Question
from symsim.machine.bind import Machine, bind
from symsim.records.cost import RUN_PARTS
from symsim.records.model import Model
from symsim.records.strategy import Structure
from symsim.timing import timed

MACHINE_PARTS = frozenset(
    {"time", "time.layer", "time.operator", "time.limits", "memory.device", "memory.used", *RUN_PARTS}
)
"""Definitions of these parts need a machine."""


def unanswered(sizes: Collection[str], figures: Collection[str] | None) -> frozenset[str]:
    """Parts without a value where these sizes are given, and a machine with these figures; ``None``: no machine."""
    without = frozenset(RUN_PARTS) if figures is None else _without_run(frozenset({*sizes, *figures} & RUN_INPUTS))
    return without if figures is not None else without | MACHINE_PARTS


RUN_INPUTS = frozenset(n for needed in RUN_PARTS.values() for n in needed)


@lru_cache
def _without_run(given: frozenset[str]) -> frozenset[str]:
    return frozenset(part for part, needed in RUN_PARTS.items() if not given.issuperset(needed))


class Evaluator:
    """The compiled formulas of one model under one structure, ready for any sizes and machine.

    A scalar evaluation takes well under a millisecond once its function exists; ``arrays`` takes
    one array for each name and broadcasts.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._functions: dict[tuple[frozenset[str], bool], Compiled] = {}
        self._rules: dict[int, Compiled] = {}
        self._all_rules: Compiled | None = None
        self._some: dict[tuple[str, ...], Compiled] = {}

    def names(self, without: frozenset[str]) -> tuple[str, ...]:
        """Names of the outputs but for those of some parts: see :func:`unanswered`."""
        return tuple(n for n, o in self.program.outputs.items() if o.part not in without)

    def _function(self, without: frozenset[str], arrays: bool) -> Compiled:
        key = (without, arrays)
        if key not in self._functions:
            wanted = [self.program.outputs[n].register for n in self.names(without)]
            make = compile_array if arrays else compile_scalar
            self._functions[key] = make(self.program, wanted)
        return self._functions[key]

    def some(self, names: tuple[str, ...]) -> Compiled:
        """A function of numbers for a few outputs: what they do not need is not computed."""
        if names not in self._some:
            self._some[names] = compile_scalar(self.program, [self.program.outputs[n].register for n in names])
        return self._some[names]

    def scalar(self, sizes: Mapping[str, Any], machine: Machine | None) -> dict[str, Any]:
        """Every output for one legal plan; a list over the stages for those of a stage."""
        without = unanswered(sizes, None if machine is None else machine.values)
        function = self._function(without, arrays=False)
        values = sizes if machine is None else {**sizes, **machine.values}
        results = function.run(self._inputs(function, values), machine.lookup if machine else _no_machine)
        return dict(zip(self.names(without), results, strict=True))

    def arrays(self, sizes: Mapping[str, Any], machine: Machine | None) -> dict[str, Any]:
        """Every output over arrays of sizes; stage ones have one more axis, NaN past the last stage."""
        without = unanswered(sizes, None if machine is None else machine.values)
        function = self._function(without, arrays=True)
        values = sizes if machine is None else {**sizes, **machine.values}
        results = function.run(self._inputs(function, values), machine.lookup if machine else _no_machine)
        return dict(zip(self.names(without), results, strict=True))

    def _inputs(self, function: Compiled, values: Mapping[str, Any]) -> list[Any]:
        missing = [n for n in function.inputs if n not in values]
        if missing:
            hint = "add " + ", ".join(f"{n} = …" for n in missing)
            raise error("E322", f"no value is given for {', '.join(missing)}", hint=hint)
        return [values[n] for n in function.inputs]

    def broken(self, sizes: Mapping[str, Any]) -> list[CheckedRule]:
        """The rules that these sizes break; only a plan that breaks none may be evaluated."""
        if self._all_rules is None:
            self._all_rules = compile_scalar(self.program, [rule.register for rule in self.program.rules])
        try:
            amounts = self._all_rules.run(self._inputs(self._all_rules, sizes), _no_machine)
        except ArithmeticError:
            return [rule for rule in self.program.rules if not self.rule_holds(rule, sizes)]
        return [r for r, amount in zip(self.program.rules, amounts, strict=True) if not holds(r.kind, amount)]

    def rule_holds(self, rule: CheckedRule, sizes: Mapping[str, Any]) -> bool:
        if rule.register not in self._rules:
            self._rules[rule.register] = compile_scalar(self.program, [rule.register])
        function = self._rules[rule.register]
        try:
            (amount,) = function.run(self._inputs(function, sizes), _no_machine)
        except ArithmeticError:
            return False
        return holds(rule.kind, amount)


def holds(kind: str, amount: Any) -> bool:
    return bool(amount == 0 if kind == "zero" else amount >= 0)


def _no_machine(name: str, *dimensions: Any) -> Any:
    raise AssertionError(f"'{name}' needs a machine")


_EVALUATORS: dict[str, Evaluator] = {}


def evaluator(
    model: Model, structure: Structure, moments: bool = False, kept: frozenset[str] = frozenset()
) -> Evaluator:
    """The evaluator of a model under structural choices: from memory, from disk, or compiled now.

    With ``moments`` it also knows what is alive at each moment that may be the peak. Dimensions of the
    model that are ``kept`` are inputs of its program.
    """
    own = model.own.text if model.own is not None else ""
    dimensions = sorted(model.dimensions.items())
    kind = "program of moments" if moments else "program"
    key = cache.key_of(kind, model.name, model.family, dimensions, own, stable(structure), *sorted(kept))
    if key not in _EVALUATORS:
        program = _from_disk(key)
        if program is None:
            from symsim.compiler.pipeline import compile_cost
            from symsim.compiler.reuse import passes_of

            known, passes = passes_of(model)
            cost = compile_cost(known, structure, kept, moments=moments, passes=passes)
            with timed("assemble"):
                program = assemble(cost)
            cache.write(key, to_json(program))
        _EVALUATORS[key] = Evaluator(program)
    return _EVALUATORS[key]


def stable(structure: Structure) -> str:
    def plain(value: Any) -> Any:
        return sorted(value) if isinstance(value, frozenset) else str(value)

    words = [(n, plain(v)) for n, v in structure.words]
    return json.dumps([words, sorted(structure.symbols), [(n, plain(v)) for n, v in structure.fixed]])


def _from_disk(key: str) -> Program | None:
    data = cache.read(key)
    if data is None:
        return None
    try:
        return from_json(data)
    except (ValueError, TypeError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """Values of every output for one plan; ``stages`` is the number of pipeline stages."""

    values: Mapping[str, Any]
    stages: int

    def of_stage(self, name: str) -> Sequence[Any]:
        value = self.values[name]
        return value if isinstance(value, list) else [value] * self.stages


def machine_of(asked: Question, moments: bool = False) -> Machine | None:
    """The machine of a question, bound to what its formulas ask; ``None`` where it names none."""
    if asked.system is None:
        return None
    program = evaluator(asked.model, asked.plan.structure, moments).program
    return bind(asked.system, program.inputs, program.tables, program.figures)


def answer(model: Model, settled: Plan, machine: Machine | None, moments: bool = False) -> Answer:
    """Evaluate one plan; with ``moments`` also what is alive at each moment that may be the peak.

    Raises:
        InputError: the plan breaks a rule; every broken rule is reported with legal values nearby. Or a
            formula has no value for the plan.
    """
    compiled = evaluator(model, settled.structure, moments)
    if compiled.broken(settled.sizes):

        def fits(rule: CheckedRule, name: str, value: int) -> bool:
            return compiled.rule_holds(rule, with_size(settled, name, value))

        raise impossible(compiled.program.rules, settled, fits)
    try:
        values = compiled.scalar(settled.sizes, machine)
    except ArithmeticError as problem:
        hint = "an operator of the model divides by what these sizes make 0, or grows without bound"
        message = f"a formula of {model.name} has no value for this plan: {problem}"
        raise error("E331", message, hint=hint) from None
    return Answer(values, int(settled.sizes["pp"]))
