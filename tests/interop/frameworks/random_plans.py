"""A plan written for another tool and read again."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from symsim.diagnostics import InputError, Source
from symsim.interop import formats
from symsim.interop.exports import Settled, export
from symsim.interop.foreign_file import read_foreign
from symsim.language.models import elaborate_model
from symsim.language.strategies import strategy_of
from symsim.loading.plan import plan
from symsim.loading.question import question
from symsim.loading.run_files import parts_of
from symsim.records.strategy import CHOICES

Values = dict[str, Any]

SHARED: dict[str, list[Any]] = {
    "tp": [1, 1, 2, 4, 8], "cp": [1, 1, 1, 2, 4], "mbs": [1, 2, 4], "microbatches": [1, 2, 8], "dp": [1, 2, 4, 16],
    "seq": [4096, 8192], "precision": ["bf16", "bf16", "fp16", "fp32"], "recompute": ["none", "full"],
    "overlap_grad_reduce": [False, True], "overlap_param_gather": [False, True],
}  # fmt: skip
"""Values that a random plan draws from, whatever the tool; dp is the data-parallel ranks."""

TOOLS: dict[str, dict[str, list[Any]]] = {
    "deepspeed": {
        "zero": [0, 1, 2, 3], "grad_dtype": ["bf16", "fp16", "fp32"], "offload": ["none", "none", "{optimizer}"],
        "optimizer": ["adam", "adam", "muon"], "sequence_parallel": [False], "vocab_multiple": [1],
        "framework": ["deepspeed"], "model": ["llama3_8b", "qwen3_0_6b"],
    },
    "accelerate": {
        "zero": [0, 2, 3], "offload": ["none", "none", "{optimizer, weights}"], "precision": ["bf16", "fp32", "fp8"],
        "optimizer": ["adam", "adam_8bit", "adafactor"], "sequence_parallel": [False], "vocab_multiple": [1],
        "cp_comm": ["all_gather", "ring"], "framework": ["fsdp"], "shards": [None, None, 1, 2],
        "model": ["llama3_8b", "qwen3_0_6b"],
    },
    "nanotron": {
        "zero": [0, 1], "pp": [1, 2, 4], "schedule": ["1f1b", "gpipe"], "grad_dtype": ["bf16", "fp32"],
        "sequence_parallel": [False, True], "vocab_multiple": [1, 128], "overlap_tp": [False, True],
        "cp_comm": ["ring"], "framework": ["nanotron"], "model": ["llama3_8b", "llama32_1b", "mixtral_8x7b"],
    },
    "torchtitan": {
        "zero": [0, 2, 3], "pp": [1, 1, 2, 4], "vp": [1, 2], "offload": ["none", "none", "{optimizer, weights}"],
        "precision": ["bf16", "fp32"], "sequence_parallel": [False, True], "vocab_multiple": [1],
        "cp_comm": ["all_gather"], "framework": ["torchtitan"], "shards": [None, None, 2],
        "cuda_graph": [False, True], "model": ["llama3_8b", "llama3_70b", "qwen3_14b", "gpt_oss_20b"],
    },
}  # fmt: skip
"""What a random plan of each tool draws from, besides or in place of what is shared."""


def random_plan(tool: str, random: Random) -> tuple[str, tuple[str, ...]]:
    """A model and the settings of a plan."""
    drawn = {name: random.choice(values) for name, values in {**SHARED, **TOOLS[tool]}.items()}
    model, dp, shards = drawn.pop("model"), drawn.pop("dp"), drawn.pop("shards", None)
    pp = drawn.get("pp", 1)
    drawn["world"] = dp * drawn["tp"] * drawn["cp"] * pp
    if shards is not None and dp % shards == 0 and drawn["zero"] != 0:
        drawn["zero_shard"] = dp // shards * drawn["cp"]
    if drawn["cp"] == 1:
        drawn.pop("cp_comm", None)
    if pp == 1:
        drawn.pop("vp", None)
        drawn.pop("schedule", None)
    return model, tuple(f"{name}={_text(value)}" for name, value in drawn.items())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def refusal(tool: str, model: str, settings: tuple[str, ...]) -> str:
    """The codes of what is wrong with a plan, or cannot be written; none where it can."""
    try:
        written(tool, model, settings)
    except InputError as problem:
        return ",".join(sorted({d.code for d in problem.diagnostics}))
    return ""


def written(tool: str, model: str, settings: tuple[str, ...]) -> tuple[Settled, Any]:
    """The plan, and what its export is."""
    asked = question(model, None, None, settings)
    settled = Settled(asked.model, asked.strategy_name, asked.plan.values, asked.plan.places)
    return settled, export(tool, settled)


def assert_same_plan(tool: str, model: str, settings: tuple[str, ...], folder: Path) -> None:
    """What is written and read is the plan, but for names that the export says it leaves out."""
    asked, made = written(tool, model, settings)
    files = []
    for k, part in enumerate(made.parts):
        files.append(folder / f"part{k}{part.suffix}")
        files[-1].write_text(part.text, encoding="utf-8")
    found = parts_of(Source("read", formats.translated([read_foreign(file) for file in files], tool).text))
    assert found.strategy is not None
    again = tuple(f"{n}={asked.values[n]}" for n in ("world", "seq") if n in made.left_out)
    read = plan(strategy_of(found.strategy, again)).values
    kept = [name for name in CHOICES if name not in made.left_out]
    assert {name: read[name] for name in kept} == {name: asked.values[name] for name in kept}
    if found.model is not None:
        own = elaborate_model(found.model).dimensions
        mine = {n: v for n, v in asked.model.dimensions.items() if n != "max_positions"}
        assert {n: own[n] for n in mine} == mine
