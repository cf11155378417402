"""Layouts of Mamba-2 and delta-rule layers, and what context parallelism sends. Source: Megatron-Core 0.16.1,
core/ssm/mamba_mixer.py, mamba_context_parallel.py, mamba_block.py, and transformer/transformer_config.py."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from tests.compiler.asking import TOKENS, values

HIDDEN, HEADS, DIM, STATE, GROUPS = 512, 16, 64, 32, 4
INNER = HEADS * DIM
MAMBA = f"mamba(hidden={HIDDEN}, layers=4, heads={HEADS}, head_dim={DIM}, state={STATE}, groups={GROUPS}, vocab=1024)"
DELTA = ("qwen3_next(hidden=512, layers=4, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=128, shared_ffn=128, "
         "linear_key_heads=4, linear_value_heads=8, linear_key_dim=16, linear_value_dim=16)")  # fmt: skip


@pytest.mark.parametrize("choices", ["tp=1", "tp=2", "tp=4", "cp=2", "cp=8", "tp=4,cp=4", "tp=2,cp=8"])
def test_layouts_that_megatron_runs(choices: str) -> None:
    assert values(choices, MAMBA, world=16)["peak"] > 0


@pytest.mark.parametrize(
    ("choices", "model", "said"),
    [
        ("tp=8", MAMBA, "tp = 8 does not divide groups = 4"),
        ("tp=4,cp=8", MAMBA, "tp·cp = 32 does not divide heads = 16"),
        ("cp=3", MAMBA.replace("heads=16", "heads=12"), "a context-parallel rank has whole groups"),
        ("pp=2,vp=2", MAMBA, "one chunk each"),
        ("cp=2,framework=fsdp", MAMBA, "Megatron-Core alone splits the sequence of a Mamba layer"),
        ("tp=1", MAMBA.replace("groups=4", "groups=3"), "each group serves equally many heads"),
        ("tp=8", DELTA, "tp = 8 does not divide key_heads = 4"),
        ("cp=2", DELTA, "Megatron-Core does not split the sequence of a delta-rule layer"),
    ],
)
def test_layouts_that_megatron_refuses(choices: str, model: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        values(choices, model, world=96)


def mixer_parameters(tp: int) -> int:
    """Of a rank: projections, convolution with its bias, decay, skip and step size of each head, both norms' gains."""
    projected = 2 * INNER + 2 * GROUPS * STATE + HEADS
    convolved = 5 * (INNER + 2 * GROUPS * STATE)
    return (HIDDEN * (projected + INNER) + convolved + 3 * HEADS + INNER) // tp + HIDDEN


@pytest.mark.parametrize("tp", [1, 2, 4])
def test_a_rank_holds_its_groups_and_heads(tp: int) -> None:
    embedding, final_norm = 1024 * HIDDEN // tp, HIDDEN
    assert values(f"tp={tp}", MAMBA)["P"] == 4 * mixer_parameters(tp) + embedding + final_norm


@pytest.mark.parametrize(("tp", "cp"), [(1, 2), (2, 2), (1, 8), (2, 8)])
def test_context_parallelism_sends_every_part_of_the_projection_and_the_result(tp: int, cp: int) -> None:
    """z, u, b, c and the step sizes before the scan, what it gives after it; the same backward. Groups are repeated
    until each rank of cp has one."""
    groups = max(GROUPS // tp, cp)
    parts = 2 * INNER // tp + 2 * groups * STATE + HEADS // tp
    a_token = 2 * 2 * (parts + INNER // tp) * (cp - 1) / cp
    assert values(f"tp={tp},cp={cp}", MAMBA, world=16)["sent.cp"] == 4 * TOKENS // cp * a_token


def test_repeated_groups_are_kept_with_the_projection() -> None:
    """With cp = 8 each of the 4 groups is twice in b and in c."""
    of_two, of_eight = (values(f"cp={cp}", MAMBA)["A"] / (TOKENS // cp) for cp in (2, 8))
    assert of_eight - of_two == 2 * 2 * GROUPS * STATE


def test_a_kernel_with_norm_and_projection_keeps_neithers_input() -> None:
    """Hugging Face's layer: the kernel keeps the scales of the norm's rows too, and makes the rest again."""
    apart, fused = (values(f"framework={name}", MAMBA)["A"] for name in ("megatron", "fsdp"))
    assert apart - fused == TOKENS * (2 * INNER + 2 * INNER)
