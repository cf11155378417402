"""Derivatives of a step's time agree with finite differences at a thousand random points of all kinds of plans."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from symsim.analysis.evaluate import Evaluator
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.analysis.sensitivities.sensitivity import sensitivity
from symsim.analysis.sensitivities.sensitivity_names import Direction, directions, figures_by_input
from symsim.analysis.sensitivities.slopes import Slopes
from symsim.emit.code import compile_scalar
from symsim.emit.inputs_by_figure import by_figure
from symsim.emit.program import Program
from symsim.loading.question import Question, question
from symsim.records.system import System
from tests.properties.points import CASES, legal_sizes, load

pytestmark = pytest.mark.slow

POINTS = 72
NAMES = 3
"""Of each case; names at each of its plans."""
SMOOTH = 63
"""Of each case's points at least, so that the cases together compare a thousand: each case counts its own, since they
may run in different processes."""
JUMP = 20
"""An elasticity beyond this is a step of the answer itself."""
SYSTEMS = ("h100_sxm", "b200")
FIXED = ("latency", "fixed", "fill", "launch", "turn", "step")
"""Figures that take time whatever the rates."""


def with_figure(system: System, name: str, value: float) -> System:
    return replace(system, figures={**system.figures, name: replace(system.figures[name], value=value)})


@pytest.mark.parametrize("position", range(len(CASES)), ids=lambda k: f"{k}-{CASES[k].model}")
def test_agrees_with_finite_differences(position: int) -> None:
    """On either side. Machines are bound anew and sizes put in as they are, by the formulas that ``eval`` evaluates.

    Sizes are moved by less than what rounding up forgives, so that steps stay flat as they are in the derivative. A
    group that just fits into an island jumps where it would be larger: on that side nothing is compared. Where the
    group sends nothing yet, as a ring of one, the jump is one of the slope alone.
    """
    smooth = 0
    asked, compiled, _ = load(CASES[position], SYSTEMS[position % 2])
    assert asked.system is not None
    system = asked.system
    program = asked_for(asked, compiled.program, {"it": parsed("time.iteration")})
    machine = machine_for(system, program)
    assert machine is not None
    figured = by_figure(program, figures_by_input(system, ()))
    slopes = Slopes(figured, "it")
    plain = compile_scalar(program, [program.outputs["it"].register])
    figures = {n: f.value for n, f in system.figures.items()}
    draw = random.Random(position)
    for sizes, name in points(asked, compiled, figured, {**machine.values, **figures}, draw):
        values = {**sizes, **machine.values, **figures}

        def time(factor: float, name: Direction = name, sizes: dict[str, int] = sizes) -> float:
            if name.kind == "size":
                given, bound = {**sizes, name.name: name.value * factor}, machine
            else:
                given, bound = sizes, machine_for(with_figure(system, name.name, name.value * factor), program)
            everything = {**given, **bound.values}
            return float(plain.run([everything[n] for n in plain.inputs], bound.lookup)[0])

        here_s = time(1)
        slope = slopes.at(values, machine.lookup, name)
        step, loose = (2e-10, 5e-5) if name.kind == "size" else (1e-6, 1e-8)
        finite = {side: (time(1 + side * step) - here_s) / (side * step * here_s) for side in (-1, 1)}
        exact = {-1: slope.left * name.value / here_s, 1: slope.right * name.value / here_s}
        jumps = [side for side in finite if abs(finite[side]) > JUMP]
        if name.name == "cp" and sizes["tp"] * sizes["cp"] == machine.values["link.span"]:
            jumps.append(1)
        replicas = sizes["world"] / (sizes["tp"] * sizes["pp"] * sizes.get("zero_shard", 1))
        if name.name == "world" and "zero_shard" in sizes and replicas == 1:
            jumps.append(1)  # a ring of one replica, whose messages leave the island where it grows
        for side in finite:
            if side not in jumps:
                assert math.isclose(exact[side], finite[side], rel_tol=1e-4, abs_tol=loose), (name, side, sizes)
        smooth += not jumps and exact[-1] == exact[1]
    assert smooth >= SMOOTH


def points(
    asked: Question, compiled: Evaluator, figured: Program, machine: dict[str, float], draw: random.Random
) -> Iterator[tuple[dict[str, int], Direction]]:
    """Legal sizes, and names drawn for each."""
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), POINTS // NAMES, seed=draw.randrange(99)):
        here = replace(asked, plan=replace(asked.plan, sizes=sizes))
        names = [v for v in directions(here, figured, {**sizes, **machine}, None) if movable(v)]
        yield from ((sizes, name) for name in draw.sample(names, NAMES))


def movable(name: Direction) -> bool:
    """Stages are as many as ``pp`` says, and at 1 a size switches a way of working on: neither moves by a little."""
    return name.value > 1 and name.name != "pp" if name.kind == "size" else name.kind != "framework" and name.value > 0


@pytest.mark.parametrize("model, plan", [
    ("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192,overlap_grad_reduce=true"),
    ("mixtral_8x7b", "world=64,tp=2,pp=2,ep=8,gbs=128,seq=4096,overlap_moe=true"),
    ("deepseek_v3", "world=64,pp=4,ep=8,gbs=256,seq=4096,first_stage_layers=16,last_stage_layers=15,precision=fp8"),
])  # fmt: skip
@pytest.mark.parametrize("system", ["h100_sxm", "a100_pcie"])
def test_time_without_fixed_parts_is_homogeneous_in_the_rates(model: str, plan: str, system: str) -> None:
    """All FLOP/s and B/s times k make the step k times as fast: their elasticities add up to -1."""
    if "fp8" in plan and system == "a100_pcie":
        plan = plan.replace(",precision=fp8", "")
    asked = without_fixed_times(question(model, plan, system))
    assert sensitivity(asked, names=["seq"]).sum_of_rate_elasticities == pytest.approx(-1, abs=1e-9)


def without_fixed_times(asked: Question) -> Question:
    assert asked.system is not None
    system = asked.system
    for name, figure in system.figures.items():
        if figure.unit == "s":
            system = with_figure(system, name, 0.0)
    tables = {n: t for n, t in system.tables.items() if n.rpartition(".")[2] not in FIXED}
    return replace(asked, system=replace(system, tables=tables))


def test_fixed_times_take_from_the_sum() -> None:
    asked = question("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192", "h100_sxm")
    found = sensitivity(asked)
    durations = sum(p.elasticity or 0 for p in found.partials if p.kind in ("duration", "framework") and p.unit == "s")
    assert found.sum_of_rate_elasticities is not None and -1 < found.sum_of_rate_elasticities < -0.9
    assert found.sum_of_rate_elasticities == pytest.approx(durations - 1, abs=1e-9)
