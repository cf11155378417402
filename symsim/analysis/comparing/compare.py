"""Two plans of one model compared: the difference by the terms of the formulas, and by the choices that differ.

The terms are those of ``eval``: items of a step's time, and parts of the peak on the stage where each plan has it.
What a choice adds is found by evaluating plans between the two (:mod:`symsim.analysis.comparing.attribution`): each
has some choices of the first plan and the others of the second, and is settled, checked and evaluated like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from symsim.analysis.answer_json import BREAKDOWN, MEMORY_PARTS
from symsim.analysis.comparing.attribution import MOST_CHOICES, Attribution, Changed, over_all_orders, over_two_orders
from symsim.analysis.evaluate import Answer, Evaluator, answer, evaluator, machine_of
from symsim.analysis.memory_fit import MemoryFit, memory_fit
from symsim.analysis.quantities import asked_for, machine_for
from symsim.diagnostics import InputError, error, placed
from symsim.emit.code import Compiled
from symsim.emit.quantity import in_formulas, is_condition
from symsim.language import tree
from symsim.loading.changed_plan import both_count_microbatches, stated, with_values
from symsim.loading.question import Question
from symsim.machine.bind import Machine
from symsim.records.strategy import CHOICES, Structure
from symsim.records.system import System

MOST_STRUCTURES = 16
"""So many formulas are compiled to change choices in all orders."""

TIME, PEAK = "time.iteration", "memory.peak"

Tell = Callable[[str], None]
"""Is told what is being done, for whoever waits."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two plans, with its answer."""

    asked: Question
    machine: Machine | None
    found: Answer

    @property
    def fullest(self) -> int:
        peaks = self.found.of_stage("peak")
        return max(range(self.found.stages), key=peaks.__getitem__)

    @property
    def fit(self) -> MemoryFit:
        """Whether the plan fits into its machine."""
        return memory_fit(self.asked, self.found.values)


@dataclass(frozen=True, slots=True)
class Choice:
    """What differs and is given: a name of the strategy, a figure of the machine, ``machine`` or ``model``."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a quantity in each plan."""

    name: str
    first: float
    second: float

    @property
    def change(self) -> float:
        return self.second - self.first


