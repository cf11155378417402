"""What a strategy requires of a plan: ``require tp <= gpus_per_node``, ``require memory.peak <= …``."""

from __future__ import annotations

from typing import Any

from symsim.analysis.evaluate import Answer
from symsim.analysis.load import Question
from symsim.diagnostics import error, nearest
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate, names_in


def unmet(asked: Question, found: Answer) -> list[str]:
    """The strategy's requirements that the plan does not meet, as they are written.

    One that asks about a machine is left out where no machine is given.

    Raises:
        InputError: a requirement names what no strategy, model, machine or answer has.
    """
    known = known_names(asked, found)
    machine = asked.system is not None
    out: list[str] = []
    for require in asked.requires:
        missing = [n for n in sorted(names_in(require.condition)) if n not in known]
        if missing and not machine and all("." in n or n == "gpus_per_node" for n in missing):
            continue
        if missing:
            raise error("E203", f"unknown name '{missing[0]}'", require.place, nearest(missing[0], known))
        if not evaluate(require.condition, Plain(known)):
            out.append(require.message or written(require.condition))
    return out


def known_names(asked: Question, found: Answer) -> dict[str, Any]:
    """What names mean in a requirement: of the model, the strategy, the answer and the machine."""
    known: dict[str, Any] = dict(asked.model.dimensions)
    known |= {n: v for n, v in asked.plan.values.items() if v is not None}
    known |= {n: v for n, v in found.values.items() if not isinstance(v, list)}
    known["microbatches"] = found.values["m"]
    if asked.system is not None:
        known |= {n: f.value for n, f in asked.system.figures.items()}
    return known


def written(condition: tree.Expression) -> str:
    """A condition as its text has it."""
    place = condition.place
    return place.source.line(place.line)[place.column - 1 : place.column - 1 + place.width]
