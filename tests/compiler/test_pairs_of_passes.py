"""A forward and a backward pass at once, layer by layer: what is in flight, what it holds, and what it hides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.timeline import timeline
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.simulator.held import held_while_running
from symsim.simulator.orders import orders_of

MODEL = "moe(hidden=512,layers=48,heads=8,experts=8,topk=2,expert_ffn=1024,vocab=1024)"
PAIRS = "overlap_moe_expert_parallel_comm=true"

WARM_UP = {
    (2, 2, 2, 2): ([4, 2], [4, 3]),
    (2, 2, 2, 8): ([4, 2], [5, 3]),
    (2, 3, 3, 9): ([8, 6], [9, 7]),
    (3, 2, 4, 11): ([8, 6, 4], [9, 7, 5]),
    (4, 2, 4, 4): ([8, 8, 6, 4], [8, 8, 7, 5]),
    (4, 2, 4, 16): ([10, 8, 6, 4], [11, 9, 7, 5]),
    (4, 3, 6, 12): ([18, 16, 14, 12], [19, 17, 15, 13]),
    (4, 4, 4, 32): ([18, 16, 14, 12], [19, 17, 15, 13]),
    (8, 2, 8, 16): ([22, 20, 18, 16, 14, 12, 10, 8], [23, 21, 19, 17, 15, 13, 11, 9]),
    (8, 3, 10, 28): ([34, 32, 30, 28, 26, 24, 22, 20], [35, 33, 31, 29, 27, 25, 23, 21]),
}
"""Ranks, chunks, the size of a group, micro-batches → forward passes of each rank before its first backward pass,
without pairs and with them: what get_pp_rank_microbatches of megatron-core 0.16.1 answers."""

TABLE = (
    *((k, c) for c in range(2) for k in range(4)),
    *((k, c) for c in range(2) for k in range(4, 8)),
    *((k, c) for c in range(2) for k in range(8, 11)),
)
"""Micro-batch and chunk of the forward passes: get_schedule_table(11, 2, 4) of megatron-core 0.16.1."""

REFUSED = {
    f"{PAIRS},pp=2": "{pp} is more than 1 without virtual chunks",
    f"{PAIRS},moe_dispatch=all_gather": "moe_dispatch = all_gather",
    f"{PAIRS},recompute=full": "recompute = full",
    f"{PAIRS},precision=fp32": "precision = fp32",
    f"{PAIRS},cuda_graph=true": "cuda_graph = true",
    f"{PAIRS},pp=2,schedule=zb_h1": "schedule = zb_h1",
    "delay_wgrad_compute=true": "has no meaning without",
}
"""Assertions of TransformerConfig of megatron-core 0.16.1."""


def asked(choices: str, microbatches: int = 8, ep: int = 2) -> Answer:
    steps = f"world=16,ep={ep},seq=1024,microbatches={microbatches}"
    given = question(MODEL, f"{steps},{choices}", "h100_sxm", ("fit=none",))
    return answer(given.model, given.plan, machine_of(given))


@pytest.mark.parametrize("shape", WARM_UP)
def test_warm_up_is_megatrons(shape: tuple[int, int, int, int]) -> None:
    p, v, group, m = shape
    plain, pairs = (orders_of("interleaved", p, m, v, group, on) for on in (False, True))
    # Without pairs the forward pass of the first turn comes before the first backward pass too.
    before = [[one.kind for one in order].index("B") for order in plain]
    assert before == [min(warm + 1, m * v) for warm in WARM_UP[shape][0]]
    assert [sum(one.kind == "F" and not one.paired for one in order) for order in pairs] == WARM_UP[shape][1]


def test_forward_passes_come_in_the_order_of_megatrons_table() -> None:
    for order in orders_of("interleaved", 3, 11, 2, 4, pairs=True):
        assert tuple((one.micro_batch, one.chunk) for one in order if one.kind == "F") == TABLE


@pytest.mark.parametrize("shape", [s for s in WARM_UP if s[0] < 8])
@pytest.mark.parametrize("pairs", [False, True])
def test_in_flight_is_the_warm_up_and_the_pass_that_follows(shape: tuple[int, int, int, int], pairs: bool) -> None:
    p, v, group, m = shape
    choices = f"pp={p},vp={v},microbatch_group={group},microbatches={m},{PAIRS if pairs else ''}".rstrip(",")
    given = question(MODEL, f"world={2 * p},ep=2,seq=1024,{choices}", None)
    found = answer(given.model, given.plan, None)
    expected = [min(warm + 1, m * v) / v for warm in WARM_UP[shape][pairs]]
    assert [float(f) for f in found.of_stage("f")] == pytest.approx(expected)


def by_layer(p: int, i: int, m: int, v: int, group: int, layers: int) -> Iterator[int]:
    """Layers that a rank has saved, where the passes of a pair run a layer of each in turn."""
    saved, forward = 0, 0
    for one in orders_of("interleaved" if v > 1 else "1f1b", p, m, v, group, pairs=True)[i]:
        if one.paired and one.kind == "F":
            forward = layers
        elif one.paired:
            for _ in range(layers):
                saved += 1
                forward -= 1
                yield saved
                saved -= 1
            assert forward == 0
        else:
            saved += layers if one.kind == "F" else 0
            yield saved
            saved -= layers if one.kind == "B" else 0


@pytest.mark.parametrize("shape", [(1, 1, 1, 6), (2, 2, 2, 8), (3, 2, 4, 12), (4, 3, 6, 12), (4, 2, 4, 4)])
def test_a_pair_adds_one_layer_to_what_is_saved_between_pairs(shape: tuple[int, int, int, int]) -> None:
    p, v, group, m = shape
    grouped = f"vp={v},microbatch_group={group}," if v > 1 else ""
    given = question(MODEL, f"world={2 * p},ep=2,seq=1024,pp={p},{grouped}microbatches={m},{PAIRS}", None)
    between = answer(given.model, given.plan, None).of_stage("f.between")
    for i in range(p):
        most = max(by_layer(p, i, m, v, group, layers=5))
        pairs = any(one.paired for one in orders_of("interleaved" if v > 1 else "1f1b", p, m, v, group, True)[i])
        assert float(between[i]) * v * 5 + pairs == pytest.approx(most)


def test_without_virtual_chunks_a_pair_holds_one_micro_batch_and_a_layer() -> None:
    """Two published runs of Megatron-LM's tests say so: what they hold above their states is the same with pairs."""
    plain, pairs = asked("pp=1"), asked(f"pp=1,{PAIRS}")
    assert pairs.of_stage("activations") == plain.of_stage("activations")
    assert float(pairs.of_stage("f")[0]) == 2


