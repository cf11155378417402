"""The commands as a user runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from symsim.cli.main import COMMANDS
from tests.cli.running import run

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    "arguments",
    [
        ("formula", "llama3_70b", "--show", "memory"),
        ("formula", "llama3_70b", "--show", "params", "--keep", "hidden,layers,heads,kv_heads,head_dim,ffn,vocab"),
        ("formula", "mixtral_8x7b", "--show", "memory", "--per", "layer", "--format", "latex"),
        ("formula", "gpt3_175b", "--show", "memory", "--per", "operator", "-s", "attention=unfused,dropout=true"),
        ("formula", "deepseek_v3", "--show", "communication"),
        ("formula", "llama32_1b", "--show", "flops", "--per", "total", "--format", "python"),
        ("eval", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm"),
        ("explain", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm"),
        ("explain", "deepseek_v3", "-s", "deepseek_v3_2048", "--stage", "15"),
        ("explain", "deepseek_v3", "-s", "deepseek_v3_2048", "-y", "h100_sxm", "--of", "time"),
        ("explain", "mixtral_8x7b", "-s", "moe_ep8", "-y", "a100_sxm_40g", "--lower"),
        ("sensitivity", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm"),
        ("sensitivity", "mixtral_8x7b", "-s", "moe_ep8", "-y", "a100_pcie", "--with-respect-to", "sizes,hidden,sms"),
        ("sensitivity", "llama3_70b", "-s", "tp8_pp4", "--of", "memory.peak"),
        ("compare", "llama3_70b", "-s", "tp8_pp4", "-s", "world=128,tp=4,pp=8,gbs=128,seq=8192,recompute=full",
         "-y", "h100_sxm"),
        ("compare", "mixtral_8x7b", "-s", "moe_ep8", "-y", "h100_sxm", "-y", "b200", "--of", "throughput.mfu"),
        ("list", "systems"),
        ("solve", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", "--for", "mbs"),
        ("solve", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", "--for", "nvlink.bandwidth",
         "--subject-to", "time.iteration <= 9.5 s"),
        ("solve", "gpt3_175b", "-s", "full_recompute_tp8_pp8", "-y", "a100_sxm", "--for", "hidden", "--json"),
        ("solve", "llama3_70b", "-s", "tp8_pp4", "-s", "tp=4,pp=8,world=128,gbs=128,seq=8192", "-y", "h100_sxm",
         "--for", "gbs"),
    ],
    ids=lambda a: "-".join(a).replace("--", "").replace(",", "+"),
)  # fmt: skip
def test_prints_what_it_printed(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Golden files; ``SYMSIM_REFRESH_GOLDEN=1 pytest`` writes them anew."""
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    plain = re.sub(r"[<>= ]+", "_", "-".join(arguments).replace("--", "").replace(",", "+"))
    path = GOLDEN / f"{plain}.txt"
    if os.environ.get("SYMSIM_REFRESH_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(out, encoding="utf-8")
    assert out == path.read_text(encoding="utf-8")


def test_eval_json_has_every_field_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    plan = "world=64,pp=2,ep=8,gbs=64,seq=4096,first_stage_layers=30"
    status, out, _ = run(capsys, "eval", "deepseek_v3", "-s", plan, "-y", "b200", "--json")
    answer: dict[str, Any] = json.loads(out)
    assert status == 1 and answer["memory"]["fits"] is False
    assert answer["schema"] == "symsim.eval/1"
    assert answer["model"] == {"name": "deepseek_v3", "parameters": 671026404352, "active_parameters": 37552282624}
    assert {"dp", "edp", "microbatches", "tp", "recompute", "schedule"} <= set(answer["strategy"])
    assert set(answer["parameters"]["stages"][0]) == {"dense", "expert"}
    flops = {f"{n}_per_iteration" for n in ("model", "causal", "megatron", "recomputed", "hardware")}
    assert set(answer["flops"]) == {"forward_per_token", *flops}
    memory = {"weights", "gradients", "optimizer", "activations", "workspace", "overhead", "peak", "device"}
    assert all(set(stage) == memory for stage in answer["memory"]["stages"])
    parts = {"breakdown", "bubble_share", "pacing_stage", "stages"}
    bar = {"error_pct", "nearest_cases", "comparable", "incomparable", "widened_by"}
    assert set(answer["time"]) == {"iteration_s", *bar, *parts}
    assert sum(answer["time"]["breakdown"].values()) == pytest.approx(answer["time"]["iteration_s"], rel=1e-12)
    assert set(answer["time"]["stages"][0]) == {"forward_s", "backward_s"}
    rates = {f"{n}_tflops_per_gpu{c}" for n in ("model", "recompute") for c in ("", "_causal")}
    shares = {"mfu", "mfu_causal", "mfu_megatron", "hfu_recompute", "hfu_recompute_causal", "hfu"}
    tokens = {"tokens_per_s", "tokens_per_s_per_gpu"}
    assert set(answer["throughput"]) == rates | shares | tokens | {
        "megatron_tflops_per_gpu",
        "hardware_tflops_per_gpu",
        "peak",
    }
    assert answer["throughput"]["peak"] == {"precision": "bf16", "tflops": 2250.0}


def test_without_a_machine_time_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eval", "llama3_8b", "-s", "world=8,tp=8,gbs=8,seq=4096", "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["system"] is None and answer["time"] is None and answer["throughput"] is None
    assert answer["memory"]["capacity_bytes"] is None and answer["memory"]["fits"] is None


def test_a_plan_that_does_not_fit_ends_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eval", "llama3_70b", "-s", "world=8,tp=8,gbs=8,seq=8192", "-y", "h100_sxm")
    assert status == 1
    assert out.startswith("Does not fit: the device needs ")


def test_a_requirement_of_the_strategy_that_is_not_met_ends_with_status_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 16; tp = 16; gbs = 16; seq = 1024\nrequire tp <= gpus_per_node\n")
    status, out, _ = run(capsys, "eval", "llama2_7b", "-s", str(path), "-y", "h100_sxm", "--json")
    assert status == 1
    assert json.loads(out)["warnings"] == [
        "a requirement of the strategy is broken: tp = 16 is more than gpus_per_node = 8"
    ]
    status, out, _ = run(capsys, "eval", "llama2_7b", "-s", str(path), "--set", "tp=8", "-y", "h100_sxm", "--json")
    assert status == 0


def test_the_peak_names_the_operator_that_binds(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "eval", "llama3_8b", "-s", "world=8,gbs=8,seq=4096", "--json")
    assert json.loads(out)["memory"]["peak_moment"] == "head.loss forward, 1 micro-batch in flight"


def test_explain_json_has_every_field_of_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    plan = "world=8,pp=2,gbs=64,seq=16384"
    status, out, _ = run(capsys, "explain", "llama3_8b", "-s", plan, "-y", "h100_sxm", "--lower", "--json")
    answer: dict[str, Any] = json.loads(out)
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    assert status == 1 and answer["memory"]["fits"] is False
    assert answer["schema"] == "symsim.explain/1"
    assert {"model", "strategy", "system", "assumptions", "warnings"} <= set(answer)
    assert {f"`lower[].{field}`" for field in answer["lower"][0]} <= set(page.split())
    named = set(re.findall(r"`((?:repairs|constraints)[\w.\[\]]*)`", page))
    assert answer["repairs"]["lacking"] == ["memory.device <= memory.capacity"] and answer["repairs"]["single"]
    assert {f"repairs.{field}" for field in answer["repairs"]} <= {n.removesuffix("[]") for n in named}
    assert {f"repairs.single[].{field}" for field in answer["repairs"]["single"][0]} <= named
    assert {f"constraints[].{field}" for field in answer["constraints"][0]} <= named
    memory = answer["memory"]
    assert sum(item["bytes"] for item in memory["alive"]) == pytest.approx(memory["peak_bytes"], rel=1e-12)
    inner = {"alive": memory["alive"][0], "next": memory["next"], "moments": memory["moments"][0]}
    inner["stages"] = memory["stages"][0]
    documented = set(re.findall(r"`memory\.([\w.\[\]]+)`", page))
    assert set(memory) <= {field.removesuffix("[]") for field in documented}
    assert set(_fields(answer["time"], "time")) <= set(re.findall(r"`(time\.[\w.\[\]]+)`", page))
    for name, item in inner.items():
        mark = "" if name == "next" else "[]"
        assert {f"{name}{mark}.{field}" for field in item} <= documented


def test_explain_json_says_what_makes_a_plan_faster(capsys: pytest.CaptureFixture[str]) -> None:
    plan = ("llama3_8b", "-s", "world=16,tp=2,pp=2,gbs=64,seq=4096", "-y", "h100_sxm", "--of", "time")
    status, out, _ = run(capsys, "explain", *plan, "--faster", "--json")
    speedups = json.loads(out)["speedups"]
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    named = {n.removesuffix("[]") for n in re.findall(r"`(speedups[\w.\[\]]*)`", page)}
    assert status == 0 and speedups["thorough"]
    assert {f"speedups.{field}" for field in speedups} <= named | {"speedups.unhidden"}
    assert {f"speedups.unhidden[].{field}" for field in speedups["unhidden"][0]} <= named
    assert speedups["single"][0]["slower"] < 0 and speedups["single"][0]["lacking"] == []
    assert json.loads(run(capsys, "explain", *plan, "--json")[1])["speedups"]["thorough"] is False


def test_explain_names_the_time_that_is_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "explain", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", "--of", "time")
    told = " ".join(out.split())
    assert re.search(r"gradient reduction, not 151.7 ms 1.5% overlap_grad_reduce=true -1.4% overlapped", told)
    assert "--faster tries all choices, and pairs" in told


def _fields(value: Any, name: str) -> Iterator[str]:
    """Every field of a document by its path; those of the first of a list's items that has them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, f"{name}.{key}")
    elif isinstance(value, list):
        whole = {key: inner for item in value for key, inner in item.items() if inner is not None}
        yield from _fields(whole, f"{name}[]")
    else:
        yield name


def test_sensitivity_json_has_every_field_of_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    plan = ("sensitivity", "mixtral_8x7b", "-s", "moe_ep8", "-y", "a100_pcie")
    status, out, err = run(capsys, *plan, "--with-respect-to", "ep,hbm.bandwidth", "--json")
    answer: dict[str, Any] = json.loads(out)
    page = (Path(__file__).parents[2] / "docs" / "sensitivity.md").read_text(encoding="utf-8")
    assert (status, err, answer["schema"]) == (0, "", "symsim.sensitivity/1")
    shared = {"schema", "model", "strategy", "system", "assumptions", "warnings"}
    assert shared < set(answer)
    fields = {f for name in set(answer) - shared for f in _fields(answer[name], name)}
    documented = set(re.findall(r"^\| `([\w.\[\]]+)` \|", page, re.MULTILINE))
    assert {f for f in fields if ".next.above." not in f} <= documented
    assert answer["partials"][0]["switches"]


def test_explain_offers_what_mends_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    plan = ("llama3_8b", "-s", "world=8,pp=2,gbs=64,seq=16384", "-y", "h100_sxm")
    status, out, _ = run(capsys, "explain", *plan, "--of", "memory")
    assert status == 1
    assert "repair cheapest: " in out and "bound, the nearest first" in out
    assert "shows the cheapest change that fits" in run(capsys, "eval", *plan)[1]


def test_compare_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    plans = ("-s", "world=8,tp=2,gbs=64,seq=4096", "-s", "world=8,tp=8,gbs=64,seq=4096")
    status, out, err = run(capsys, "compare", "llama3_8b", *plans, "-y", "h100_sxm", "--json", "--of", "throughput.mfu")
    answer = json.loads(out)
    assert (status, err, answer["schema"]) == (0, "", "symsim.compare/1")
    assert [d["name"] for d in answer["differences"]] == ["time.iteration", "memory.peak", "throughput.mfu"]
    assert answer["differs"][0] == {"name": "tp", "a": 2, "b": 8}


def test_solve_json_has_every_field_of_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "solve.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([\w.]+)(?:\[\])?`", page))
    plan = ("solve", "llama3_8b", "-y", "h100_sxm", "-s", "world=8,tp=2,mbs=1,gbs=64,seq=8192")
    status, out, _ = run(capsys, *plan, "--for", "seq", "--json")
    answer = json.loads(out)
    assert (status, answer["schema"], answer["outcome"]) == (0, "symsim.solve/1", "found")
    inner = (answer, answer["next"], answer["constraints"][0], answer["closed_form"])
    assert {field for part in inner for field in part} <= documented | {"schema", "model", "strategy", "system"}
    assert answer["next"]["broken"] == ["memory.device <= memory.capacity"]
    status, out, _ = run(capsys, *plan, "-s", "world=8,tp=4,mbs=1,gbs=64,seq=8192", "--for", "gbs", "--json")
    even = json.loads(out)
    assert (status, even["schema"]) == (0, "symsim.break_even/1")
    assert set(even) <= documented | {"schema", "model", "strategy", "system"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "mbs", "--subject-to", "time.iteration <= 1 ms"), "fails by"),
        (("--for", "world", "--from", "65", "--to", "79"), "makes a legal plan"),
        (("--for", "gbs"), "there is no largest gbs: the conditions hold"),
        (("--for", "nvlink.bandwidth"), "there is no smallest link.bandwidth: the conditions do not depend on it"),
    ],
)
def test_a_question_without_an_answer_ends_with_status_1(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    plan = ("solve", "llama3_8b", "-y", "h100_sxm", "-s", "world=8,tp=2,mbs=1,gbs=64,seq=8192")
    status, out, err = run(capsys, *plan, *arguments)
    assert (status, err) == (1, "")
    assert said in out


def test_explain_of_time_alone_says_nothing_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    plan = ("explain", "llama3_8b", "-s", "world=8,tp=2,gbs=8,seq=4096", "-y", "h100_sxm", "--of")
    assert "alive then" not in run(capsys, *plan, "time")[1]
    assert "a tenth more of" not in run(capsys, *plan, "memory")[1]
    assert {"alive then", "a tenth more of"} <= {line[:16].strip() for line in run(capsys, *plan, "all")[1].split("\n")}


def test_explain_of_a_plan_that_does_not_fit_ends_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "explain", "llama3_70b", "-s", "world=8,tp=8,gbs=8,seq=8192", "-y", "h100_sxm")
    assert status == 1
    assert re.search(r"device [\d.]+ GiB: [\d.]+% of 80.00 GiB, [\d.]+ \w+ too much", " ".join(out.split()))


def test_few_cases_are_listed_one_by_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of a list every stage, with the numbers of which the error is made."""
    plan = {"pp": 2, "world": 2, "gbs": 8, "seq": 4096}
    case = {"id": "a", "set": "s", "model": "llama32_1b", "strategy": plan}
    measured = {"stage_peak_allocated_bytes": [2**34, 2**34], "iteration_s": 2.5}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps([{**case, "measured": measured, "system": "h100_sxm"}]))
    status, printed, _ = run(capsys, "validate", str(path))
    assert status == 0
    assert "stage_peak_allocated_bytes of 1" in printed
    assert "16.00 GiB" in printed and "2.5 s" in printed
    path.write_text(json.dumps([{**case, "id": str(k), "measured": {}} for k in range(21)]))
    assert "predicted" not in run(capsys, "validate", str(path))[1]


