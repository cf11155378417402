"""What a search writes: the document, rows of plans, and the best plan as a file that ``eval`` answers alike."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.answer_json import document as eval_document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.requirements import unmet
from symsim.analysis.searching.saved_plan import strategy_text
from symsim.analysis.searching.search import Result, search
from symsim.analysis.searching.search_json import document
from symsim.analysis.searching.search_table import as_csv, as_parquet
from symsim.analysis.searching.space import load_space, with_goals
from symsim.diagnostics import InputError
from symsim.loading.question import question

CONTRACT = {"schema", "points", "legal", "feasible", "removed", "elapsed_s", "plans", "pareto"}
OF_A_PLAN = {"strategy", "iteration_s", "peak_bytes", "mfu"}

SPACES = {
    "shipped": ("llama3_70b", "search_1k", "h100_sxm", ()),
    "experts": (
        "mixtral_8x7b",
        "world=64,gbs=128,seq=4096,ep in {1,8},pp in {2,4},recompute={core_attn,moe_act},vp=2",
        "h200_sxm",
        ("moe_capacity in {none, 1.5}", "overlap_moe=true", "moe_imbalance in {1, 1.25}"),
    ),
    "machine": (
        "llama3_8b",
        "world=32,microbatches=8,seq=8192,tp in {1,2,4},nvlink.bandwidth in {225 GB/s, 0.45 TB/s},zero in {1,2,3}",
        "h100_sxm",
        ("layers=16", "network.bandwidth=12.3 GB/s", "positions=rope", 'te_version="2.8.0"'),
    ),
    "memory": ("llama3_8b", "world=32,gbs=64,seq=8192,tp in {1,2,4},zero in {0,1,2,3}", None, ()),
    "ends": (
        "llama3_8b",
        "world=64,pp=4,gbs=64,seq=4096,precision=fp8,optimizer=adam_bf16,recompute=full,tp in {1,2},"
        "first_stage_layers in {6,7},last_stage_layers in {none,7,8},recompute_layers in {none,1}",
        "h100_sxm",
        (),
    ),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    pareto = ("memory.peak", "flops.hardware_per_iteration")
    return {
        name: search(load_space(model, strategy, system, settings), 6, pareto)
        for name, (model, strategy, system, settings) in SPACES.items()
    }


@pytest.mark.parametrize("name", SPACES)
def test_the_document_has_every_field_of_the_contract(results: dict[str, Result], name: str) -> None:
    found = document(results[name])
    assert found["schema"] == "symsim.search/1"
    assert set(found) >= CONTRACT
    assert found["plans"] and all(set(plan) >= OF_A_PLAN for plan in found["plans"])
    assert json.loads(json.dumps(found)) == found


REQUIRED = ("memory", "requirement")


@pytest.mark.parametrize("name", SPACES)
def test_points_add_up(results: dict[str, Result], name: str) -> None:
    found = document(results[name])
    rules = sum(n for text, n in found["removed"].items() if found["kinds"][text] not in REQUIRED)
    required = sum(n for text, n in found["removed"].items() if found["kinds"][text] in REQUIRED)
    assert found["points"] == found["legal"] + rules
    assert found["legal"] == found["feasible"] + required


def test_what_removes_most_is_first(results: dict[str, Result]) -> None:
    counts = list(document(results["shipped"])["removed"].values())
    assert counts == sorted(counts, reverse=True) and len(counts) > 1


@pytest.mark.parametrize("name", SPACES)
def test_a_saved_plan_is_the_plan_to_eval(results: dict[str, Result], name: str, tmp_path: Path) -> None:
    model, _, system, _ = SPACES[name]
    result = results[name]
    plans = document(result)["plans"]
    for rank in (1, len(plans)):
        path = tmp_path / f"{rank}. best-plan.sym"
        path.write_text(strategy_text(result, rank, path.stem, "symsim search …"), encoding="utf-8")
        asked = question(model, str(path), system)
        machine = machine_of(asked)
        found = answer(asked.model, asked.plan, machine)
        assert not unmet(asked)
        evaluated = eval_document(asked, found, machine)
        expected = plans[rank - 1]
        assert evaluated["strategy"] == expected["strategy"]
        assert evaluated["memory"]["peak_bytes"] == expected["peak_bytes"]
        if system is not None:
            assert evaluated["time"]["iteration_s"] == expected["iteration_s"]
            assert evaluated["throughput"]["mfu"] == expected["mfu"]


def test_a_saved_plan_says_only_what_is_not_a_default(results: dict[str, Result]) -> None:
    lines = strategy_text(results["shipped"], 1, "best", "symsim search …").splitlines()
    assert lines[0].startswith("# Best of 960 plans, 73 of them feasible: minimize time.iteration")
    assert [line for line in lines if not line.startswith("#")] == [
        "strategy best",
        "world = 1024",
        "tp = 4",
        "pp = 4",
        "gbs = 2048",
        "seq = 8192",
        "require tp <= gpus_per_node",
    ]


def test_a_file_called_like_a_word_of_the_language_is_a_strategy(results: dict[str, Result]) -> None:
    for stem, name in (("require", "plan_require"), ("none", "none"), ("7b", "plan_7b"), ("a-b", "a_b")):
        assert f"strategy {name}" in strategy_text(results["shipped"], 1, stem, "").splitlines()


def rows_of(found: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(found).decode())))


def test_rows_are_the_plans_and_the_rest_of_the_front(results: dict[str, Result]) -> None:
    found = document(results["shipped"])
    rows = rows_of(found)
    assert [row["rank"] for row in rows[:6]] == ["1", "2", "3", "4", "5", "6"]
    assert {row["rank"] for row in rows[6:]} <= {""}
    assert sum(row["on_front"] == "True" for row in rows) == len(found["pareto"])
    assert [float(row["iteration_s"]) for row in rows[:6]] == [plan["iteration_s"] for plan in found["plans"]]
    assert rows[1]["recompute"] == "core_attn+layernorm"


def test_searched_figures_have_columns(results: dict[str, Result]) -> None:
    rows = rows_of(document(results["machine"]))
    assert {float(row["nvlink.bandwidth"]) for row in rows} <= {225e9, 450e9}


def test_parquet_has_the_same_rows(results: dict[str, Result]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for result in results.values():
        found = document(result)
        table = parquet.read_table(io.BytesIO(as_parquet(found))).to_pylist()
        rows = rows_of(found)
        assert len(table) == len(rows)
        assert [list(row) for row in table[:1]] == [list(row) for row in rows[:1]]
        for written, text in zip(table, rows, strict=True):
            assert {n for n, v in written.items() if v is None} == {n for n, v in text.items() if v == ""}
            assert written["peak_bytes"] == float(text["peak_bytes"])


def test_a_goal_of_the_command_line_wins() -> None:
    space = load_space("llama3_70b", "search_1k", "h100_sxm")
    found = search(with_goals(space, "maximize", "pp * tp", ["mbs == 2", "memory.peak < 50 GiB"]), 1)
    assert found.objective.goal == "maximize"
    assert found.plans[0].choices["mbs"] == 2
    assert found.plans[0].objective == 128
    assert {"mbs == 2", "memory.peak < 50 GiB"} <= set(found.removed)


def test_requirements_of_a_machine_are_left_out_without_one() -> None:
    found = search(with_goals(load_space("llama3_70b", "search_1k", None), "minimize", "memory.peak", []), 1)
    assert found.feasible == found.legal
    assert document(found)["plans"][0]["iteration_s"] is None


def test_an_objective_of_a_machine_needs_one() -> None:
    with pytest.raises(InputError) as raised:
        search(load_space("llama3_70b", "search_1k", None))
    assert raised.value.diagnostics[0].code == "E343"


def test_bandwidths_are_searched_under_the_name_of_the_link() -> None:
    text = "world=8,gbs=64,seq=2048,tp=8,{} in {{300 GB/s, 450 GB/s}}"
    ours, theirs = (
        search(load_space("llama3_8b", text.format(name), "h100_sxm"))
        for name in ("nvlink.bandwidth", "link.bandwidth")
    )
    assert [p.objective for p in ours.plans] == [p.objective for p in theirs.plans]
    assert ours.plans[0].objective < ours.plans[1].objective
