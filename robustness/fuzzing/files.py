"""Inputs whose hostile part is a file: models, strategies, machines, tables, configurations, cases."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fuzzing import vocabulary
from fuzzing.expressions import choices
from fuzzing.inputs import Input
from fuzzing.mutations import as_bytes, json_text, mutated, mutated_json
from fuzzing.sentences import DEEPEST, sentences, spliced
from symsim import resources
from symsim.emit.code import compile_scalar  # noqa: F401  (the part that is attacked is loaded before the clock runs)

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL_SYSTEM = """system box "a box"
gpus_per_node = 8
memory { capacity = 80 GiB }
hbm { bandwidth = 3 TB/s; efficiency = 0.9; latency = 3 us }
matmul { bf16 = 989 TFLOP/s; fp8 = 1979 TFLOP/s; efficiency = table("tables/matmul.csv") }
attention { efficiency = 0.5 }
nvlink { span = 8; bandwidth = 450 GB/s; all_reduce { efficiency = 0.8; latency = 6 us } }
network { bandwidth = 50 GB/s; all_reduce { efficiency = table("tables/ring.csv"); latency = 9 us } }
"""
SMALL_STRATEGY = """strategy small "eight GPUs"
world = 8; tp = 2; pp = 2
mbs = 1; gbs = 16; seq = 128
recompute = {core_attn, layernorm}
"""
MATMUL = (
    "# Share of the peak\nphase,m,k,n,efficiency\n"
    "forward,128,64,96,0.5\ninput_grad,128,96,64,0.4\nweight_grad,64,128,96,0.3\n"
)
RING = "# Share of the bandwidth\nranks,efficiency\n2,0.5\n4,0.7\n8,0.75\n"
TABLES = {"tables/matmul.csv": MATMUL.encode(), "tables/ring.csv": RING.encode()}
FAMILY = (
    "family mine(hidden, layers, heads, ffn, vocab, kv_heads = heads, head_dim = hidden / heads, tied = false,\n"
    "        bias = false, qkv_bias = bias, mlp_bias = bias, qk_norm = false, window = 0, norm = rms,\n"
    "        activation = swiglu, positions = rope, max_positions = 0, embedding_norm = false) {\n"
    "    embedding\n    repeat layers { decoder }\n    normalization\n    head(tied)\n}\n"
    "model small = mine(hidden = 64, layers = 4, heads = 4, ffn = 128, vocab = 256)\n"
)
JSON_FORMS = ("--json", "--json", "--json", "")


def _changed(draw: Random, kind: str, name: str, text: str) -> str:
    """A text with a part exchanged by the grammar, or changed letter by letter, or both."""
    known = vocabulary.texts(kind)
    if name in known and draw.random() < 0.6:
        text = spliced(draw, kind, name, text)
        return mutated(draw, text, 1) if draw.random() < 0.15 else text
    return mutated(draw, text)


def _ask(draw: Random, model: str, strategy: str, system: str | None) -> tuple[str, ...]:
    """A command about a plan: most often ``eval``."""
    with_system = ("-y", system) if system is not None else ()
    plan = ("-s", strategy, *with_system)
    command = draw.choices(("eval", "formula", "explain", "sensitivity", "check"), (60, 8, 2, 2, 28))[0]
    match command:
        case "formula":
            show = draw.choice(("memory", "params", "flops", "communication", "time", "all"))
            form = draw.choice(("text", "latex", "markdown", "python", "json"))
            return ("formula", model, *plan, "--show", show, "--format", form)
        case "check":
            files = [name for name in (model, strategy, system) if name is not None and name.endswith(".sym")]
            return ("check", *(files or ["small.sym"]))
    return (command, model, *plan, *((form,) if (form := draw.choice(JSON_FORMS)) else ()))


def model(draw: Random) -> Input:
    """A file with a model of one's own: a shipped one changed, a sentence of the grammar, or a small family changed."""
    chance = draw.random()
    if chance < 0.15:
        grammar = sentences("model")
        text = "\n".join(grammar.draw(draw, "_item", draw.randint(0, DEEPEST)) for _ in range(draw.randint(1, 3)))
        text = f"{text}\n{FAMILY}" if draw.random() < 0.5 else text
    elif chance < 0.5:
        name = draw.choice([n for n in vocabulary.texts("model") if n.startswith("families")])
        text = _changed(draw, "model", name, vocabulary.texts("model")[name])
        text += f"\nmodel small = {_call(draw, name)}\n"
    elif chance < 0.75:
        text = mutated(draw, FAMILY)
    else:
        name = draw.choice([n for n in vocabulary.texts("model") if n.startswith("models/")])
        text = _changed(draw, "model", name, vocabulary.texts("model")[name])
    strategy = ",".join(choices(draw)) if draw.random() < 0.3 else vocabulary.PLAN
    system = draw.choice((None, vocabulary.SYSTEM))
    files = {"small.sym": as_bytes(draw, text)}
    return Input("model", _ask(draw, "small.sym", strategy, system), files, plan=("small.sym", strategy, system, ()))


