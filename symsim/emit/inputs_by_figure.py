"""A program over the figures that a machine states: what one figure answers for becomes one input.

Formulas ask for ``matmul.forward.sms`` and look up ``network.all_gather.fixed``; a machine's file has one
figure that answers for several such inputs and tables. After this pass each figure is there once, so that
a derivative with respect to it has everything that it answers for.
"""

from __future__ import annotations

from dataclasses import replace

from symsim.emit.partial_evaluation import FigureOfInput
from symsim.emit.program import Instruction, Program, renumbered


def by_figure(program: Program, figure_of: FigureOfInput) -> Program:
    """The same outputs and rules; inputs and tables that ``figure_of`` names a figure for are that figure's input."""
    answered = {k: found for k, name in enumerate(program.inputs) if (found := figure_of(name, False)) is not None}
    tables = {t: found for t in program.tables if (found := figure_of(t, True)) is not None}
    plain = [name for k, name in enumerate(program.inputs) if k not in answered]
    inputs = tuple(dict.fromkeys((*plain, *answered.values(), *tables.values())))
    place = {k: inputs.index(answered.get(k, name)) for k, name in enumerate(program.inputs)}
    place[program.stage_register] = len(inputs)
    instructions: list[Instruction] = []
    for register, instruction in enumerate(program.instructions, program.register_of(0)):
        if instruction[0] == "table" and instruction[1] in tables:
            place[register] = inputs.index(tables[instruction[1]])
        else:
            place[register] = len(inputs) + 1 + len(instructions)
            instructions.append(renumbered(instruction, place.__getitem__))
    return replace(
        program,
        inputs=inputs,
        instructions=tuple(instructions),
        outputs={n: replace(o, register=place[o.register]) for n, o in program.outputs.items()},
        rules=tuple(replace(r, register=place[r.register]) for r in program.rules),
    )