@dataclass(frozen=True, slots=True)
class Part:
    """What a choice, or choices that go together, add to a quantity."""

    choices: tuple[str, ...]
    change: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A quantity of both plans. Its ``terms`` (none for a user's own) and its ``parts`` each sum to the change."""

    name: str
    unit: str
    first: float
    second: float
    terms: tuple[Term, ...]
    parts: tuple[Part, ...]

    @property
    def change(self) -> float:
        return self.second - self.first


@dataclass(frozen=True, slots=True)
class Comparison:
    """``plans`` were evaluated between the two and ``impossible`` refused, to attribute the differences."""

    first: Side
    second: Side
    choices: tuple[Choice, ...]
    differences: tuple[Difference, ...]
    attribution: Attribution
    plans: int
    impossible: int

    def difference(self, name: str) -> Difference:
        return next(d for d in self.differences if d.name == name)


def compare(
    first: Question, second: Question, of: tree.Expression | None = None, tell: Tell | None = None
) -> Comparison:
    """Compare the time of a step (in seconds, where both name a machine) and the peak of memory (in bytes).

    ``of`` is one more quantity, attributed to choices alone.

    Raises:
        InputError: one of the plans breaks a rule; ``of`` has no number for both.
    """
    sides = _side(first), _side(second)
    timed = first.system is not None and second.system is not None
    of = None if _name_of(of) in (PEAK, *[TIME] * timed) else of
    between = _Between(first, second, of, tell or (lambda _: None))
    ends = {c.name for c in between.choices}
    quantities = between.end(frozenset()), between.end(frozenset(ends))
    names = [c.name for c in between.choices]
    few = len(names) <= MOST_CHOICES and len(between.structures()) <= MOST_STRUCTURES
    attribution = (over_all_orders if few else over_two_orders)(names, between.value)
    differences = tuple(
        Difference(
            name,
            between.unit_of(name),
            quantities[0][name],
            quantities[1][name],
            tuple(_terms(name, *sides)),
            tuple(Part(group, change) for group, change in zip(attribution.groups, changes, strict=True)),
        )
        for name, changes in attribution.changes.items()
    )
    inner = [v for s, v in between.known.items() if s and s != ends]
    refused = sum(v is None for v in inner)
    return Comparison(*sides, between.choices, differences, attribution, len(inner) - refused, refused)


def _side(asked: Question) -> Side:
    with placed(asked.plan.places):
        machine = machine_of(asked)
        return Side(asked, machine, answer(asked.model, asked.plan, machine))


def _terms(name: str, first: Side, second: Side) -> Iterator[Term]:
    if name == TIME:
        for item in BREAKDOWN:
            a, b = (float(side.found.values.get(f"time.{item}", 0)) for side in (first, second))
            if a or b:
                yield Term(item, a, b)
    elif name == PEAK:
        for item in MEMORY_PARTS:
            a, b = (float(side.found.of_stage(item)[side.fullest]) for side in (first, second))
            if a or b:
                yield Term(item, a, b)


OWN = "of"
"""Name of the user's quantity among the outputs of a program."""


@dataclass(frozen=True, slots=True)
class _Lowered:
    evaluator: Evaluator
    machine: Machine | None
    function: Compiled
    unit: str


class _Between:
    """The plans between two, each evaluated once; those of one structure by one function."""

    def __init__(self, first: Question, second: Question, of: tree.Expression | None, tell: Tell) -> None:
        self.first, self.second, self._of, self._tell = first, second, of, tell
        by_microbatches = both_count_microbatches(first.plan, second.plan)
        self._values = stated(first.plan, by_microbatches), stated(second.plan, by_microbatches)
        self.choices = tuple(self._differing())
        self._timed = first.system is not None and second.system is not None
        self._lowered: dict[tuple[bool, Structure, Changed], _Lowered] = {}
        self._questions: dict[Changed, Question | None] = {}
        self.known: dict[Changed, dict[str, float] | None] = {}

    def _differing(self) -> Iterator[Choice]:
        if self.first.model != self.second.model:
            yield Choice("model", self.first.model.name, self.second.model.name)
        machines = self.first.system, self.second.system
        if machines[0] is not None and machines[1] is not None and _alike(machines[0], machines[1]):
            ours, theirs = machines[0].figures, machines[1].figures
            for name in dict.fromkeys((*ours, *theirs)):
                if name not in ours or name not in theirs or ours[name].value != theirs[name].value:
                    yield Choice(name, *(f[name].value if name in f else None for f in (ours, theirs)))
        elif machines[0] != machines[1]:
            yield Choice("machine", *(m.name if m is not None else None for m in machines))
        for name in CHOICES:
            ours_here, theirs_here = (v.get(name, CHOICES[name].default) for v in self._values)
            if ours_here != theirs_here:
                yield Choice(name, ours_here, theirs_here)

    def question(self, changed: Changed) -> Question | None:
        """The plan with some choices changed; ``None`` where they contradict each other."""
        if changed not in self._questions:
            values = {n: self._values[n in changed].get(n) for n in CHOICES}
            asked = replace(
                self.first,
                model=self.second.model if "model" in changed else self.first.model,
                system=self._system(changed),
            )
            try:
                self._questions[changed] = with_values(asked, values)
            except InputError:
                self._questions[changed] = None
        return self._questions[changed]

    def _system(self, changed: Changed) -> System | None:
        ours, theirs = self.first.system, self.second.system
        if "machine" in changed:
            return theirs
        figures = changed.difference(CHOICES, {"model"})
        if not figures or ours is None or theirs is None:
            return ours
        mixed = {n: f for n, f in ours.figures.items() if n not in figures}
        return replace(ours, figures=mixed | {n: theirs.figures[n] for n in figures if n in theirs.figures})

    def structures(self) -> set[Structure]:
        """The formulas that all plans between the two have; at most one more than are compiled."""
        found: set[Structure] = set()
        names = [c.name for c in self.choices]
        for mask in range(2 ** len(names)):
            asked = self.question(frozenset(n for k, n in enumerate(names) if mask >> k & 1))
            if asked is not None:
                found.add(asked.plan.structure)
            if len(found) > MOST_STRUCTURES:
                break
        return found

    def value(self, changed: Changed) -> dict[str, float] | None:
        """The quantities of a plan; ``None`` where it is impossible or has no formula."""
        if changed not in self.known:
            self._tell(f"plan {len(self.known) + 1}")
            try:
                self.known[changed] = self._evaluated(changed)
            except (InputError, ArithmeticError):
                self.known[changed] = None
        return self.known[changed]

    def end(self, changed: Changed) -> dict[str, float]:
        """The quantities of one of the two plans themselves."""
        try:
            found = self._evaluated(changed)
        except ArithmeticError as problem:
            place = self._of.place if self._of is not None else None
            hint = "it divides by what this plan makes 0, or grows without bound"
            raise error("E331", f"--of has no value for one of the plans: {problem}", place, hint) from None
        assert found is not None
        self.known[changed] = found
        return found

    def _evaluated(self, changed: Changed) -> dict[str, float] | None:
        asked = self.question(changed)
        if asked is None:
            return None
        lowered = self._lower(asked, changed)
        sizes = asked.plan.sizes
        if lowered.evaluator.broken(sizes):
            return None
        machine = lowered.machine
        values = sizes if machine is None else {**sizes, **machine.values}
        lookup = machine.lookup if machine is not None else _no_table
        results = lowered.function.run([values[n] for n in lowered.function.inputs], lookup)
        if not all(isfinite(r) for r in results):
            raise OverflowError("a number without bound")
        return dict(zip(self._names(), (_number(r) for r in results), strict=True))

    def _names(self) -> tuple[str, ...]:
        return (*([TIME] if self._timed else []), PEAK, *([OWN] if self._of is not None else []))

    def _lower(self, asked: Question, changed: Changed) -> _Lowered:
        """The quantities of a structure on a machine as one function.

        Raises:
            InputError: the quantity asked for is none, or needs a machine; the machine lacks a figure.
        """
        key = ("model" in changed, asked.plan.structure, changed.difference(CHOICES))
        if key not in self._lowered:
            compiled, unit = evaluator(asked.model, asked.plan.structure), ""
            lowered = compiled
            if self._of is not None:
                program = asked_for(asked, compiled.program, {OWN: self._of})
                if is_condition(program, OWN):
                    hint = "for example memory.peak, or throughput.mfu / 2"
                    raise error("E361", "--of: a condition has no difference", self._of.place, hint)
                named = program.outputs.get(_name_of(self._of))
                unit = named.unit if named is not None else ""
                lowered = Evaluator(program)
            machine = machine_for(asked.system, lowered.program)
            function = lowered.some(self._names())
            figures = (n for n in function.inputs if "." in n or n == "gpus_per_node")
            missing = [n for n in figures if n not in asked.plan.sizes] if machine is None else []
            if missing:
                assert self._of is not None
                message = f"--of: this needs a machine, for {missing[0]}"
                raise error("E343", message, self._of.place, "name one with -y, such as -y h100_sxm")
            self._lowered[key] = _Lowered(compiled, machine, function, unit)
        return self._lowered[key]

    def unit_of(self, name: str) -> str:
        own = next(iter(self._lowered.values())).unit
        return {TIME: "s", PEAK: "bytes"}.get(name, own)


def _name_of(expression: tree.Expression | None) -> str:
    """The output that an expression names and nothing more; else no name."""
    name = expression.name if isinstance(expression, tree.Name) else ""
    return in_formulas(name)


def _alike(first: System, second: System) -> bool:
    """Machines that differ in figures alone."""
    return (first.name, first.link_kind, first.tables) == (second.name, second.link_kind, second.tables)


def _number(value: Any) -> float:
    """Whole numbers stay whole: they may be larger than a float is exact."""
    return value if isinstance(value, int) else float(value)


def _no_table(name: str, *dimensions: Any) -> float:
    raise AssertionError(f"'{name}' needs a machine")