_CALLS = {
    "families/deepseek.sym": "deepseek(hidden=64, layers=4, heads=4, q_rank=16, kv_rank=16, nope_dim=16, rope_dim=8, "
    "value_dim=16, experts=8, topk=2, expert_ffn=32, shared_ffn=32, dense_layers=1, dense_ffn=128, vocab=256)",
    "families/gpt.sym": "gpt(hidden=64, layers=4, heads=4, ffn=256, vocab=256, max_positions=256)",
    "families/llama.sym": vocabulary.MODEL,
    "families/moe.sym": vocabulary.EXPERTS,
}


def _call(draw: Random, name: str) -> str:
    """A small model of the family of a file."""
    if name in _CALLS:
        return _CALLS[name]
    family = name.partition("/")[2].removesuffix(".sym")
    of_family = [n for n, t in vocabulary.texts("model").items() if f"= {family}(" in t]
    text = vocabulary.texts("model")[draw.choice(of_family)] if of_family else f"x = {vocabulary.MODEL}"
    return text.partition(" = ")[2]


def library(draw: Random) -> Input:
    """A file of the library changed, laid over the shipped one by a model that uses it."""
    name = draw.choice([n for n in vocabulary.texts("model") if n.startswith("library/")])
    text = _changed(draw, "model", name, vocabulary.texts("model")[name])
    call = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS, *_CALLS.values()))
    framework = draw.choice(("", "", ",framework=" + draw.choice(("megatron", "deepspeed", "nanotron", "fsdp"))))
    strategy = f"{vocabulary.PLAN}{framework}" + draw.choice(("", "", ",precision=fp8", ",zero=3", ",ep=2", ",cp=2"))
    system = draw.choice((None, vocabulary.SYSTEM))
    files = {"small.sym": as_bytes(draw, f"{text}\nmodel small = {call}\n")}
    return Input("library", _ask(draw, "small.sym", strategy, system), files, plan=("small.sym", strategy, system, ()))


def strategy(draw: Random) -> Input:
    """A file of a strategy or of a space."""
    chance = draw.random()
    if chance < 0.15:
        grammar = sentences("strategy")
        text = "\n".join(grammar.draw(draw, "_choice", draw.randint(2, DEEPEST)) for _ in range(draw.randint(1, 4)))
        text = f"{SMALL_STRATEGY}{text}\n"
    elif chance < 0.5:
        text = "strategy small\n" + "\n".join(c.replace("=", " = ", 1) for c in choices(draw)) + "\n"
    elif chance < 0.75:
        text = mutated(draw, SMALL_STRATEGY)
    else:
        name = draw.choice(tuple(vocabulary.texts("strategy")))
        text = _changed(draw, "strategy", name, vocabulary.texts("strategy")[name])
    small = (vocabulary.MODEL, vocabulary.EXPERTS)
    model = draw.choice(small if draw.random() < 0.9 else tuple(resources.shipped("models")))
    system = draw.choice((None, vocabulary.SYSTEM))
    files = {"small.sym": as_bytes(draw, text)}
    return Input("strategy", _ask(draw, model, "small.sym", system), files, plan=(model, "small.sym", system, ()))


