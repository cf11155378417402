"""Which expressions have a value on a machine alone: times, rates, what a device shows as used, and its figures."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.analysis.evaluate import MACHINE_PARTS, evaluator
from symsim.analysis.searching.space import Refused, Space, Variant
from symsim.diagnostics import InputError, Place, Source, error
from symsim.emit.program import Program
from symsim.emit.quantity import in_formulas
from symsim.language import tree
from symsim.language.expressions import names_in
from symsim.language.figures import canonical, check_name
from symsim.records.strategy import CHOICES


def needed_by(node: tree.Expression, space: Space, parts: Sequence[Variant | Refused]) -> str | None:
    """The first name of an expression that only a machine gives a value to; ``None`` where a machine is there.

    ``parts`` are the variants of the space: their formulas say what a name is.
    """
    if space.system is not None:
        return None
    program = _some_program(space, parts) if any(n not in CHOICES for n in names_in(node)) else None
    return first_of_machine(node, program) if program is not None else None


def first_of_machine(node: tree.Expression, program: Program) -> str | None:
    """The first name of an expression that only a machine gives a value to; the formulas say what a name is."""
    return next((n for n in sorted(names_in(node)) if _of_machine(n, program)), None)


def check_needs_none(node: tree.Expression, space: Space, parts: Sequence[Variant | Refused]) -> None:
    """Raises InputError if an expression needs a machine and the space names none."""
    name = needed_by(node, space, parts)
    if name is not None:
        raise error("E343", f"'{name}' needs a machine", node.place, "name one with -y, for example -y h100_sxm")


def _of_machine(name: str, program: Program) -> bool:
    name = in_formulas(name)
    if name in program.outputs:
        return program.outputs[name].part in MACHINE_PARTS
    if name in CHOICES:
        return False
    try:
        check_name(canonical(name), NOWHERE)
    except InputError:
        return name in program.inputs
    return True


NOWHERE = Place(Source("", ""), 1, 1)


def _some_program(space: Space, parts: Sequence[Variant | Refused]) -> Program | None:
    for part in parts:
        if isinstance(part, Variant):
            try:
                return evaluator(space.model, part.plan.structure).program
            except InputError:
                continue
    return None