def test_delayed_weight_gradients_keep_inputs_and_gradients_of_outputs() -> None:
    now, late = asked(f"pp=1,{PAIRS}"), asked(f"pp=1,{PAIRS},delay_wgrad_compute=true")
    assert late.of_stage("rise_pair")[0] > now.of_stage("rise_pair")[0]


def test_messages_of_experts_hide_behind_the_other_micro_batch() -> None:
    plain, pairs = asked("pp=1", 64), asked(f"pp=1,{PAIRS}", 64)
    assert float(pairs.of_stage("F.alone")[0]) == pytest.approx(float(plain.of_stage("F")[0]))
    assert float(pairs.of_stage("B.alone")[0]) == pytest.approx(float(plain.of_stage("B")[0]))
    assert pairs.values["time.expert_parallel"] < plain.values["time.expert_parallel"]
    assert pairs.values["time.iteration"] < plain.values["time.iteration"]


def test_messages_among_the_ranks_of_an_expert_are_part_of_its_compute() -> None:
    """Only what goes between experts' ranks and back hides: one window for each of them."""
    split = asked(f"pp=1,etp=4,{PAIRS}", 64)
    for turn in ("forward", "backward"):
        whole = sum(float(split.values[n]) for n in split.values if n.startswith("during.") and f".{turn}" in n)
        other = {"forward": "backward", "backward": "forward"}[turn]
        assert float(split.of_stage(f"hidden.{other}")[0]) <= 48 * whole


@pytest.mark.parametrize("choices", ["pp=1", "pp=2,vp=2", "pp=4,vp=3", "pp=4,vp=2,microbatches=4"])
def test_a_step_takes_as_long_as_its_simulated_passes(choices: str) -> None:
    """Embedding and head aside, all ranks take equally long."""
    steps = "" if "microbatches" in choices else ",microbatches=24"
    given = question(MODEL, f"world=16,ep=2,seq=1024,{choices}{steps},{PAIRS}", "h100_sxm", ("fit=none", "vocab=8"))
    found = answer(given.model, given.plan, machine_of(given))
    ran = timeline(given, found)
    assert ran.formula_s == pytest.approx(ran.pipeline_s, rel=0.01)


@pytest.mark.parametrize("choices", REFUSED)
def test_what_megatron_refuses_is_refused(choices: str) -> None:
    with pytest.raises(InputError) as problem:
        asked(choices)
    assert REFUSED[choices].replace("{pp}", "pp = 2") in problem.value.diagnostics[0].message


def test_without_several_ranks_of_experts_there_is_nothing_to_hide() -> None:
    with pytest.raises(InputError, match="ep = 1 is less than 2"):
        asked(PAIRS, ep=1)


def test_a_pair_is_held_as_one_pass() -> None:
    order = orders_of("1f1b", 1, 3, pairs=True)[0]
    assert max(saved for saved, _ in held_while_running(order, 1)) == (1,)
