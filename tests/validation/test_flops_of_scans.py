"""FLOPs of scans, delta rules and convolutions are the products of their chunked algorithms, as torch counts them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

HIDDEN, VOCABULARY, SEQ = 64, 128, 512
HEADS, DIM, STATE, GROUPS, TAPS = 4, 16, 8, 2, 4


def counted(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, device="meta")


def convolution(features: int) -> int:
    """Without the tokens that a padding would make."""
    x = ones(1, features, SEQ + TAPS - 1)
    return counted(lambda: torch.nn.functional.conv1d(x, ones(features, 1, TAPS), groups=features))


def structured_scan(chunk: int) -> int:
    chunks = SEQ // chunk
    u, score = ones(chunks * HEADS, chunk, DIM), ones(chunks * HEADS, chunk, chunk)
    b, c = ones(chunks * HEADS, chunk, STATE), ones(chunks * HEADS, chunk, STATE)
    of_group = ones(chunks * GROUPS, chunk, STATE)

    def run() -> None:
        torch.bmm(of_group, of_group.mT)
        torch.bmm(score, u)
        state = torch.bmm(b.mT, u)
        torch.bmm(c, state)

    return counted(run)


def delta_rule(chunk: int, heads: int, key: int, value: int) -> int:
    blocks = SEQ // chunk * heads
    q, k, v, triangle = (ones(blocks, chunk, n) for n in (key, key, value, chunk))
    state = ones(blocks, key, value)

    def run() -> None:
        torch.bmm(k, k.mT)
        w, u = torch.bmm(triangle, k), torch.bmm(triangle, v)
        corrected = u - torch.bmm(w, state)
        state.add(torch.bmm(k.mT, corrected))
        torch.bmm(q, state)
        torch.bmm(torch.bmm(q, k.mT), corrected)

    return counted(run)


def decayed_attention(block: int, heads: int, qk: int, value: int) -> int:
    """Hugging Face transformers 5.24, models/minimax: blocks of at most the sequence; states of zeros count too."""
    size = min(block, SEQ)
    blocks = SEQ // size * heads
    q, k, v, state = ones(blocks, size, qk), ones(blocks, size, qk), ones(blocks, size, value), ones(blocks, qk, value)

    def run() -> None:
        torch.bmm(torch.bmm(q, k.mT), v)
        torch.bmm(q, state)
        torch.bmm(k.mT, v)

    return counted(run)


WIDTH = HEADS * DIM
SCANS = {
    f"mamba2({HEADS}, {DIM}, {STATE}, {GROUPS}, {TAPS}, 128)": lambda: (
        structured_scan(128) + convolution(WIDTH + 2 * GROUPS * STATE),
        (2 * WIDTH + 2 * GROUPS * STATE + HEADS) + WIDTH,
    ),
    f"gated_delta(2, 4, 8, 16, {TAPS})": lambda: (
        delta_rule(64, 4, 8, 16) + convolution(2 * 16 + 64), (2 * 16 + 2 * 64 + 2 * 4) + 64),
    f"kimi_delta(4, 8, gate_rank = 0, kernel = {TAPS})": lambda: (
        delta_rule(64, 4, 8, 8) + convolution(3 * 32), (5 * 32 + 4) + 32),
    "lightning_attention(4, 16, 256)": lambda: (decayed_attention(256, 4, 16, 16), 4 * 64 + 64),
    "lightning_attention(4, 16, 1024)": lambda: (decayed_attention(1024, 4, 16, 16), 4 * 64 + 64),
    "mlstm(4, 8, 16)": lambda: (decayed_attention(64, 4, 8, 16), 4 * (2 * 8 + 2 * 16 + 2) + 64),
    f"short_conv({TAPS})": lambda: (convolution(HIDDEN), 4 * HIDDEN),
    f"recurrent_block(96, 4, {TAPS})": lambda: (
        convolution(96) + 2 * counted(lambda: torch.bmm(ones(4, SEQ, 24), ones(4, 24, 24))), 3 * 96),
}  # fmt: skip
"""What torch counts of the algorithm, and the columns and rows of the projections of the residual stream."""


@pytest.mark.parametrize("call", SCANS)
def test_forward_flops_are_those_of_the_algorithm_and_the_projections(call: str, tmp_path: Path) -> None:
    algorithm, projected = SCANS[call]()
    linear = 2 * SEQ * HIDDEN * (projected + VOCABULARY)
    assert SEQ * flops(call, "flops.forward_per_token", tmp_path) == algorithm + linear


@pytest.mark.parametrize("call", SCANS)
def test_backward_has_two_products_for_each(call: str, tmp_path: Path) -> None:
    forward, all_phases = (flops(call, name, tmp_path) for name in ("flops.forward_per_token", "flops.per_token"))
    assert all_phases == 3 * forward


def test_kernels_run_part_of_their_forward_pass_again(tmp_path: Path) -> None:
    """The convolution, c·b, the states, and the products of the gradient with the inputs of a chunk."""
    executed = flops(f"mamba2({HEADS}, {DIM}, {STATE}, {GROUPS}, {TAPS}, 128)", "flops.one", tmp_path)
    taps = 2 * TAPS * (WIDTH + 2 * GROUPS * STATE)
    again = taps + 2 * 128 * (GROUPS * STATE + WIDTH) + 2 * STATE * WIDTH
    model = flops(f"mamba2({HEADS}, {DIM}, {STATE}, {GROUPS}, {TAPS}, 128)", "flops.per_token", tmp_path)
    assert executed == SEQ * (model - 6 * HIDDEN * VOCABULARY + again)


def flops(call: str, name: str, folder: Path) -> float:
    file = folder / "one.sym"
    file.write_text(f"""
        layer mixed {{ {call} }}
        family mixer(hidden, layers, vocab, norm = rms, activation = gelu, positions = none, max_positions = 0,
                     embedding_norm = false) {{ embedding; repeat layers {{ mixed }}; head(true) }}
        model one = mixer(hidden = {HIDDEN}, layers = 1, vocab = {VOCABULARY})
    """)
    asked = question(str(file), f"world=1,mbs=1,gbs=1,seq={SEQ}", None)
    return float(answer(asked.model, asked.plan, None).of_stage(name)[0])
