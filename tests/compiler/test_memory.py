"""What a stage holds beside what it saves, and when it holds nothing of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sympy import Integer

from symsim.analysis.evaluate import answer
from symsim.compiler.memory import handed, sent_gradient
from symsim.compiler.pipeline import compile_cost
from symsim.loading.question import question
from symsim.symbols import symbol
from tests.compiler.asking import SMALL

STREAM = Integer(1000)
MIDDLE, FIRST, LAST, ALONE = ((1, 1), (0, 1), (1, 0), (0, 0))
"""Whether a stage has one before it and one behind it."""


def stage(ends: tuple[int, int]) -> Any:
    none = Integer(0)
    return SimpleNamespace(
        has_previous=Integer(ends[0]),
        has_next=Integer(ends[1]),
        predictions_from=none,
        predictions_to=none,
        returns_gradient=True,
    )


def held(ends: tuple[int, int], in_flight: int, microbatches: int, schedule: str = "1f1b") -> int:
    structure: Any = {"schedule": schedule}
    return int(handed(stage(ends), STREAM, structure).subs({symbol("f"): in_flight, symbol("m"): microbatches}))


@pytest.mark.parametrize(("ends", "tensors"), [(MIDDLE, 2), (FIRST, 1), (LAST, 1), (ALONE, 0)])
def test_a_forward_pass_finds_the_input_and_the_gradient_of_the_micro_batch_before(
    ends: tuple[int, int], tensors: int
) -> None:
    assert held(ends, in_flight=2, microbatches=8) == tensors * STREAM


def test_a_stage_that_holds_all_micro_batches_runs_no_forward_pass_after_a_backward_one() -> None:
    assert held(MIDDLE, in_flight=8, microbatches=8) == 0


def test_gpipe_runs_all_forward_passes_first() -> None:
    assert held(MIDDLE, in_flight=2, microbatches=8, schedule="gpipe") == 0


def test_the_first_stage_sent_no_gradient_back() -> None:
    assert [int(sent_gradient(stage(ends), STREAM)) for ends in (FIRST, MIDDLE, LAST)] == [0, 1000, 1000]


def parts(choices: str) -> dict[str, Any]:
    asked = question(SMALL, f"world=4,pp=4,mbs=1,seq=2048,{choices}", None)
    return dict(answer(asked.model, asked.plan, None).values)


def test_more_micro_batches_than_stages_change_what_is_handed_alone() -> None:
    """At m = 4 the first of four stages holds all of them, at m = 8 it holds as many and runs on."""
    few, many = parts("microbatches=4"), parts("microbatches=8")
    assert few["activations"] == many["activations"]
    assert (few["handed"][0], many["handed"][0]) == (0, 512 * 2048 * 2)
    assert few["handed"][1] == many["handed"][1] == 2 * 512 * 2048 * 2


def test_the_peak_is_the_sum_of_its_parts_on_every_stage() -> None:
    found = parts("microbatches=8")
    names = ("weights", "gradients", "optimizer", "activations", "workspace")
    for k in range(4):
        assert found["peak"][k] == sum(found[n][k] if isinstance(found[n], list) else found[n] for n in names)
    assert found["memory.peak"] == max(found["peak"])


@pytest.mark.parametrize("choices", ["microbatches=8", "microbatches=1", 'microbatches=8,layout="E|tt|tt|L"'])
def test_no_stage_has_less_than_nothing_beside_what_it_saves(choices: str) -> None:
    assert min(parts(choices)["workspace"]) >= 0


def test_units_of_one_chunk_alone_have_their_own_number_of_micro_batches_in_flight() -> None:
    """The embedding is in the first of two like chunks; the head is in the last, where one is in flight."""
    asked = question(SMALL, "world=2,pp=2,vp=2,mbs=1,seq=2048,microbatches=8", None)
    names = dict(answer(asked.model, asked.plan, None).values)
    assert (names["f_embedding"], "f_head" in names) == (4, False)


def test_a_stage_without_layers_holds_the_gradient_that_it_sent_back_alone() -> None:
    """Nothing runs on the third stage: what goes through it is what it holds."""
    found = parts('microbatches=8,layout="E|tt||ttL"')
    assert found["workspace"][2] == found["peak"][2] == 512 * 2048 * 2
    assert (found["rise"][2], found["rise_head"][2], found["rise_embedding"][2]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("choices", "rises"),
    [
        ("tp=2,pp=2", {"rise", "rise_head"}),
        ("tp=2,pp=2,recompute=full", {"rise_embedding", "rise", "rise_head"}),
    ],
)
def test_a_moment_before_all_layers_is_left_out_where_they_save_more_for_certain(choices: str, rises: set[str]) -> None:
    asked = question("llama3_8b", f"world=8,gbs=64,seq=4096,{choices}", None)
    names = {d.name for d in compile_cost(asked.model, asked.plan.structure).definitions}
    assert {n for n in names if n.startswith("rise")} == rises
