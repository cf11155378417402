"""What docs/strategy.md says of a choice where no other test holds it: each statement, with numbers that show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.diagnostics import InputError
from symsim.loading.checking import check_file
from symsim.loading.question import question

MODEL = "llama(hidden=2048, layers=16, heads=32, kv_heads=8, ffn=8192, vocab=32000)"
SIZES = "world=32,gbs=64,seq=4096"


def values(choices: str, model: str = MODEL) -> dict[str, Any]:
    asked = question(model, f"{SIZES},{choices}", "h100_sxm")
    return dict(answer(asked.model, asked.plan, machine_of(asked)).values)


def refused(choices: str) -> str:
    with pytest.raises(InputError) as problem:
        values(choices)
    return problem.value.diagnostics[0].message


@pytest.mark.parametrize("others", ["", "pp=2", "cp=2", "precision=fp8", "attention=unfused,dropout=true"])
def test_sequence_parallelism_changes_nothing_without_tensor_parallelism(others: str) -> None:
    with_it, without = values(f"{others},sequence_parallel=true"), values(f"{others},sequence_parallel=false")
    for name in ("memory.peak", "time.iteration"):
        assert with_it[name] == pytest.approx(without[name], rel=1e-12)


def test_zero_2_and_3_take_the_time_of_their_own_messages() -> None:
    times = [values(f"tp=2,pp=2,zero={zero}") for zero in (1, 2, 3)]
    assert "time.shards" not in times[0] or times[0]["time.shards"] == 0
    assert 0 < times[1]["time.shards"] < times[2]["time.shards"]
    assert len({t["time.iteration"] for t in times}) == 3


@pytest.mark.parametrize("framework", ["deepspeed", "nanotron"])
def test_a_framework_has_times_of_its_own(framework: str) -> None:
    assert values(f"pp=2,framework={framework}")["time.iteration"] > values("pp=2")["time.iteration"]


def test_shards_over_neighbours_are_gathered_faster_and_reduced_once_more() -> None:
    few, all_of_them = values("zero=3,zero_shard=8"), values("zero=3")
    assert few["gather"] < all_of_them["gather"]
    assert few["reduce"] != all_of_them["reduce"]
    assert few["memory.peak"] > all_of_them["memory.peak"]


def test_what_an_offloaded_optimizer_moves_is_in_the_step() -> None:
    away, here = values("offload={optimizer}"), values("")
    moved = away["offload.step"][0] if isinstance(away["offload.step"], list) else away["offload.step"]
    assert moved > 0
    assert away["time.optimizer"] > here["time.optimizer"]


def test_what_the_link_to_the_host_does_not_hide_is_time_of_offloading() -> None:
    assert values("offload={weights},host.bandwidth=1 GB/s")["time.offload"] > 0
    assert values("offload={core_attn},host.bandwidth=1000 GB/s")["time.offload"] == 0


def test_attention_saves_a_mask_of_dropout_where_it_writes_its_scores() -> None:
    """Hidden masks are the same: a byte for each element of two residual branches."""
    flash = values("dropout=true")["A"] - values("")["A"]
    unfused = values("dropout=true,attention=unfused")["A"] - values("attention=unfused")["A"]
    assert flash == 2 * 4096 * 2048
    scores = 32 * 4096 * 4096
    assert unfused == flash + scores * (1 + 2)


@pytest.mark.parametrize(("choices", "said"), [
    ("pp=10001", "must be at most 10,000"), ("microbatch_group=2", "no meaning without virtual chunks"),
    ("recompute_layers=2", "recompute = full"), ("cp_a2a=2", "a2a_ring"), ("cp_comm=a2a_ring", "needs cp_a2a"),
    ("zero=0,zero_shard=2", "no meaning with zero = 0"), ("fp8_params=true", "no meaning with precision = bf16"),
    ("optimizer=sgd,exp_avg_dtype=bf16", "of optimizer = adam"), ("pp=8,recompute=full,schedule=zb_v", "no formula"),
    ("pp=8,schedule=dualpipe,first_stage_layers=1", "no meaning with schedule = dualpipe"),
    ("pp=2,schedule=gpipe,vp=2", "one chunk per rank"), ("cp=8,tp=2", "splits the key-value heads"),
])  # fmt: skip
def test_what_the_page_calls_refused_is_refused(choices: str, said: str) -> None:
    assert said in refused(choices)


def test_one_chunk_of_interleaved_is_1f1b() -> None:
    assert values("pp=2,schedule=interleaved,vp=1") == values("pp=2,schedule=1f1b")


def test_check_of_a_strategy_takes_names_of_models_and_refuses_misspelt_choices(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sym"
    mine.write_text("strategy mine\nworld = 8\nanything = 12\nnetwork.bandwidth = 25 GB/s\n")
    assert "strategy mine" in check_file(mine)
    mine.write_text("strategy mine\nwrld = 8\n")
    with pytest.raises(InputError, match="did you mean 'world'"):
        check_file(mine)


def test_deepspeeds_pipelines_refuse_zero_2() -> None:
    asked = question(MODEL, f"{SIZES},framework=deepspeed,pp=2,zero=2", "h100_sxm")
    machine = machine_of(asked)
    warnings = document(asked, answer(asked.model, asked.plan, machine), machine, defaults=False)["warnings"]
    assert "DeepSpeed's pipelines refuse zero = 2 and 3" in warnings
