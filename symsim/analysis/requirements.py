"""What a strategy requires of a plan: ``require tp <= gpus_per_node``, ``require memory.peak <= …``."""

from __future__ import annotations

from symsim.analysis.evaluate import evaluator
from symsim.analysis.load import Question
from symsim.analysis.quantities import asked_for, check_kind, values_of
from symsim.analysis.searching.machine_needed import first_of_machine
from symsim.language import tree
from symsim.language.expression_text import expression_text


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
    required = asked_of(asked)
    if not required:
        return []
    conditions = {f"require.{k}": r.condition for k, r in enumerate(required)}
    lowered = asked_for(asked, evaluator(asked.model, asked.plan.structure).program, conditions)
    for name, condition in conditions.items():
        check_kind(lowered, name, condition, condition=True)
    held = values_of(asked, conditions)
    return [r.message or expression_text(r.condition) for name, r in zip(held, required, strict=True) if not held[name]]
