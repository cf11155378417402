"""Any expression of a user about a plan: parsed, lowered onto the plan's formulas, evaluated.

``--of``, ``--subject-to``, ``require``, ``minimize`` and ``maximize`` all come through here, so what a
name means is the same everywhere: an output of the formulas, a size or choice of the strategy, a
dimension of the model, or a figure of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symsim.analysis.load import Question
from symsim.analysis.plan import Plan
from symsim.diagnostics import Source
from symsim.emit.program import Program
from symsim.emit.quantity import Names, with_quantities
from symsim.language import tree
from symsim.language.parser import parse_expression
from symsim.machine.bind import Machine, bind
from symsim.records.model import Model
from symsim.records.strategy import CHOICES
from symsim.records.system import System


def parsed(text: str, where: str = "--of") -> tree.Expression:
    """An expression of the command line or of a caller; ``where`` is how errors call it."""
    return parse_expression(Source(f"<{where}>", text))


def names_for(model: Model, settled: Plan, system: System | None, varying: Iterable[str] = ()) -> Names:
    """What names mean for plans of one structure; ``varying`` are sizes that no formula may have."""
    sizes = {n for n, c in CHOICES.items() if c.kind in ("size", "number")} & {*settled.sizes, *varying}
    constants = {**model.dimensions, **{n: v for n, v in settled.values.items() if v is not None and n not in sizes}}
    return Names(constants, frozenset(sizes) | frozenset(system.figures if system is not None else ()))


def asked_for(asked: Question, program: Program, quantities: Mapping[str, tree.Expression]) -> Program:
    """The formulas of a question with one more output for each quantity."""
    return with_quantities(program, quantities, names_for(asked.model, asked.plan, asked.system))


def machine_for(system: System | None, program: Program) -> Machine | None:
    """The machine bound to all that a program asks of it; ``None`` where none is named."""
    return bind(system, program.inputs, program.tables, program.figures) if system is not None else None
