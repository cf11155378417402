"""A program over a machine's figures answers as the one over names of formulas does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symsim.analysis.evaluate import machine_of
from symsim.analysis.sensitivities.sensitivity_names import figures_by_input
from symsim.emit.code import compile_scalar
from symsim.emit.inputs_by_figure import by_figure
from symsim.emit.program import from_json, to_json
from symsim.records.cost import RUN_PARTS
from tests.properties.points import CASES, Case, legal_sizes, load


@pytest.mark.parametrize("system", ["h100_sxm", "a100_pcie"])
@pytest.mark.parametrize("case", [CASES[0], CASES[3]], ids=lambda c: c.model)
def test_every_output_stays_what_it_is(case: Case, system: str) -> None:
    """On the machine, and on one with every figure a little larger: one input has all that a figure answers for."""
    asked, compiled, _ = load(case, system)
    assert asked.system is not None
    program = compiled.program
    short = by_figure(program, figures_by_input(asked.system, ()))
    assert from_json(to_json(short)).inputs == short.inputs
    assert set(short.tables) < set(program.tables) and "matmul.forward.sms" not in short.inputs
    names = [n for n, o in program.outputs.items() if o.scope == "run" and o.part not in RUN_PARTS]
    plain = compile_scalar(program, [program.outputs[n].register for n in names])
    other = compile_scalar(short, [short.outputs[n].register for n in names])
    for k, sizes in enumerate(legal_sizes(compiled, dict(asked.plan.sizes), 4, seed=11)):
        scaled = {n: replace(f, value=f.value * (1 + k / 50)) for n, f in asked.system.figures.items()}
        there = replace(asked, system=replace(asked.system, figures=scaled))
        machine = machine_of(there)
        assert machine is not None
        values = {**sizes, **machine.values}
        expected = plain.run([values[n] for n in plain.inputs], machine.lookup)
        values |= {n: f.value for n, f in scaled.items()}
        assert other.run([values[n] for n in other.inputs], machine.lookup) == expected
