"""A program whose step is given by its micro-batches: gbs, an input of the formulas, computed from them."""

from __future__ import annotations

from dataclasses import replace

from symsim.emit.program import CheckedRule, Instruction, Output, Program

NEEDED = ("microbatches", "mbs", "world", "tp", "cp", "pp")
"""gbs = microbatches · mbs · world/(tp·cp·pp)."""


def from_microbatches(program: Program) -> Program:
    """The program with ``microbatches`` among its inputs in place of ``gbs``, which becomes an output."""
    if "gbs" not in program.inputs:
        return program
    kept = tuple(n for n in program.inputs if n != "gbs")
    inputs = (*kept, *(n for n in NEEDED if n not in kept))
    stage = len(inputs)
    microbatches, mbs, world, *mesh = (inputs.index(n) for n in NEEDED)
    before: tuple[Instruction, ...] = (
        ("mul", *mesh),
        ("div", world, stage + 1),
        ("mul", microbatches, mbs, stage + 2),
    )
    gbs = stage + len(before)

    def moved(register: int) -> int:
        if register >= program.stage_register:
            above = register - program.stage_register
            return stage if above == 0 else gbs + above
        name = program.inputs[register]
        return gbs if name == "gbs" else inputs.index(name)

    def instruction(given: Instruction) -> Instruction:
        operation, *arguments = given
        if operation == "const":
            return given
        if operation == "table":
            return (operation, arguments[0], *map(moved, arguments[1:]))
        return (operation, *map(moved, arguments))

    outputs = {n: replace(o, register=moved(o.register)) for n, o in program.outputs.items()}
    return replace(
        program,
        inputs=inputs,
        instructions=(*before, *map(instruction, program.instructions)),
        outputs={**outputs, "gbs": Output(gbs, "run", "", "sizes")},
        rules=tuple(CheckedRule(moved(r.register), r.kind, r.message, r.names) for r in program.rules),
    )
