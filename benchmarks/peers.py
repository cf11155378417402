"""Evaluations a second of public tools beside those of symsim, in one run on one core.

Run: python benchmarks/peers.py [--calculon FOLDER] [--simumax FOLDER] [--megatron FOLDER] [--seconds S] [--json]

A FOLDER is a checkout of the tool. Each tool evaluates a model of its own examples on one mesh as often as it can in
some seconds, in a process of its own; symsim evaluates the same mesh, and in another column the
legal points of a grid around it (the sweep alone, see clock.Compiled). The tools answer different questions, in
different depth: a ratio of rates says how long a search takes, not which model is better. What is not given is not
measured: then the script says how to get the tool, and what was measured before, by whom.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clock import as_json, machine, rate, shown, sweep_alone


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: where it comes from, the same question to symsim, and what was said of its speed before."""

    name: str
    source: str
    install: str
    question: tuple[str, str]
    before: str


LLAMA = ("llama3_8b", "world=8,tp=1,pp=2,mbs=1,gbs=32,seq=4096,zero=1")

SYSTEM = "a100_sxm"

GRIDS = {
    "megatron_1t": "world=3072,gbs=3072,seq=2048,zero=1,recompute=full,tp in {1,2,4,8},pp in {1,2,4,8,16,32,64,128},"
    "mbs in {1,2,3,4,6,8,12},zero_shard in {1,2,3,4,6,8,12},recompute_layers in 1..128",
    "llama3_8b": "world=1024,gbs=4096,seq=4096,zero=1,recompute=full,tp in {1,2,4,8},pp in {1,2,4,8,16,32},"
    "mbs in {1,2,4,8,16,32},zero_shard in {1,2,4,8,16,32,64,128},recompute_layers in 1..32,cp in {1,2,4,8}",
}
"""What a grid search of the model goes through, for the rate of its points."""

PEERS = {
    "calculon": Peer(
        "Calculon",
        "https://github.com/calculon-ai/calculon",
        "git clone it; needs psutil",
        ("megatron_1t", "world=3072,tp=4,pp=64,mbs=4,gbs=3072,seq=2048,recompute=full,zero=1"),
        "59.6 and 60.4 evaluations/s, megatron-1T",
    ),
    "simumax": Peer(
        "SimuMax",
        "https://github.com/MooreThreads/SimuMax",
        "git clone it (v1.2), pip install -r requirements.txt",
        LLAMA,
        "2 to 40 configurations/s: 0.023 to 0.062 s for llama3-8b, 0.23 to 0.55 s for deepseek-v2",
    ),
    "megatron": Peer(
        "Megatron-LM theoretical_memory_usage (memory alone)",
        "https://github.com/NVIDIA/Megatron-LM",
        "git clone it; needs torch",
        LLAMA,
        "",
    ),
}

