"""Error bars: from the errors of measured runs, wider for everything that is different."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from symsim.analysis.fitting.error_bar import Known, Learned, Table, bar_of, error_bar, learned, read, shipped
from symsim.analysis.fitting.plan_traits import DIFFERENCES, FIGURES, SIZES, differences, kind_of, traits_of
from symsim.loading.model_files import load_model, source_of
from symsim.loading.question import question
from tests.errors.case import run

PLAN = "tp=8,pp=4,world=128,gbs=128,seq=8192"
HERE = traits_of(question("llama3_70b", PLAN, "h100_sxm"))
NUMBERS = Learned(tuple(0.5 for _ in DIFFERENCES), 8.0, 4.0, 10.0, 2.0, 1.5, 0.9, 1.0)
LEFT_OUT = {"set": 0.0, "framework": 0.0, "system": 0.0, "experts": 0.0}


def known(error_pct: float, in_set: str = "a", **sizes: float) -> Known:
    """A run that differs from the plan in the logarithms of some sizes."""
    moved = tuple(s + sizes.get(n, 0.0) for n, s in zip(SIZES, HERE.sizes, strict=True))
    return Known("x", in_set, "g", error_pct, replace(HERE, sizes=moved), LEFT_OUT)


def pct(*runs: Known, numbers: Learned = NUMBERS) -> float:
    return bar_of(HERE, Table.of(runs), numbers).pct


def difference(name: str, settings: tuple[str, ...] = (), model: str = "llama3_70b", system: str = "h100_sxm") -> float:
    apart = differences(HERE, traits_of(question(model, PLAN, system, settings)))
    return apart[list(DIFFERENCES).index(name)]


@pytest.mark.parametrize(
    ("name", "settings", "by"),
    [
        ("seq", "seq=16384", 1),
        ("parallel", "tp=4", 1),
        ("batch", "mbs=2", 1),
        ("framework", "framework=nanotron", 1),
        ("precision", "precision=fp8", 1),
        ("precision", "precision=fp16", 0),
        ("choices", "recompute=full", 1),
        ("choices", "recompute={mlp}", 1),
        ("choices", "cuda_graph=true", 1),
        ("choices", 'framework_version="0.8.0"', 1),
        ("figures", "network.bandwidth=25 GB/s", 1),
        ("figures", "hbm.efficiency=0.5", 1),
        ("figures", "memory.capacity=96 GiB", 0),
    ],
)
def test_what_a_plan_and_a_run_may_differ_in(name: str, settings: str, by: float) -> None:
    assert difference(name, (settings,)) == pytest.approx(by)


def test_machines_and_kinds_of_model_differ() -> None:
    assert difference("system", system="b200") == 1
    assert difference("experts", model="mixtral_8x7b") == 1
    assert difference("family", model="mixtral_8x7b") == 1
    assert difference("figures", system="b200") > 1


def test_a_run_of_the_plan_itself_adds_only_what_repeated_runs_differ_by() -> None:
    assert pct(known(4)) == pytest.approx(math.hypot(4, 1.5))


def test_errors_count_alike_whatever_their_sign() -> None:
    assert pct(known(3), known(-4)) == pytest.approx(math.sqrt(12.5 + 1.5**2))


def test_a_difference_widens_the_bar() -> None:
    assert pct(known(4, seq=2)) == pytest.approx(math.sqrt(16 + 8**2 * 0.5 * 2 + 1.5**2 + (10 * 2) ** 2))
    assert pct(known(4), known(4, seq=-2)) < pct(known(4, seq=2), known(4, seq=-2))


def test_sizes_beyond_all_that_was_measured_widen_it_more_than_sizes_between() -> None:
    inside = pct(known(4, seq=2), known(4, seq=-2))
    assert pct(known(4, seq=2), known(4, seq=3)) > 1.5 * inside


def test_the_nearer_series_decides() -> None:
    assert pct(known(3), known(30, "b", seq=4)) < 2 * pct(known(3))
    assert pct(known(3, seq=4), known(30, "b")) > 25


def test_a_series_of_many_runs_counts_once() -> None:
    few = pct(known(3), known(12, "b"))
    assert pct(*[known(3)] * 20, known(12, "b")) == pytest.approx(few)


def test_constants_fitted_to_a_machine_are_the_tables_own() -> None:
    table = Table.of([replace(known(3), constants=9)])
    assert table.runs[0].traits.fitted == (1, 1)
    assert table.placed(HERE).fitted == (1, 1)
    assert table.placed(traits_of(question("llama3_70b", PLAN, "b200"))).fitted == (0, 1)


def test_rows_are_read_as_they_are_written() -> None:
    from symsim.report.error_bars import step_error_table

    table = shipped()
    assert table is not None
    again = Table.of(read(step_error_table(table.runs).splitlines()))
    assert [r.traits for r in again.runs] == [r.traits for r in table.runs]
    assert [r.error_pct for r in again.runs] == [r.error_pct for r in table.runs]


def test_the_shipped_table_is_whole() -> None:
    table = shipped()
    assert table is not None and learned() is not None
    assert len(table.runs) > 500
    assert len({r.id for r in table.runs}) == len(table.runs)
    assert {"megatron", "fsdp", "nanotron", "deepspeed", "torchtitan", "internevo"} <= {
        r.in_group("framework") for r in table.runs
    }


# What is said of a plan unlike any that was measured.


def told(model: str, system: str, *settings: str, plan: str = PLAN) -> tuple[float, str | None]:
    bar = error_bar(question(model, plan, system, settings))
    assert bar is not None
    return bar.pct, bar.incomparable


def test_a_plan_like_measured_ones_has_comparable_cases() -> None:
    pct, why = told("llama3_70b", "h100_sxm")
    assert why is None
    assert pct < 8


def test_a_made_up_chip_says_that_nobody_measured_it(tmp_path: Path) -> None:
    systems = Path(__file__).parents[2] / "systems"
    shutil.copytree(systems / "b200", tmp_path / "b200")
    chip = tmp_path / "my_chip.sym"
    text = (systems / "b300.sym").read_text(encoding="utf-8")
    chip.write_text(text.replace("system b300", "system my_chip"), encoding="utf-8")
    pct, why = told("llama3_70b", str(chip))
    assert why == "no measured run on my_chip"
    assert pct > 1.5 * told("llama3_70b", "h100_sxm")[0]


def test_a_network_set_to_a_fortieth_says_so() -> None:
    pct, why = told("llama3_70b", "h100_sxm", "network.bandwidth=1.25 GB/s")
    assert why == "no measured run on h100_sxm with network.bandwidth near 1.25 GB/s; the nearest had 50 GB/s"
    assert pct > 2 * told("llama3_70b", "h100_sxm")[0]


def test_experts_under_a_framework_without_them_say_so() -> None:
    plan = "world=64,ep=8,gbs=64,seq=4096,framework=fsdp,zero=3"
    pct, why = told("mixtral_8x7b", "h100_sxm", plan=plan)
    assert why == "no measured run of a model with experts in 16 bits under fsdp on h100_sxm"
    assert pct > 15


def test_a_figure_is_named_in_its_unit() -> None:
    _, why = told("llama3_70b", "h100_sxm", "matmul.bf16=200 TFLOP/s")
    assert why is not None and "matmul.bf16 near 200 TFLOP/s; the nearest had 989 TFLOP/s" in why


def test_what_is_different_at_the_nearest_run_is_named() -> None:
    bar = error_bar(question("llama3_70b", PLAN, "h100_sxm", ("network.bandwidth=1.25 GB/s",)))
    assert bar is not None
    assert any("network.bandwidth 50 GB/s → 1.25 GB/s" in text for text in bar.widened_by)
    assert len(FIGURES) == 4


def test_eval_says_what_the_bar_comes_from() -> None:
    shown = " ".join(run("eval", "llama3_70b", "-s", PLAN, "-y", "h100_sxm").out.split())
    assert " % (nearest measured: " in shown
    assert "(nearest measured: " not in run("eval", "llama3_70b", "-s", PLAN).out
    shown = " ".join(run("eval", "llama3_70b", "-s", PLAN, "-y", "h200_sxm").out.split())
    assert " %: no comparable case, no measured run on h200_sxm" in shown
    assert "machine " in shown.split("different there: ")[1]


def test_json_says_why() -> None:
    time = json.loads(run("eval", "llama3_70b", "-s", PLAN, "-y", "h200_sxm", "--json").out)["time"]
    assert time["comparable"] is False
    assert time["incomparable"] == "no measured run on h200_sxm"
    assert time["error_pct"] > 5
    assert time["widened_by"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("llama3_8b", "dense"),
        ("mixtral_8x7b", "moe"),
        ("mamba2_2_7b", "other mixers"),
        ("qwen3_next_80b_a3b", "other mixers, moe"),
    ],
)
def test_kind_of_a_model_is_its_experts_and_what_mixes_its_tokens(model: str, kind: str) -> None:
    assert kind_of(load_model(source_of(model), {})) == kind
