"""The pages say what is so: their files parse, and their tables are current."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import generate
import page_outputs
import pytest

from symsim import resources
from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.fitting.error_bar import shipped
from symsim.loading.checking import check_file
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def page(name: str) -> str:
    return page_of(ROOT / "docs" / name)


def test_the_page_of_formulas_is_what_the_compiler_derives() -> None:
    assert generate.formulas_page() == page("formulas.md"), "run: python docs/generate.py"


def test_every_file_in_the_language_page_checks() -> None:
    text = page("language.md")
    sources = [block for block in page_outputs.blocks(text) if block.language == "sym"]
    assert len(sources) >= 10
    with page_outputs.scratch(text):
        for block in sources:
            Path("block.sym").write_text(block.text, encoding="utf-8")
            assert check_file(Path("block.sym")), block.text


def test_library_blocks_are_quoted_as_they_stand() -> None:
    library = (ROOT / "models" / "library" / "linear.sym").read_text(encoding="utf-8")
    quoted = [b.text for b in page_outputs.blocks(page("language.md")) if b.text.startswith("operator row_linear")]
    assert quoted and all(text in library for text in quoted)


def test_links_between_pages_lead_somewhere() -> None:
    for path in PAGES:
        for target, anchor in re.findall(r"\]\(([\w./-]+\.md)?(#[\w-]+)?\)", page_of(path)):
            file = path.parent / target if target else path
            assert file.exists(), f"{path.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", page_of(file), re.MULTILINE)
                known = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
                assert anchor[1:] in known, f"{path.name}: {target}{anchor}"


# strategy.md

ROWS = {
    match[1]: [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", match[0])[1:-1]]
    for match in re.finditer(r"^\| `(\w+)` \|.*\|$", page("strategy.md").partition("## Names of")[0], re.MULTILINE)
}
ASKED = {
    "llama3_8b": "world=16,tp=2,cp=2,pp=2,gbs=64,seq=4096",
    "mixtral_8x7b": "world=16,tp=2,pp=2,ep=2,gbs=64,seq=4096",
}


def test_the_strategy_page_lists_every_choice_once() -> None:
    assert sorted(ROWS) == sorted(CHOICES)


@pytest.mark.parametrize("name", CHOICES)
def test_the_strategy_page_states_values_and_default(name: str) -> None:
    choice, row = CHOICES[name], ROWS[name]
    words = list(choice.words) or (["true", "false"] if choice.kind == "flag" else [])
    assert set(words) <= set(re.findall(r"`([^`]+)`", row[1]))
    default = row[1] if len(row) == 4 else row[2]
    if isinstance(choice.default, bool):
        assert default == f"`{str(choice.default).lower()}`"
    elif choice.default is not None:
        assert default.strip("`") == str(choice.default)


@cache
def values_of(model: str, *settings: str) -> dict[str, Any]:
    asked = question(model, ASKED[model], "b200", settings)
    assert asked.system is not None
    machine = machine_of(asked)
    return dict(answer(asked.model, asked.plan, machine).values)


TOGETHER = {
    ("recompute_method", "uniform"): ("recompute=full",),
    ("fp8_params", "true"): ("precision=mxfp8",),
    ("cp_comm", "a2a_ring"): ("cp_a2a=2",),
    ("cross_entropy_fusion_impl", "native"): ("fused_cross_entropy=true",),
    ("overlap_moe_expert_parallel_comm", "true"): ("ep=2", "vp=2"),
    ("first_last_layers_bf16", "true"): ("precision=fp8",),
    ("distribute_saved_activations", "true"): ("recompute=full", "sequence_parallel=false"),
    ("delay_wgrad_compute", "true"): ("overlap_moe_expert_parallel_comm=true", "ep=2", "vp=2"),
    ("trainable", "none"): ("lora_rank=8",),
    ("packed", "false"): ("lengths=[repeat 3 512, 2048]",),
}
"""Values that have a meaning with another choice alone."""


def _values_with_formulas() -> list[tuple[str, str]]:
    """Values that the page does not refuse."""
    found = []
    for name, choice in CHOICES.items():
        words = list(choice.words) or (["true", "false"] if choice.kind == "flag" else [])
        left_out = re.findall(r"`([^`]+)`", ROWS[name][-1]) if ROWS[name][-1].startswith("refused") else []
        found += [(name, word) for word in words if word not in left_out]
    return found


@pytest.mark.parametrize(("name", "value"), _values_with_formulas())
def test_every_other_value_has_formulas(name: str, value: str) -> None:
    settings = [f"{name}={value}", *TOGETHER.get((name, value), ())]
    if name.endswith("_in_split") and value == "true":
        settings.append("layers=31")
    assert values_of("llama3_8b", *settings)["time.iteration"] > 0


# eval.md


def _fields(answered: Any, path: str = "") -> set[str]:
    if isinstance(answered, dict) and path not in ("strategy", "memory.unmeasured"):
        return set().union(*(_fields(v, f"{path}.{k}" if path else k) for k, v in answered.items()))
    if isinstance(answered, list) and answered and isinstance(answered[0], dict):
        return _fields(answered[0], f"{path}[]")
    return {path}


EVERY_ITEM = (
    "recompute=full",
    "trainable={moe}",
    "lengths=[512, 2048]",
    "packing_fill=0.9",
    "framework=nanotron",
    "tokens=1T",
    "price=2",
)
"""Choices under which a step has every item of its breakdown, and a run every figure."""


def test_the_eval_page_lists_every_field() -> None:
    asked = question("mixtral_8x7b", ASKED["mixtral_8x7b"], "b200", EVERY_ITEM)
    assert asked.system is not None
    machine = machine_of(asked)
    fields = _fields(document(asked, answer(asked.model, asked.plan, machine), machine))
    listed = set(re.findall(r"^\| `([\w.\[\]]+)` \|", page("eval.md"), re.MULTILINE))
    assert listed - fields == {"strategy.dp", "strategy.edp", "strategy.microbatches"} | (
        {"time.breakdown.context_parallel"} - fields
    )
    assert fields - listed == set()


def test_the_eval_page_names_definitions_that_exist() -> None:
    values = values_of("mixtral_8x7b", *EVERY_ITEM)
    named = re.findall(r"^\| `[\w.\[\]]+` \| `([\w.]+)` \|", page("eval.md"), re.MULTILINE)
    assert set(named) - set(values) == {"memory.capacity"}


# tasks.md and README.md


def test_ten_tasks_take_at_most_three_commands_each() -> None:
    tasks = re.split(r"^## \d+\. ", page("tasks.md"), flags=re.MULTILINE)[1:]
    counts = [sum(len(block.commands) for block in page_outputs.blocks(task)) for task in tasks]
    assert len(tasks) == 10
    assert all(1 <= count <= 3 for count in counts), counts


def test_the_index_links_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w.]+\.md)", page("index.md")))
    assert linked == {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}


def test_the_readme_is_short() -> None:
    assert len(page_of(ROOT / "README.md").splitlines()) <= 120


def test_the_page_of_machines_says_of_each_whether_a_step_was_timed_there() -> None:
    table = shipped()
    assert table is not None
    timed = {run.traits.words[0] for run in table.runs}
    rows = re.findall(r"^\| (.*?) \| (yes|no) \|", page("machines.md"), re.MULTILINE)
    said = {name: answer == "yes" for names, answer in rows for name in re.findall(r"`(\w+)`", names)}
    assert said == {name: name in timed for name in resources.shipped("systems")}