BEFORE = "measured once for symsim's survey of peers, one process on one core; not in this run, good to a factor of two"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, peer in PEERS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=f"a checkout of {peer.source}")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds for each tool")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--measure", nargs=2, metavar=("PEER", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        name, folder = given.measure
        print(json.dumps(per_second(ADAPTORS[name](Path(folder)), given.seconds)))
        return
    answer = {
        "machine": machine(),
        "peers": [compared(name, getattr(given, name), given.seconds) for name in PEERS],
    }
    print(as_json(answer)) if given.json else report(answer)


def compared(name: str, folder: Path | None, seconds: float) -> dict[str, Any]:
    peer = PEERS[name]
    ours = per_second(symsim(*peer.question), seconds)
    result, engine = sweep_alone(peer.question[0], GRIDS[peer.question[0]], 1, system=SYSTEM)
    grid = result.legal / engine.wall_s
    theirs, problem = measured(name, folder, seconds) if folder else (None, None)
    return {
        "name": peer.name,
        "source": peer.source,
        "install": peer.install,
        "evaluations_per_s": theirs,
        "symsim_per_s": ours,
        "symsim_grid_per_s": grid,
        "ratio": ours / theirs if theirs else None,
        "ratio_grid": grid / theirs if theirs else None,
        "problem": problem,
        "before": peer.before or None,
    }


def measured(name: str, folder: Path, seconds: float) -> tuple[float | None, str | None]:
    """Evaluations a second of a peer in a process of its own, whose modules and warnings stay there."""
    command = [sys.executable, __file__, "--seconds", str(seconds), "--measure", name, str(folder.resolve())]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = ran.stdout.strip().splitlines()
    if ran.returncode or not lines:
        return None, (ran.stderr.strip().splitlines() or ["it printed nothing"])[-1]
    return float(json.loads(lines[-1])), None


def per_second(evaluate: Callable[[], object], seconds: float) -> float:
    """The first evaluation does not count."""
    evaluate()
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        evaluate()
        count += 1
    return count / spent


def symsim(model: str, plan: str) -> Callable[[], object]:
    """One plan at a time with every output and all rules checked, as the peers do it."""
    from symsim.analysis.evaluate import answer, evaluator
    from symsim.loading.question import question
    from symsim.machine.bind import bind

    at = question(model, plan, SYSTEM)
    assert at.system is not None
    program = evaluator(at.model, at.plan.structure).program
    bound = bind(at.system, program.inputs, program.tables, program.figures)
    return lambda: answer(at.model, at.plan, bound)


def calculon(folder: Path) -> Callable[[], object]:
    """The example of its README: one trillion parameters on 3,072 GPUs."""
    sys.path.insert(0, str(folder))
    import logging

    from calculon.llm import Llm
    from calculon.system import System

    def read(path: str) -> Any:
        return json.loads((folder / path).read_text())

    model, machine = Llm.Application(read("models/megatron-1T.json")), System(read("systems/a100_80g.json"))
    plan = read("examples/3072_t4_p64_d12_mbs4_full.json")
    execution = getattr(Llm.Execution, "from_json", Llm.Execution)
    quiet = logging.Logger("quiet")

    def evaluate() -> object:
        asked = Llm(model, quiet)
        asked.compile(machine, execution(plan))
        asked.run(machine)
        return asked.get_stats_json(False)

    return evaluate


def simumax(folder: Path) -> Callable[[], object]:
    """Llama 3 8B on 8 GPUs, of its examples."""
    sys.path.insert(0, str(folder))
    import warnings

    from simumax.core.config import ModelConfig, StrategyConfig, SystemConfig
    from simumax.core.perf_llm import PerfLLM

    warnings.simplefilter("ignore")
    paths = ("strategy/tp1_pp2_dp4_mbs1", "models/llama3-8b", "system/a100_pcie")
    kinds = (StrategyConfig, ModelConfig, SystemConfig)
    strategy, model, machine = (
        kind.init_from_config_file(str(folder / "configs" / f"{path}.json"))
        for kind, path in zip(kinds, paths, strict=True)
    )

    def evaluate() -> object:
        asked = PerfLLM()
        asked.configure(strategy_config=strategy, model_config=model, system_config=machine)
        asked.run_estimate()
        return asked.analysis_mem(), asked.analysis_cost()

    return evaluate


def megatron(folder: Path) -> Callable[[], object]:
    """Llama 3 8B, weights and activations of the most loaded shard: no time, no rank but the first."""
    sys.path.insert(0, str(folder))
    from megatron.training import theoretical_memory_usage as estimator

    sizes: dict[str, Any] = {
        "hidden_size": 4096, "num_layers": 32, "num_attention_heads": 32, "num_query_groups": 8, "kv_channels": 128,
        "group_query_attention": True, "ffn_hidden_size": 14336, "swiglu": True, "padded_vocab_size": 128256,
        "normalization": "RMSNorm", "untie_embeddings_and_output_weights": True, "multi_latent_attention": False,
        "num_experts": None, "moe_shared_expert_intermediate_size": None, "mtp_num_layers": None,
        "seq_length": 4096, "micro_batch_size": 1, "tensor_model_parallel_size": 1, "pipeline_model_parallel_size": 2,
        "virtual_pipeline_model_parallel_size": None, "data_parallel_size": 4, "use_distributed_optimizer": True,
    }  # fmt: skip

    def evaluate() -> object:
        asked = argparse.Namespace(**sizes)
        return (
            estimator.compute_weight_and_optimizer_memory(asked),
            estimator.compute_activation_memory(asked, num_microbatches=8),
        )

    return evaluate


ADAPTORS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "calculon": calculon,
    "simumax": simumax,
    "megatron": megatron,
}


def report(answer: dict[str, Any]) -> None:
    rows = []
    for found in answer["peers"]:
        theirs = found["evaluations_per_s"]
        rows.append(
            [
                found["name"],
                rate(theirs) if theirs else "failed" if found["problem"] else "not measured",
                rate(found["symsim_per_s"]),
                f"{found['ratio']:,.1f}" if theirs else "",
                rate(found["symsim_grid_per_s"]),
                f"{found['ratio_grid']:,.0f}" if theirs else "",
            ]
        )
    headings = ["tool", "one plan at a time", "symsim, the same", "ratio", "symsim, a grid", "ratio"]
    shown(answer, [("evaluations a second, one core", headings, rows)])
    for name, found in zip(PEERS, answer["peers"], strict=True):
        if found["problem"]:
            print(f"\n{found['name']} failed: {found['problem']}")
        elif found["evaluations_per_s"] is None:
            print(f"\n{found['name']}: {found['source']}, {found['install']}; then --{name} FOLDER")
            if found["before"]:
                print(f"  {found['before']} ({BEFORE})")


if __name__ == "__main__":
    main()
