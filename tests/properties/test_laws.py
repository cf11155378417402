"""Laws that any cost model of training obeys."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symsim.analysis.evaluate import Answer
from tests.properties.points import CASES, Case, legal_sizes, load

cases = pytest.mark.parametrize("case", CASES, ids=lambda c: c.model)


@cases
def test_arrays_give_what_scalars_give(case: Case) -> None:
    asked, compiled, machine = load(case, "h100_sxm")
    points = list(legal_sizes(compiled, dict(asked.plan.sizes), 40, seed=5))
    columns = {n: np.array([float(p[n]) for p in points]) for n in points[0]}
    found = compiled.arrays(columns, machine)
    for k, point in enumerate(points):
        values = compiled.scalar(point, machine)
        expected = Answer(values, point["pp"])
        for name, value in found.items():
            if np.ndim(value) == 2:
                row = value[k] if value.shape[0] > 1 else value[0]
                assert np.allclose(row[: point["pp"]], expected.of_stage(name), rtol=1e-12, atol=0), name
                assert np.isnan(row[point["pp"] :]).all()
            else:
                one = value[k] if np.ndim(value) and np.shape(value)[0] > 1 else np.ravel(value)[0]
                assert math.isclose(one, expected.of_stage(name)[0], rel_tol=1e-12), name


@cases
def test_memory_grows_with_the_micro_batch_and_the_sequence(case: Case) -> None:
    asked, compiled, _ = load(case, None)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 20, seed=6):
        peak = compiled.scalar(sizes, None)["memory.peak"]
        for larger in ({"mbs": sizes["mbs"] * 2, "gbs": sizes["gbs"] * 2}, {"seq": sizes["seq"] * 2}):
            assert compiled.scalar({**sizes, **larger}, None)["memory.peak"] >= peak


@cases
def test_a_faster_machine_is_never_slower(case: Case) -> None:
    asked, compiled, machine = load(case, "h100_sxm")
    assert machine is not None
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 10, seed=7):
        time = compiled.scalar(sizes, machine)["time.iteration"]
        for name in machine.values:
            if not name.endswith(("bandwidth", "bf16", "fp8", "efficiency")):
                continue
            faster = type(machine)(machine.name, {**machine.values, name: machine.values[name] * 2}, machine.lookup, ())
            assert compiled.scalar(sizes, faster)["time.iteration"] <= time * (1 + 1e-12), name


@cases
def test_more_data_parallel_replicas_never_need_more_memory(case: Case) -> None:
    asked, compiled, _ = load(case, None)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 20, seed=8):
        doubled = {**sizes, "world": sizes["world"] * 2, "gbs": sizes["gbs"] * 2}
        few, many = (compiled.scalar(s, None)["memory.peak"] for s in (sizes, doubled))
        assert many <= few
