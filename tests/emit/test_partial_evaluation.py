"""A program parted by what a few figures touch computes what the whole one does."""

from __future__ import annotations

import pytest

from symsim.analysis.fitting.constants import constant_of_input
from symsim.emit.code import compile_scalar
from symsim.emit.partial_evaluation import specialise
from symsim.machine.bind import bind
from tests.properties.points import CASES, Case, load

VARYING = ("hbm.efficiency", "matmul.sustained", "link.all_reduce.latency", "network.bandwidth")


@pytest.mark.parametrize("case", CASES[:12], ids=lambda c: c.model + c.choices[:20])
def test_the_parts_are_the_whole(case: Case) -> None:
    asked, compiled, _ = load(case, "h100_sxm")
    program = compiled.program
    assert asked.system is not None
    machine = bind(asked.system, program.inputs, program.tables, program.figures)
    whole = compiled.scalar(asked.plan.sizes, machine)["time.iteration"]
    parted = specialise(program, "time.iteration", VARYING, constant_of_input(asked, frozenset(VARYING)))
    values = {**asked.plan.sizes, **machine.values}
    numbers = parted.known.run([values[n] for n in parted.known.inputs], machine.lookup)
    figures = [asked.system.figures[n].value if n in asked.system.figures else 1.0 for n in VARYING]
    given = dict(zip(parted.rest.inputs, [values["pp"], *figures, *numbers], strict=True))
    function = compile_scalar(parted.rest, [parted.rest.outputs["time.iteration"].register])
    assert function.run([given[n] for n in function.inputs], machine.lookup)[0] == pytest.approx(whole, rel=1e-13)


def test_what_a_figure_does_not_touch_is_computed_once() -> None:
    asked, compiled, _ = load(CASES[0], "h100_sxm")
    parted = specialise(
        compiled.program, "time.iteration", ("network.bandwidth",), constant_of_input(asked, frozenset(VARYING[3:]))
    )
    assert len(parted.rest.instructions) < len(compiled.program.instructions) / 4
