"""What an answer must satisfy: each condition by itself, with both sides where it compares two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symsim.analysis.evaluate import evaluator, unanswered
from symsim.analysis.memory_fit import requirement
from symsim.analysis.quantities import parsed
from symsim.diagnostics import InputError, error
from symsim.emit.program import Program
from symsim.emit.quantity import Names, is_condition, with_quantities
from symsim.language import tree
from symsim.language.expressions import names_in, parts_of
from symsim.language.figures import unit_of
from symsim.loading.question import Question

COMPARISONS = ("<=", ">=", "<", ">", "==")
UNITS = ("B", "B/s", "s", "FLOP", "FLOP/s")


@dataclass(frozen=True, slots=True)
class Condition:
    """``text`` as it was written; ``label`` names its output, and those of its sides."""

    text: str
    node: tree.Expression
    label: str

    @property
    def operator(self) -> str:
        return self.node.operator if isinstance(self.node, tree.Binary) else ""

    @property
    def left(self) -> str:
        return f"{self.label} left"

    @property
    def right(self) -> str:
        return f"{self.label} right"


def conditions(asked: Question, given: Sequence[tree.Expression]) -> tuple[Condition, ...]:
    """The given conditions, that the plan fits into its machine, and what the strategy requires.

    A requirement that asks about a machine is left out where none is named, as in ``eval``.

    Raises:
        InputError: nothing is asked for, and no machine is named or ``fit = none``.
    """
    fits = requirement(asked.plan.values) if asked.system is not None else None
    if not given and fits is None:
        lacking = "no machine" if asked.system is None else "fit = none"
        hint = "-y NAME: the plan has to fit then; or --subject-to 'memory.peak <= 60 GiB'"
        hint = hint if asked.system is None else "leave fit = none out, or add --subject-to 'time.iteration <= 10 s'"
        raise error("E351", f"nothing says what must hold: there is {lacking} and no --subject-to", None, hint)
    required = [r.condition for r in asked.requires if _decidable(r, asked)]
    for node in given:
        _refuse_machine(node, asked)
    wanted = [*given, *([parsed(fits, "--subject-to")] if fits is not None else []), *required]
    parts = [part for node in wanted for part in _parts(node)]
    return tuple(Condition(_text(node), node, f"condition {k}") for k, node in enumerate(parts))


def _decidable(require: tree.Require, asked: Question) -> bool:
    if asked.system is not None:
        return True
    missing = _without_machine(require.condition, asked)
    return not missing or not all(map(_is_of_machine, missing))


def _without_machine(node: tree.Expression, asked: Question) -> set[str]:
    """Names of an expression that have no value where no machine is given."""
    known = {
        *evaluator(asked.model, asked.plan.structure).names(unanswered((), None)),
        *asked.model.dimensions,
        *asked.plan.values,
    }
    return names_in(node) - known - {"microbatches"}


def _is_of_machine(name: str) -> bool:
    return "." in name or name == "gpus_per_node"


def _refuse_machine(node: tree.Expression, asked: Question) -> None:
    """Refuse a condition on a machine where none is given.

    Raises:
        InputError: E315.
    """
    missing = sorted(_without_machine(node, asked)) if asked.system is None else []
    if missing and all(map(_is_of_machine, missing)):
        message = f"'{missing[0]}' belongs to a machine, and none is given"
        raise error("E315", message, node.place, "name a machine with -y, or leave this out")


def _parts(node: tree.Expression) -> list[tree.Expression]:
    """The sides of ``and``: each must hold."""
    if isinstance(node, tree.Binary) and node.operator == "and":
        return [*_parts(node.left), *_parts(node.right)]
    return [node]


def _text(node: tree.Expression) -> str:
    place = node.place
    return place.source.line(place.line)[place.column - 1 : place.column - 1 + place.width]


def with_conditions(program: Program, names: Names, wanted: Sequence[Condition]) -> Program:
    """A program with an output for each condition, and for its sides where it compares numbers.

    Raises:
        InputError: an unknown name, a wrong type, or an expression that is no condition.
    """
    lowered = with_quantities(program, {c.label: c.node for c in wanted}, names)
    for condition in wanted:
        if not is_condition(lowered, condition.label):
            hint = f"compare it with something: {condition.text} <= …"
            raise error("E207", "expected a condition, not a number", condition.node.place, hint)
        lowered = _with_sides(lowered, condition, names)
    return lowered


def _with_sides(program: Program, condition: Condition, names: Names) -> Program:
    node = condition.node
    if not isinstance(node, tree.Binary) or condition.operator not in COMPARISONS:
        return program
    sides: Mapping[str, tree.Expression] = {condition.left: node.left, condition.right: node.right}
    try:
        return with_quantities(program, sides, names)
    except InputError:
        return program  # Words, or what differs between stages: there are no two numbers to show.


def unit_of_sides(condition: Condition, program: Program) -> str:
    """The base unit in which the sides are shown, as far as a name or a number of them says it."""
    pending: list[tree.Expression] = [condition.node]
    while pending:
        node = pending.pop(0)
        if isinstance(node, tree.Number) and node.unit:
            return node.unit
        if isinstance(node, tree.Name) and node.name in program.outputs:
            return base_unit(program, node.name)
        if isinstance(node, tree.Name) and unit_of(node.name):
            return unit_of(node.name)
        products = isinstance(node, tree.Binary) and node.operator in ("*", "/", "**")
        pending += () if products else parts_of(node)
    return ""


def base_unit(program: Program, output: str) -> str:
    """The base unit of an output, as figures of machines have it; none of what is counted."""
    unit = program.outputs[output].unit
    return {"bytes": "B"}.get(unit, unit if unit in UNITS else "")
