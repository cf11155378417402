"""What a strategy requires of a plan: ``require tp <= gpus_per_node``, ``require memory.peak <= …``."""

from __future__ import annotations

from symsim.analysis.evaluate import evaluator
from symsim.analysis.quantities import asked_for, check_kind, values_of
from symsim.analysis.searching.machine_needed import first_of_machine
from symsim.diagnostics import InputError
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.language.expressions import names_in
from symsim.language.figures import canonical
from symsim.language.negation import what_is_wrong
from symsim.loading.question import Question
from symsim.units import bytes_text, decimal_text, seconds_text


def asked_of(asked: Question) -> list[tree.Require]:
    """The requirements of a strategy; those that ask about a machine are left out where none is given."""
    if asked.system is not None or not asked.requires:
        return list(asked.requires)
    program = evaluator(asked.model, asked.plan.structure).program
    return [r for r in asked.requires if first_of_machine(r.condition, program) is None]


def unmet(asked: Question) -> list[str]:
    """The strategy's requirements that the plan, which is legal, does not meet, as they are written.

    Raises:
        InputError: a requirement that is no condition, or names what no strategy, model, machine or answer has.
    """
    return [require.message or expression_text(require.condition) for require in _broken(asked)]


def broken_requirements(asked: Question) -> list[str]:
    """What is wrong with the plan by the strategy's requirements: ``tp = 16 is more than gpus_per_node = 8``.

    Raises:
        InputError: as :func:`unmet`.
    """
    return [_said(require, asked) for require in _broken(asked)]


def _broken(asked: Question) -> list[tree.Require]:
    required = asked_of(asked)
    if not required:
        return []
    conditions = {f"require.{k}": r.condition for k, r in enumerate(required)}
    lowered = asked_for(asked, evaluator(asked.model, asked.plan.structure).program, conditions)
    for name, condition in conditions.items():
        check_kind(lowered, name, condition, condition=True)
    held = values_of(asked, conditions)
    return [require for name, require in zip(held, required, strict=True) if not held[name]]


def _said(require: tree.Require, asked: Question) -> str:
    def told(side: tree.Expression) -> str:
        written = expression_text(side)
        if isinstance(side, tree.Number | tree.Text):
            return written
        chosen = asked.plan.values.get(side.name) if isinstance(side, tree.Name) else None
        if isinstance(chosen, str | bool):
            return f"{written} = {str(chosen).lower() if isinstance(chosen, bool) else chosen}"
        try:
            value = values_of(asked, {"side": side})["side"]
        except InputError:
            return written
        return f"{written} = {_amount(value, _unit(side, asked))}"

    def holds(part: tree.Expression) -> bool:
        return bool(values_of(asked, {"part": part})["part"])

    wrong = what_is_wrong(require.condition, told, holds)
    return f"{wrong}: {require.message}" if require.message else wrong


def _unit(side: tree.Expression, asked: Question) -> str:
    """The unit of an expression that has one name with a unit, times numbers; else none."""
    outputs = evaluator(asked.model, asked.plan.structure).program.outputs
    figures = asked.system.figures if asked.system is not None else {}
    names = [canonical(name) for name in names_in(side)]
    units = {outputs[n].unit if n in outputs else figures[n].unit if n in figures else "" for n in names} - {""}
    scaled = not isinstance(side, tree.Binary) or side.operator == "*"
    return units.pop() if len(units) == 1 and scaled else ""


def _amount(value: float, unit: str) -> str:
    if unit in ("B", "bytes"):
        return bytes_text(value)
    if unit == "s":
        return seconds_text(value)
    return decimal_text(value, unit) if unit else f"{value:.6g}"
