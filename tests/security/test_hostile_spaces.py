"""Spaces made to hurt: each has an answer or a clear refusal, in bounded work and memory."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError

HANGS_AFTER_S = 60
MEMORY = 2 << 30
"""Address space in which every one of them must do."""

MESHES = "world=1024,gbs=1024,seq=8192,tp in 1..1000,pp in 1..1000,cp in 1..1000,ep in 1..1000,mbs in 1..1000"
PLAN = "world=64,gbs=64,seq=4096,"

REFUSED = {
    "more points than numbers": ("E372", ",".join(f"{n} in 1..50000" for n in ("world", "gbs", "seq", "tp"))),
    "more legal points than minutes": ("E372", "world=1024,gbs=1024,seq in 1..70000,vocab_multiple in 1..70000"),
    "more structures than are compiled": (
        "E372",
        PLAN + ",".join(f"{n} in {{true,false}}" for n in
                        ("sequence_parallel", "dropout", "cuda_graph", "overlap_tp", "overlap_p2p", "overlap_moe",
                         "overlap_grad_reduce", "overlap_param_gather", "fused_cross_entropy", "fp8_params",
                         "embedding_in_split", "loss_in_split", "moe_probs_in_activation"))
        + ",zero in {0,1,2,3}",
    ),
    "empty set": ("E370", PLAN + "tp in {}"),
    "empty range": ("E109", PLAN + "tp in 8..1"),
    "range of a million": ("E206", PLAN + "mbs in 1..1000000"),
    "set that is a product": ("E207", PLAN + "mbs in 1..1000 * 1000"),
    "requirement that does not parse": ("E106", PLAN + "tp in {1,2},require tp <="),
    "requirement of nothing": ("E203", PLAN + "tp in {1,2},require tpp <= 8"),
    "requirement that is no condition": ("E207", PLAN + "tp in {1,2},require tp + 1"),
    "objective of nothing": ("E203", PLAN + "tp in {1,2},minimize time.itration"),
    "objective that is a condition": ("E207", PLAN + "tp in {1,2},minimize tp < 2"),
    "objective of every stage": ("E345", PLAN + "tp in {1,2},minimize peak"),
    "expression 5,000 brackets deep": ("E104", PLAN + "tp in {1,2},require " + "(" * 5000 + "tp" + ")" * 5000 + " > 1"),
    "division by zero": ("E208", PLAN + "tp in {1,2},minimize tp / 0"),
    "name of no one": ("E314", PLAN + "tpp in {1,2}"),
    "sizes of other kinds": ("E312", PLAN + "tp in {1, 2.5}"),
    "words among sizes": ("E207", PLAN + "tp in {1, two}"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    code, strategy = REFUSED[name]
    with pytest.raises(InputError) as raised:
        search(load_space("llama3_8b", strategy, "h100_sxm"))
    assert raised.value.diagnostics[0].code == code


def test_every_mesh_of_a_world_is_searched() -> None:
    """10¹⁵ combinations, of which some thousand keep the rules."""
    found = search(load_space("llama3_8b", MESHES, "h100_sxm"))
    assert found.points == 10**15
    assert found.points == found.legal + sum(
        n for text, n in found.removed.items() if text != "memory.device <= memory.capacity"
    )
    assert 1000 < found.legal < 10_000
    assert found.plans


def test_a_set_of_100_000_values() -> None:
    found = search(load_space("llama3_8b", PLAN + "tp in 1..100000,mbs in {1,2}", "h100_sxm"))
    assert {p.choices["tp"] for p in found.plans} <= {1, 2, 4, 8, 16, 32}  # of 32 heads; key-value heads may be fewer
    assert found.points == 200_000


def test_a_listed_set_of_5_000_values() -> None:
    values = ",".join(str(n) for n in range(1, 5_001))
    found = search(load_space("llama3_8b", f"world=64,gbs=64,seq=4096,tp in {{{values}}}", "h100_sxm"))
    assert found.points == 5_000 and found.feasible


def test_requirements_that_contradict_each_other() -> None:
    found = search(load_space("llama3_8b", PLAN + "tp in {1,2,4,8},require tp > 4,require tp < 4", "h100_sxm"))
    assert (found.legal, found.feasible) == (4, 0)
    assert found.removed == {"tp > 4": 3, "tp < 4": 1}


def test_a_long_expression_is_evaluated() -> None:
    terms = " + ".join(["tp"] * 150)
    found = search(load_space("llama3_8b", PLAN + f"tp in {{1,2}},minimize {terms}", "h100_sxm"))
    assert found.plans[0].objective == 150


def test_memory_is_bounded() -> None:
    def less_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [
        sys.executable,
        "-m",
        "symsim",
        "search",
        "llama3_8b",
        "-s",
        MESHES,
        "-y",
        "h100_sxm",
        "--engine",
        "local",
    ]
    ended = subprocess.run(command, capture_output=True, timeout=HANGS_AFTER_S, check=False, preexec_fn=less_memory)
    assert (ended.returncode, ended.stderr) == (0, b"")
