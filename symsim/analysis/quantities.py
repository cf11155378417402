"""Any expression of a user about a plan: parsed, lowered onto the plan's formulas, evaluated.

``--of``, ``--subject-to``, ``require``, ``minimize`` and ``maximize`` all come through here, so what a
name means is the same everywhere: an output of the formulas, a size or choice of the strategy, a
dimension of the model, or a figure of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from symsim.analysis.evaluate import Evaluator, evaluator
from symsim.diagnostics import Source, error
from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.program import Program
from symsim.emit.quantity import Names, is_condition, with_quantities
from symsim.language import tree
from symsim.language.parser import parse_expression
from symsim.loading.plan import Plan
from symsim.loading.question import Question
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


def check_kind(lowered: Program, name: str, node: tree.Expression, condition: bool) -> None:
    """Raises InputError where a condition is wanted and a quantity is a number, or the other way round."""
    if is_condition(lowered, name) is not condition:
        wanted, other = ("condition", "number") if condition else ("number", "condition")
        hint = "memory.peak <= 60 GiB" if condition else "memory.peak"
        raise error("E207", f"expected a {wanted}, not a {other}", node.place, f"for example {hint}")


def values_of(asked: Question, quantities: Mapping[str, tree.Expression]) -> dict[str, float]:
    """What expressions come to for one legal plan; a condition is 1 or 0.

    Raises:
        InputError: an expression that means nothing for this plan, or needs a machine that is not named.
    """
    names = names_for(asked.model, asked.plan, asked.system)
    base = evaluator(asked.model, asked.plan.structure)
    program, function = _lowered(base, tuple(quantities.items()), tuple(names.constants.items()), names.inputs)
    machine = machine_for(asked.system, program)
    values = {**asked.plan.sizes, **(machine.values if machine is not None else {})}
    try:
        found = function.run([values[n] for n in function.inputs], machine.lookup if machine is not None else _no_table)
    except ArithmeticError as problem:
        if len(quantities) > 1:
            return {name: values_of(asked, {name: node})[name] for name, node in quantities.items()}
        (node,) = quantities.values()
        message = f"this has no value for the plan: {problem}"
        raise error("E331", message, node.place, "change the sizes, or the expression") from None
    return dict(zip(quantities, found, strict=True))


@lru_cache(maxsize=64)
def _lowered(
    base: Evaluator,
    quantities: tuple[tuple[str, tree.Expression], ...],
    constants: tuple[tuple[str, object], ...],
    inputs: frozenset[str],
) -> tuple[Program, Compiled]:
    """Plans of one structure that are asked the same share the code."""
    program = with_quantities(base.program, dict(quantities), Names(dict(constants), inputs))
    return program, compile_scalar(program, [program.outputs[name].register for name, _ in quantities])


def _no_table(name: str, *dimensions: object) -> object:
    raise AssertionError(f"'{name}' needs a machine")
