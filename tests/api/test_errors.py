"""What Python may not give: the code, the message and the hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symsim
from symsim.api.evaluating import MAX_GROUPS


@pytest.fixture(scope="module")
def plan() -> symsim.Plan:
    return symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")


Act = Callable[[symsim.Plan], Any]

CASES: dict[str, tuple[Act, str, str]] = {
    "unknown size": (lambda p: p.compiled.evaluate(tpp=[1]), "E380", "did you mean 'tp'?"),
    "structural size": (lambda p: p.compiled.evaluate(vp=[1, 2]), "E380", "load the plan with vp=…"),
    "structural choice": (lambda p: p.compiled.evaluate(recompute=[1]), "E380", "selects the formulas"),
    "part of the cost": (lambda p: symsim.formula(p, show="memry"), "E380", "did you mean 'memory'?"),  # type: ignore[arg-type]
    "format": (lambda p: symsim.formula(p, format="pdf"), "E380", "known here: json"),  # type: ignore[arg-type]
    "depth": (lambda p: symsim.formula(p, per="gpu"), "E380", "known here: layer"),  # type: ignore[arg-type]
    "way to solve": (lambda p: symsim.solve(p, "mbs", sought="best"), "E380", "largest, smallest"),  # type: ignore[arg-type]
    "size of 0": (lambda p: p.compiled.evaluate(tp=[1, 0]), "E381", "must be a whole number of at least 1, not 0"),
    "half a size": (lambda p: p.compiled.evaluate(mbs=1.5), "E381", "not 1.5"),
    "no size": (lambda p: p.compiled.evaluate(mbs=[1, float("nan")]), "E381", "not nan"),
    "long pipeline": (lambda p: p.compiled.evaluate(pp=100_000), "E381", "at most 10,000"),
    "size beyond all floats": (lambda p: p.compiled.evaluate(tp=10**400), "E381", "not numbers"),
    "end that is no number": (lambda p: symsim.solve(p, "mbs", low=float("nan")), "E380", "low cannot be nan"),
    "word for an end": (lambda p: symsim.solve(p, "mbs", high="8"), "E380", "high cannot be '8'"),  # type: ignore[arg-type]
    "word for a size": (lambda p: p.compiled.evaluate(mbs=["one"]), "E381", "not numbers"),
    "word in a column": (lambda p: symsim.evaluate(p, {"mbs": [1, "x"]}), "E381", "not numbers"),
    "setting of another kind": (lambda p: p.changed(tp=object()), "E381", "'tp' cannot be an object"),  # type: ignore[arg-type]
    "no plans": (lambda p: symsim.search("llama3_8b", "search_1k", "h100_sxm", top=0), "E381", "top=10"),
    "shapes": (lambda p: p.compiled.evaluate(tp=[1, 2], mbs=[1, 2, 3]), "E382", "tp (2,), mbs (3,)"),
    "lengths": (lambda p: symsim.evaluate(p, {"tp": [1, 2], "mbs": [1, 2, 3]}), "E382", "tp 2, mbs 3"),
    "column of two axes": (lambda p: symsim.evaluate(p, {"tp": np.ones((2, 2))}), "E382", "2 axes"),
    "structures": (
        lambda p: symsim.evaluate(p, {"vocab_multiple": 1, "hidden": np.arange(MAX_GROUPS + 1) + 1}),
        "E383",
        "4,096",
    ),
    "no table": (lambda p: symsim.evaluate(p, 3), "E384", "of type int"),
    "empty table": (lambda p: symsim.evaluate(p, {}), "E384", "no columns"),
    "column of a number": (lambda p: symsim.evaluate(p, {1: [1]}), "E384", "which is not text"),  # type: ignore[call-overload]
    "text for a plan": (
        lambda p: symsim.evaluate("llama3_70b"),  # type: ignore[arg-type]
        "E385",
        "symsim.evaluate(symsim.load('llama3_70b', STRATEGY, SYSTEM))",
    ),
    "text for a plan to explain": (lambda p: symsim.explain("llama3_70b"), "E385", "symsim.explain("),  # type: ignore[arg-type]
    "text for a plan to solve": (lambda p: symsim.solve("llama3_70b", "mbs"), "E385", "symsim.solve("),  # type: ignore[arg-type]
    "text for a plan to compare": (lambda p: symsim.compare(p, "llama3_70b"), "E385", "symsim.load('llama3_70b'"),  # type: ignore[arg-type]
    "text for sensitivities": (lambda p: symsim.sensitivity("x"), "E385", "symsim.sensitivity("),  # type: ignore[arg-type]
    "number for a plan": (lambda p: symsim.evaluate(3), "E385", "not an int"),  # type: ignore[call-overload]
    "plan for a model": (lambda p: symsim.load(p, seq=64), "E385", "plan.changed(…)"),  # type: ignore[arg-type]
    "plan to search": (lambda p: symsim.search(p, "search_1k", "h100_sxm"), "E385", "such as 'llama3_70b'"),  # type: ignore[arg-type]
    "number for a model": (lambda p: symsim.load(3), "E385", "not an int"),  # type: ignore[arg-type]
    "step twice": (lambda p: p.compiled.evaluate(gbs=128, microbatches=4), "E323", "give one of them"),
    "open sizes": (lambda p: symsim.compile("llama3_8b").evaluate(tp=8), "E322", "give world=…, gbs=…, seq=…"),
    "time without a machine": (
        lambda p: symsim.compile("llama3_8b").evaluate(world=8, gbs=8, seq=64, wanted=["time.iteration"]),
        "E343",
        "needs a machine",
    ),
    "figure without a machine": (
        lambda p: symsim.compile("llama3_8b").evaluate(world=8, gbs=8, seq=64, wanted=["2 * memory.capacity"]),
        "E203",
        "memory.capacity",
    ),
    "unknown output": (lambda p: p.compiled.evaluate(tp=8, wanted="memory.paek"), "E203", "'memory.peak'?"),
    "unknown column": (lambda p: symsim.evaluate(p, {"tpp": [1]}), "E314", "tpp"),
    "word that a choice cannot have": (lambda p: symsim.evaluate(p, {"schedule": ["1f1b", "2f2b"]}), "E313", "2f2b"),
    "two objectives": (
        lambda p: symsim.search("llama3_8b", "search_1k", minimize="mfu", maximize="mfu"),
        "E201",
        "one objective",
    ),
    "impossible plan": (lambda p: symsim.evaluate(p.changed(tp=3)), "E330", "tp = "),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_error(plan: symsim.Plan, name: str) -> None:
    act, code, said = CASES[name]
    with pytest.raises(symsim.InputError) as caught:
        act(plan)
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


def test_an_error_reads_as_on_the_command_line() -> None:
    with pytest.raises(symsim.InputError) as caught:
        symsim.load("llama3_70b", "tp8_pp4", "h100_sxm", tp=0)
    assert str(caught.value) == caught.value.render()
    assert "\n  | tp=0\n" in str(caught.value)


@pytest.mark.parametrize("name", ["hbm.bandwidth", "islands.cp", "gpus_per_node"])
def test_a_condition_on_a_machine_needs_one(name: str) -> None:
    plan = symsim.load("llama3_8b", "world=8,tp=2,pp=2,gbs=16,seq=128")
    with pytest.raises(symsim.InputError, match="belongs to a machine, and none is given"):
        symsim.solve(plan, "world", subject_to=[f"world <= {name}"])
