"""A program split in two: what a few searched figures do not touch, and what is left.

Sizes of a plan and most figures of a machine are known while a few figures are searched for. The
first part is computed once for a plan; the second, short one is computed for every value tried, and
can be differentiated like any other program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.program import REDUCING, Instruction, Output, Program

FigureOfInput = Callable[[str, bool], str | None]
"""``figure_of(name, is_table)`` → the searched figure that answers for an input or a table, or ``None``."""


@dataclass(frozen=True, slots=True)
class Specialised:
    """``known`` computes the inputs of ``rest`` after the first ``1 + varying``, in their order.

    The first inputs of ``rest`` are ``pp`` and the searched figures.
    """

    known: Compiled
    rest: Program


def specialise(program: Program, output: str, varying: tuple[str, ...], figure_of: FigureOfInput) -> Specialised:
    """Part the computation of one output of a run by what depends on the figures ``varying``.

    ``figure_of`` says which inputs and tables follow one of them: an input may have another name, and a
    table that a machine does not have is answered by a plain figure.
    """
    flow = _flow(program, figure_of)
    wanted = program.outputs[output]
    needed = program.leading_to(wanted.register)
    rest = [k for k in needed if (flow.varies[k] or flow.staged[k]) and k > program.stage_register]
    read = {wanted.register}.union(*(program.operands(k) for k in rest if k not in flow.figures))
    known = sorted(k for k in read if not flow.varies[k] and not flow.staged[k])
    inputs = ("pp", *varying, *(f"known.{k}" for k in range(len(known))))
    place = {register: 1 + len(varying) + k for k, register in enumerate(known)}
    place |= {register: inputs.index(name) for register, name in flow.figures.items()}
    place[program.stage_register] = len(inputs)
    instructions: list[Instruction] = []
    for register in rest:
        if register not in flow.figures:
            operation, *arguments = program.instructions[register - program.register_of(0)]
            own = {"const": arguments, "table": arguments[:1]}.get(operation, [])
            place[register] = len(inputs) + 1 + len(instructions)
            instructions.append((operation, *own, *(place[a] for a in program.operands(register))))
    moved = Output(place[wanted.register], wanted.scope, wanted.unit, wanted.part)
    short = Program(program.title, inputs, tuple(instructions), {output: moved}, ())
    return Specialised(compile_scalar(program, known), short)


@dataclass(frozen=True, slots=True)
class _Flow:
    """By register: whether it varies, whether it differs between stages; and which are figures."""

    varies: list[bool]
    staged: list[bool]
    figures: dict[int, str]


def _flow(program: Program, figure_of: FigureOfInput) -> _Flow:
    figures = {k: found for k, name in enumerate(program.inputs) if (found := figure_of(name, False)) is not None}
    first = program.register_of(0)
    varies = [k in figures for k in range(first)]
    staged = [k == program.stage_register for k in range(first)]
    for register, (operation, *arguments) in enumerate(program.instructions, first):
        found = figure_of(arguments[0], True) if operation == "table" else None
        if found is not None:
            figures[register] = found
        read = program.operands(register)
        varies.append(found is not None or any(varies[a] for a in read))
        staged.append(operation not in REDUCING and found is None and any(staged[a] for a in read))
    return _Flow(varies, staged, figures)