def test_set_overrides_model_strategy_and_machine(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--set", "layers=12", "--set", "tp=4", "--set", "network.bandwidth=12.5 GB/s", "--json")
    _, out, _ = run(capsys, "eval", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", *settings)
    changed = json.loads(out)
    _, out, _ = run(capsys, "eval", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", *settings[:4], "--json")
    faster = json.loads(out)
    assert changed["strategy"]["tp"] == 4 and changed["strategy"]["dp"] == 8
    assert changed["model"]["parameters"] < 14e9
    assert changed["time"]["iteration_s"] > faster["time"]["iteration_s"]


def test_a_size_that_is_set_is_put_into_the_formula(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "formula", "llama3_70b", "--show", "params", "--set", "tp=8")
    assert "/tp" not in out and "tp·" not in out
    assert "106 971 136" in out


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert "Usage: " in out and len(out.splitlines()) > 6


@pytest.mark.parametrize("kind", ["models", "strategies", "systems", "library"])
def test_lists_are_also_json(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    status, out, _ = run(capsys, "list", kind, "--json")
    assert status == 0
    assert all(row for row in json.loads(out))


def test_a_list_of_models_has_total_and_active_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "models")
    row = next(line for line in out.splitlines() if line.startswith("deepseek_v3 "))
    assert row.split()[-4:] == ["G", "37.55", "G", "61"]
    _, out, _ = run(capsys, "list", "models", "--json")
    found = {model["name"]: model for model in json.loads(out)}["deepseek_v3"]
    assert (found["parameters"], found["active"]) == (671_026_404_352, 37_552_282_624)


def test_models_are_listed_with_their_numbers_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "models", "--json")
    names = [model["name"] for model in json.loads(out) if model["name"].startswith("llama3_")]
    assert names == ["llama3_8b", "llama3_70b", "llama3_405b"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    status, out, _ = run(capsys, "completion", shell)
    assert status == 0
    assert "_SYMSIM_COMPLETE" in out


def test_completion_knows_the_shipped_names() -> None:
    environment = {
        **os.environ,
        "_SYMSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": "symsim eval llama3_7",
        "COMP_CWORD": "2",
    }
    code = "from symsim.cli.main import cli; cli.main(prog_name='symsim')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,llama3_70b"]


@pytest.mark.parametrize("command", ["eval", "explain", "sensitivity"])
def test_a_warm_evaluation_imports_neither_sympy_nor_numpy(command: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['symsim', '{command}', 'llama3_70b', '-s', 'tp8_pp4', '-y', 'h100_sxm']\n"
        "from symsim.cli.main import main\n"
        "try: main()\n"
        "finally: print([m for m in ('sympy', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    environment = {**os.environ, "SYMSIM_CACHE": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert "sympy" in runs[0].stderr
    assert runs[1].stderr.strip() == "[]"
    assert runs[0].stdout == runs[1].stdout


def test_importing_symsim_imports_nothing_heavy() -> None:
    code = "import sys, symsim; print([m for m in ('sympy', 'numpy', 'lark', 'click', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_works_from_any_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "symsim", "list", "models"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "llama3_70b" in done.stdout