def system(draw: Random) -> Input:
    """A file of a machine."""
    if draw.random() < 0.5:
        name = draw.choice(tuple(vocabulary.texts("system")))
        text = _changed(draw, "system", name, vocabulary.texts("system")[name])
    elif draw.random() < 0.3:
        entry = sentences("system").draw(draw, "_entry", draw.randint(3, DEEPEST))
        text = f"{SMALL_SYSTEM}{entry}\n"
    else:
        text = mutated(draw, SMALL_SYSTEM)
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    files = {"box.sym": as_bytes(draw, text), **TABLES}
    command = _ask(draw, model, vocabulary.PLAN, "box.sym")
    if draw.random() < 0.05:
        command = ("efficiency", "box.sym", "--json")
    return Input("system", command, files, plan=(model, vocabulary.PLAN, "box.sym", ()))


def table(draw: Random) -> Input:
    """A table of a machine."""
    content = {"tables/matmul.csv": MATMUL, "tables/ring.csv": RING}
    name = draw.choice(tuple(content))
    text = mutated(draw, content[name])
    if draw.random() < 0.1:
        text = text.replace("\n", "\r\n")
    files = {"box.sym": SMALL_SYSTEM.encode(), **TABLES, name: as_bytes(draw, text)}
    command = _ask(draw, vocabulary.MODEL, vocabulary.PLAN, "box.sym")
    if draw.random() < 0.1:
        command = ("efficiency", "box.sym", "--json", *(("--fit",) if draw.random() < 0.5 else ()))
    return Input("table", command, files, plan=(vocabulary.MODEL, vocabulary.PLAN, "box.sym", ()))


@cache
def _configurations() -> list[dict[str, Any]]:
    rows = json.loads((REPOSITORY / "tests/data/params_huggingface_small.json").read_text(encoding="utf-8"))
    return [row["config"] for row in rows]


def configuration(draw: Random) -> Input:
    """A Hugging Face config.json."""
    words = vocabulary.words_of_code("interop")
    document = mutated_json(draw, draw.choice(_configurations()), words)
    files = {"config.json": as_bytes(draw, json_text(draw, document))}
    system = draw.choice((None, vocabulary.SYSTEM))
    others: tuple[tuple[str, ...], ...] = (("import", "hf", "config.json"), ("check", "config.json"), ())
    command = draw.choice(others) or _ask(draw, "config.json", "world=1,gbs=1,seq=64", system)
    return Input("configuration", command, files, plan=("config.json", "world=1,gbs=1,seq=64", system, ()))


@cache
def _cases() -> list[dict[str, Any]]:
    return json.loads((REPOSITORY / "accuracy/cases.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


_MEASURED = (
    *("iteration_s", "tflops_per_gpu_full_attention", "peak_allocated_bytes", "stage_peak_allocated_bytes"),
    *("last_rank_peak_allocated_bytes", "last_rank_static_bytes", "peak_reserved_bytes", "device_used_bytes"),
)


def cases(draw: Random) -> Input:
    """A file of measured cases, for ``validate`` and ``calibrate``."""
    chosen = [dict(draw.choice(_cases())) for _ in range(draw.choice((1, 1, 1, 2)))]
    words = (*_MEASURED, *vocabulary.words_of_code("analysis/fitting"), *vocabulary.words())
    if draw.random() < 0.4:
        case = draw.choice(chosen)
        case["measured"] = {
            n: draw.choice((1, 2.5, [1, 2], 1e-320, 10**400, [5], 1e308)) for n in draw.sample(_MEASURED, 2)
        }
    document = mutated_json(draw, chosen, words)
    files = {"cases.json": as_bytes(draw, json_text(draw, document))}
    if draw.random() < 0.8:
        return Input(
            "cases", ("validate", "cases.json", *((form,) if (form := draw.choice(JSON_FORMS)) else ())), files
        )
    system = str(chosen[0].get("system", vocabulary.SYSTEM))
    figure = draw.choice(
        ("hbm.efficiency", "matmul.sustained", "nvlink.*.latency", "framework.launch", vocabulary.name(draw))
    )
    return Input("cases", ("calibrate", "cases.json", "-y", system, "--fit", figure, "--json"), files)
