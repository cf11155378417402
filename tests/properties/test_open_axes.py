"""A sheet gives what scalar evaluation gives: over all axes at once, with a few stages sampled for many."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import numpy as np
import pytest

from symsim.analysis.evaluate import unanswered
from symsim.compiler.pipeline import compile_cost
from symsim.emit.grid.constant_folding import Folder
from symsim.emit.grid.open_axes import Sheet
from symsim.machine.bind import constant_of_table
from tests.properties.points import CASES, Case, load

pytestmark = pytest.mark.slow

MORE = (
    Case("llama3_405b", "embedding_in_split=true,loss_in_split=true,zero=1,overlap_grad_reduce=true,cp_comm=ring"),
    Case("llama3_70b", "schedule=gpipe,overlap_p2p=true"),
    Case(
        "deepseek_v3",
        "first_stage_layers=4,last_stage_layers=1,overlap_moe=true,precision=fp8,overlap_param_gather=true",
    ),
)
AXES: dict[str, tuple[int, ...]] = {
    "tp": (1, 2, 8),
    "cp": (1, 2),
    "pp": (1, 2, 4, 16, 32, 64),
    "mbs": (1, 2, 4),
    "ep": (1, 8),
}
WANTED = ("memory.peak", "time.iteration", "time.bubble", "time.data_parallel", "time.launch", "throughput.mfu")


def sheet_of(case: Case, system: str, axes: dict[str, tuple[int, ...]]) -> tuple[Any, Any, Any, Sheet, dict[str, int]]:
    asked, compiled, machine = load(case, system)
    cost = compile_cost(asked.model, asked.plan.structure)
    assert machine is not None and asked.system is not None
    stated = asked.system
    sizes = {**asked.plan.sizes, "world": 1024, "gbs": 1024, "seq": 8192}
    without = unanswered(sizes, machine.values)
    folder = Folder("", list(axes), {**sizes, **machine.values}, lambda name: constant_of_table(stated, name), without)
    made = folder.define(cost.segments)
    registers = {n: folder.register(made[n]) for n in WANTED if n in made}
    return compiled, machine, sizes, Sheet(folder.program(), axes, machine.lookup), registers


@pytest.mark.parametrize("case", [*CASES, *MORE], ids=lambda c: c.model + "-" + c.choices[:24])
def test_a_sheet_gives_what_scalars_give(case: Case) -> None:
    # One of the machines has measured tables.
    system = "b200" if len(case.choices) % 2 else "h100_sxm"
    axes = {n: v for n, v in AXES.items() if n != "pp" or "layout" not in case.choices}
    axes.setdefault("pp", (2,))
    compiled, machine, sizes, sheet, registers = sheet_of(case, system, axes)
    places = itertools.product(*(range(len(axes[n])) for n in sheet.program.inputs))
    legal = [p for p in places if not compiled.broken({**sizes, **_chosen(sheet, axes, p)})]
    assert legal
    compared = 0
    for group in sheet.groups:
        mine = [p for p in legal if p[sheet.pp] in group.positions]
        if not mine:
            continue
        with np.errstate(all="ignore"):
            found = group.rows(np.array(mine).T).numbers(registers.values())
        for k, point in list(enumerate(mine))[:: max(1, len(mine) // 12)]:
            expected = compiled.scalar({**sizes, **_chosen(sheet, axes, point)}, machine)
            for name, values in zip(registers, found, strict=True):
                value = float(np.broadcast_to(values, len(mine))[k])
                assert value == pytest.approx(float(expected[name]), rel=1e-12, abs=1e-12 * _scale(name, expected)), (
                    name,
                    _chosen(sheet, axes, point),
                )
            compared += 1
    assert compared


def test_rows_go_when_nobody_holds_them() -> None:
    """Their arrays are large: none waits for somebody to look for garbage."""
    *_, sheet, registers = sheet_of(CASES[0], "h100_sxm", AXES)
    (group, *_) = sheet.groups
    rows = group.rows(np.zeros((len(sheet.shape), 500), dtype=np.intp) + np.array(group.positions[0]))
    gone = weakref.ref(rows)
    gc.disable()
    try:
        with np.errstate(all="ignore"):
            rows.numbers(registers.values())
            for part in rows.slices():
                part.numbers(tuple(registers.values()))
        del rows, part
        assert gone() is None
    finally:
        gc.enable()


def _chosen(sheet: Sheet, axes: dict[str, tuple[int, ...]], point: tuple[int, ...]) -> dict[str, int]:
    return {n: axes[n][k] for n, k in zip(sheet.program.inputs, point, strict=True)}


def _scale(name: str, expected: dict[str, Any]) -> float:
    """A bubble is a small difference of large times."""
    return float(expected["time.iteration"]) if name.startswith("time.") else 0.0


def test_a_long_pipeline_is_sampled_not_walked() -> None:
    axes = {"tp": (8,), "cp": (1,), "pp": (64, 128), "mbs": (1, 2), "ep": (1,)}
    case = Case("llama3_405b", "embedding_in_split=true,loss_in_split=true,vp=1")
    *_, sheet, registers = sheet_of(case, "h100_sxm", axes)
    (group,) = sheet.groups
    assert len(group.samples.at) <= 8
    with np.errstate(all="ignore"):
        group.rows(np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 0]]).T).numbers(registers.values())
    assert not group._walking
