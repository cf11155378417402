"""Arrays say what numbers say: 10,000 random legal plans of every shipped model, each answer to 12 digits."""

from __future__ import annotations

import random
import zlib
from typing import Any

import numpy as np
import pytest

import symsim
from symsim import resources
from symsim.analysis.evaluate import evaluator
from symsim.api.compiled import ANSWERS

pytestmark = pytest.mark.slow

MODELS = sorted(resources.shipped("models"))
POINTS = -(-10_000 // len(MODELS))
DRAWN = 30_000
SYSTEMS = ("h100_sxm", "a100_sxm", "b200")
CHOICES = (
    {},
    {"recompute": "full", "zero": 3, "overlap_tp": True},
    {"vp": 2, "overlap_p2p": True},
    {"recompute": {"core_attn"}, "overlap_grad_reduce": True, "sequence_parallel": False},
    {"zero": 2, "offload": {"optimizer"}, "cp_comm": "all_gather"},
    {"schedule": "zb_h1", "cp_comm": "ring"},
)
OF_STAGES = ("peak", "activations", "F", "B")
TOLERANCE = 1e-12


def drawn(seed: int, dense: bool) -> dict[str, np.ndarray]:
    """Sizes whose meshes divide the world; most of them are legal somewhere."""
    draw = np.random.default_rng(seed)
    tp, cp = draw.choice([1, 1, 2, 4, 8], DRAWN), draw.choice([1, 1, 2, 4], DRAWN)
    ep = np.ones(DRAWN) if dense else draw.choice([1, 2, 4, 8], DRAWN)
    pp, dp = draw.choice([1, 2, 2, 3, 4, 6, 8, 16], DRAWN), draw.choice([1, 2, 4, 8, 16], DRAWN)
    mbs = draw.choice([1, 2, 3, 4], DRAWN)
    return {
        **{"tp": tp, "cp": cp, "ep": ep, "pp": pp, "mbs": mbs},
        "world": tp * cp * pp * dp,
        "gbs": mbs * dp * draw.choice([1, 2, 5, 8, 32, 64], DRAWN),
        "seq": draw.choice([1024, 2048, 4096, 8192], DRAWN),
    }


def with_legal_points(model: str, place: int) -> tuple[symsim.Plan, dict[str, np.ndarray], np.ndarray]:
    """A plan of the model, sizes, and which of them are legal: choices that leave too few (pp·vp of an odd number of
    layers) and regions that the model does not have are passed over."""
    for turn in range(len(CHOICES)):
        choices = CHOICES[(place + turn) % len(CHOICES)]
        plan = symsim.load(model, {"world": 8, "gbs": 16, "seq": 4096}, SYSTEMS[place % len(SYSTEMS)], set=choices)
        rows = drawn(zlib.crc32(model.encode()), "experts" not in plan.dimensions)
        try:
            legal = plan.compiled.evaluate(rows, wanted=["m"]).legal
        except symsim.InputError as problem:
            if "E242" not in str(problem):  # a region that the model does not have
                raise
            continue
        if np.count_nonzero(legal) >= POINTS:
            return plan, rows, legal
    raise AssertionError(f"{model} has too few legal points")


@pytest.mark.parametrize("model", MODELS)
def test_arrays_equal_numbers(model: str) -> None:
    place = MODELS.index(model)
    plan, rows, legal = with_legal_points(model, place)
    compiled, asked = plan.compiled, plan.question
    pick = random.Random(place)
    good = pick.sample(list(np.flatnonzero(legal)), POINTS)
    illegal = list(np.flatnonzero(~legal))
    bad = pick.sample(illegal, min(len(illegal), 20))
    chosen = [{n: int(c[row]) for n, c in rows.items()} for row in (*good, *bad)]
    wanted = [*(n for n in ANSWERS if n in compiled.names), *OF_STAGES]
    found = compiled.evaluate({n: [c[n] for c in chosen] for n in rows}, wanted=wanted)
    reference = evaluator(asked.model, asked.plan.structure)
    function = reference.some(tuple(wanted))
    assert compiled.machine is not None
    exact = {n: np.full_like(found[n], np.nan) for n in wanted}
    for row, sizes in enumerate(chosen):
        settled = {**asked.plan.sizes, **sizes}
        broken = reference.broken(settled)
        assert bool(broken) is (row >= POINTS)
        if not broken:
            values = {**settled, **compiled.machine.values}
            numbers = function.run([values[n] for n in function.inputs], compiled.machine.lookup)
            for name, number in zip(wanted, numbers, strict=True):
                exact[name][row, ...] = stages_of(number, exact[name][row])
    for name in wanted:
        # An item of a step's time is a difference of times: its digits are those of the step.
        of_step = 1.0 if name == "time.bubble_share" else exact["time.iteration"] if name.startswith("time.") else 0.0
        off = np.abs(found[name] - exact[name])
        assert np.array_equal(np.isnan(found[name]), np.isnan(exact[name])), name
        assert np.nanmax(off - TOLERANCE * np.maximum(np.abs(exact[name]), of_step)) <= 0, name


def stages_of(number: Any, wide: np.ndarray) -> Any:
    """An answer of each stage as a row of the array, NaN past its last."""
    if not isinstance(number, list):
        return number
    return [*map(float, number), *[np.nan] * (len(wide) - len(number))]


def test_so_many_points_are_compared() -> None:
    assert POINTS * len(MODELS) >= 10_000
