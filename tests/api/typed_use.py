"""Code as a user types it: a type checker knows what every function takes and gives (checked by test_types.py)."""

from __future__ import annotations

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import symsim

plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm", seq=4096, set={"network.bandwidth": "25 GB/s"})
assert_type(plan, symsim.Plan)
assert_type(plan.changed(tp=4, recompute={"core_attn"}, dropout=True, te_version=None), symsim.Plan)

answer = symsim.evaluate(plan)
assert_type(answer, symsim.Answer)
assert_type(answer.iteration_s, float)
assert_type(answer.fits, bool | None)
assert_type(answer["peak"], int | float | tuple[int | float, ...])

compiled = symsim.compile(plan)
found = compiled.evaluate(tp=[1, 2, 4, 8], mbs=np.array(2), wanted=("time.iteration", "memory.peak"))
assert_type(found, symsim.Columns)
assert_type(found["memory.peak"], NDArray[np.float64])
assert_type(found.legal, NDArray[np.bool_])
assert_type(symsim.evaluate(plan, {"tp": np.array([1, 2]), "mbs": [1, 2]}), symsim.Columns)
assert_type(symsim.formula("llama3_70b", show="memory", format="latex").text, str)
best = symsim.search("llama3_8b", {"world": 64, "gbs": 512, "seq": 4096, "tp": [2, 4]}, "h100_sxm", top=5)
assert_type(best[0], symsim.Found)
assert_type(best[:2], tuple[symsim.Found, ...])
assert_type([f.answer.mfu for f in best], list[float])
assert_type(symsim.sensitivity(plan, with_respect_to=["hidden"])["hidden"].derivative, float)
assert_type(symsim.compare(plan, plan.changed(tp=4))["time.iteration"].change, float)
assert_type(symsim.solve(plan, "mbs").value, float | None)

try:
    symsim.load("no_model")
except symsim.InputError as problem:
    assert_type(problem.render(), str)
