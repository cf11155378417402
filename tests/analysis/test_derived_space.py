"""A space without a strategy: what the framework offers, narrowed by the model, the machine and the GPUs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symsim import resources
from symsim.analysis.best_plan import best_plan
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.searching.derived_space import load_derived_space
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import Space, load_space
from symsim.analysis.searching.space_text import space_text
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

SMALL = "llama(hidden=512, layers=8, heads=8, kv_heads=4, ffn=1024, vocab=32000)"
EXPERTS = "moe(hidden=512, layers=8, heads=8, kv_heads=4, ffn=1024, vocab=32000, experts=16, topk=2, expert_ffn=256)"
FRAMEWORKS = CHOICES["framework"].words


def space(*settings: str, model: str = SMALL, system: str = "h100_sxm", simple: bool = False) -> Space:
    return load_derived_space(model, system, settings, simple)[0]


def values(of: Space, name: str) -> tuple[object, ...]:
    """The values of a choice in a space, whether it has several or one."""
    return next((axis.values for axis in of.axes if axis.name == name), (of.strategy.values.get(name),))


JOB = ("world=16", "gbs=64", "seq=4096")


def test_tensor_parallelism_divides_heads_key_value_heads_and_gpus() -> None:
    assert values(space(*JOB), "tp") == (1, 2, 4)
    assert values(space("world=6", "gbs=64", "seq=4096"), "tp") == (1, 2)


def test_tensor_parallelism_stays_within_the_fast_link() -> None:
    assert max(values(space(*JOB, "nvlink.span=2"), "tp")) == 2  # type: ignore[type-var]


def test_a_fast_link_of_72_is_divided_evenly() -> None:
    wide = "llama(hidden=1152, layers=8, heads=48, ffn=1024, vocab=32000)"
    assert values(space("world=144", "gbs=144", "seq=9216", model=wide, system="gb200_nvl72"), "tp") == (
        *(1, 2, 3, 4, 6, 8),
        *(12, 24),
    )


def test_experts_are_spread_over_divisors_of_them() -> None:
    assert values(space(*JOB, model=EXPERTS), "ep") == (1, 2, 4, 8, 16)
    assert values(space(*JOB), "ep") == (None,)


@pytest.mark.parametrize(("layers", "chunks"), [(6, (1, 2, 3)), (9, (1, 3)), (10, (1, 2, 5)), (14, (1, 2, 7))])
def test_a_rank_has_as_many_chunks_as_its_layers_and_those_of_the_last_are_cut_into(
    layers: int, chunks: tuple[int, ...]
) -> None:
    """9 layers on two ranks in two chunks: 6 + 3, and 3 layers are no two chunks."""
    assert values(space(*JOB, model=SMALL.replace("layers=8", f"layers={layers}")), "vp") == chunks


def test_dispatchers_are_searched_with_experts_alone() -> None:
    assert values(space(*JOB, model=EXPERTS), "moe_dispatch") == ("all_to_all", "deepep", "hybridep")
    assert values(space(*JOB), "moe_dispatch") == (None,)


def test_context_parallelism_is_for_long_sequences() -> None:
    assert values(space(*JOB), "cp") == (None,)
    long = space("world=16", "gbs=64", "seq=32768")
    assert values(long, "cp") == (1, 2, 4, 8)
    assert values(long, "cp_comm") == ("ring", "a2a")


def test_regions_are_those_of_the_model() -> None:
    assert values(space(*JOB), "recompute") == (
        *("none", frozenset({"layernorm"}), frozenset({"layernorm", "mlp"})),
        "full",
    )
    assert frozenset({"layernorm", "moe_act"}) in values(space(*JOB, model=EXPERTS), "recompute")


def test_stages_that_do_not_divide_the_layers_have_fewer_on_the_last() -> None:
    odd = "llama(hidden=512, layers=61, heads=8, ffn=1024, vocab=32000)"
    found = space(*JOB, model=odd)
    assert values(found, "pp") == (1, 2, 4, 8, 16)
    assert values(found, "last_stage_layers") == (None, 30, 13, 5, 1)
    assert values(space(*JOB), "last_stage_layers") == (None,)


def test_every_number_of_stages_has_a_legal_placement() -> None:
    odd = "llama(hidden=512, layers=61, heads=8, ffn=1024, vocab=32000)"
    found = search(space(*JOB, "tp=1", "mbs=1", "recompute=none", model=odd), 10**4)
    assert {plan.choices["pp"] for plan in found.plans} == {1, 2, 4, 8, 16}


def test_a_sequence_that_tensor_parallelism_does_not_divide_is_not_spread() -> None:
    found = space("world=16", "gbs=64", "seq=4095")
    assert values(found, "sequence_parallel") == (False,)
    assert values(found, "tp") == (1, 2, 4)


def test_settings_replace_what_would_be_derived() -> None:
    found = space(*JOB, "tp=2", "recompute in {none, full}", "layers=4", "precision=fp8")
    assert values(found, "tp") == (2,)
    assert values(found, "recompute") == ("none", "full")
    assert found.model.dimensions["layers"] == 4
    assert max(values(found, "pp")) <= 4  # type: ignore[operator, type-var]
    assert values(found, "precision") == ("fp8",)


def test_a_setting_takes_what_hangs_on_it_along() -> None:
    assert values(space(*JOB, "recompute={layernorm}"), "recompute_layers") == (None,)
    assert values(space(*JOB, "pp=1"), "vp") == (None,)
    assert values(space(*JOB, "vp=1"), "overlap_p2p") == (None,)
    assert values(space(*JOB, "ep=1", model=EXPERTS), "moe_dispatch") == (None,)
    assert values(space(*JOB, "pp=3", "layers=8"), "last_stage_layers") == (None, 2)


def test_a_choice_that_is_set_to_none_is_not_searched() -> None:
    assert values(space(*JOB, "recompute_layers=none"), "recompute_layers") == (None,)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_framework_offers_a_space_with_a_plan(framework: str) -> None:
    assert (resources.root() / "strategies" / "frameworks" / f"{framework}.sym").is_file()
    assert search(space(*JOB, f"framework={framework}"), 1).plans


def test_what_is_printed_is_what_is_searched() -> None:
    found, derived = load_derived_space(EXPERTS, "h100_sxm", (*JOB, "tokens=1T", "price=2.5", "vp in {1, 2}"))
    again = load_space(EXPERTS, None, "h100_sxm", _settings(derived.text))
    assert again.axes == found.axes
    assert again.strategy.values == found.strategy.values
    assert space_text(found.strategy).splitlines()[1:] == [
        line.partition("  #")[0] for line in derived.text.splitlines()[1:]
    ]


def _settings(text: str) -> tuple[str, ...]:
    lines = [line.partition("  #")[0] for line in text.splitlines()]
    return tuple(line for line in lines if not line.startswith(("strategy ", "require ")))


def test_a_printed_space_is_a_strategy_file(tmp_path: Path) -> None:
    found, derived = load_derived_space(EXPERTS, "h100_sxm", JOB)
    path = tmp_path / "space.sym"
    path.write_text(derived.text, encoding="utf-8")
    again = load_space(EXPERTS, str(path), "h100_sxm")
    assert (again.axes, again.strategy.values) == (found.axes, found.strategy.values)
    assert [r.message for r in again.strategy.requires] == [r.message for r in found.strategy.requires]


def test_messages_between_stages_hide_with_virtual_chunks_alone() -> None:
    found = search(space(*JOB, "tp=1", "mbs=1", "recompute=none"), 10**4)
    assert all(plan.choices["vp"] > 1 for plan in found.plans if plan.choices["overlap_p2p"])  # type: ignore[operator]


def test_what_was_left_out_is_said() -> None:
    _, derived = load_derived_space("llama3_8b", "h100_sxm", ("world=64",))
    assert derived.notes == (
        "seq was left out: 8,192, the model's own context",
        "gbs was left out: 512, about 4.2 M tokens a step",
    )


def test_without_gpus_there_is_no_space() -> None:
    with pytest.raises(InputError, match="the GPUs of the job are not given"):
        space("gbs=64")


def test_a_derived_space_is_of_one_framework() -> None:
    with pytest.raises(InputError, match="of one framework"):
        space(*JOB, "framework in {megatron, fsdp}")


def test_the_best_simple_plan_evaluates_as_any_other() -> None:
    found = best_plan(SMALL, "h100_sxm", JOB)
    assert found.question is not None and found.text is not None
    named = question(SMALL, found.text, "h100_sxm")
    first, second = (answer(q.model, q.plan, machine_of(q)).values["time.iteration"] for q in (found.question, named))
    assert first == second


def test_where_no_plan_fits_the_nearest_is_shown_with_what_would_fit() -> None:
    found = best_plan("llama3_70b", "h100_sxm", ("world=1", "gbs=8", "seq=4096"))
    assert not found.feasible and found.question is not None
    assert any(note.startswith("it fits with memory.capacity = ") for note in found.notes)


def test_where_no_plan_is_legal_the_notes_say_what_would_be() -> None:
    found = best_plan("llama3_8b", "h100_sxm", ("world=512", "gbs=3", "seq=4096"))
    assert found.question is None
    assert any("gbs = 3" in note and "gbs = 512" in note for note in found.notes)


@pytest.mark.slow
def test_a_wrapped_configuration_has_a_space(tmp_path: Path) -> None:
    text = {
        **{"model_type": "gemma3_text", "hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 6},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 32000},
        **{"sliding_window": 1024, "max_position_embeddings": 8192},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "gemma3", "text_config": text}), encoding="utf-8")
    found, _ = load_derived_space(str(path), "h100_sxm", ("world=8",))
    assert found.strategy.values["seq"] == 8192
    assert search(found, 1).plans
