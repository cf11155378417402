"""With frozen weights and adapters the library saves and computes what autograd does with plain torch modules.

GPT's blocks are used: their LayerNorm is one kernel, so that only the two statistics of a row come on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from symsim.analysis.evaluate import Answer, answer
from symsim.loading.question import question

torch = pytest.importorskip("torch")

from tests.validation.plain_adapters import adapt, freeze, random_tokens, trained_flops  # noqa: E402
from tests.validation.plain_torch import Block, Decoder, saved_bytes  # noqa: E402

pytestmark = pytest.mark.slow

HIDDEN, HEADS, FFN, BATCH, SEQ, LAYERS, VOCAB, RANK = 64, 4, 256, 2, 32, 3, 384, 8
TOKENS = BATCH * SEQ
STATISTICS = 2 * 2 * TOKENS
"""What torch's LayerNorm keeps of the rows of a micro-batch."""


@dataclass(frozen=True)
class Case:
    """``choices`` of a strategy; which parameters torch trains; linear layers with an adapter; how many norms run
    backward."""

    choices: str
    trained: Callable[[str], bool]
    targets: Callable[[str], bool] | None
    norms: int


def _is_mlp(name: str) -> bool:
    return ".mlp." in name


def _none(name: str) -> bool:
    return False


CASES = {
    "all": Case("trainable=all", lambda n: True, None, 2 * LAYERS + 1),
    # The first layer's norms have nothing trained before them.
    "mlp": Case("trainable={mlp}", _is_mlp, None, 2 * LAYERS - 1),
    "attention": Case("trainable={attention}", lambda n: ".attention." in n, None, 2 * LAYERS),
    "one matrix": Case("trainable={attention.qkv}", lambda n: ".qkv." in n, None, 2 * LAYERS),
    "embedding": Case("trainable={embedding}", lambda n: n.startswith(("words", "positions")), None, 2 * LAYERS + 1),
    "final norm": Case("trainable={normalization}", lambda n: n.startswith("norm."), None, 1),
    "adapters": Case(f"lora_rank={RANK}", _none, lambda p: True, 2 * LAYERS),
    "adapters of qkv": Case(f"lora_rank={RANK},lora_targets=qkv", _none, lambda p: "qkv" in p, 2 * LAYERS),
    "adapters and mlp": Case(
        f"lora_rank={RANK},lora_targets=output,trainable={{mlp}}", _is_mlp, lambda p: p.endswith("output"), 2 * LAYERS
    ),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def library(case: Case, more: str = "") -> Answer:
    sizes = f"hidden={HIDDEN},layers={LAYERS},heads={HEADS},ffn={FFN},vocab={VOCAB},max_positions={SEQ}"
    plan = f"world=1,mbs={BATCH},gbs={BATCH},seq={SEQ},attention=unfused,{case.choices}{more}"
    asked = question(f"gpt({sizes})", plan, None)
    return answer(asked.model, asked.plan, None)


def decoder(case: Case, recompute: str = "none") -> Decoder:
    blocks = [Block("gpt", HIDDEN, HEADS, HEADS, FFN, SEQ, False, recompute) for _ in range(LAYERS)]
    made = Decoder("gpt", VOCAB, blocks, HIDDEN, SEQ, False)
    freeze(made, case.trained)
    if case.targets is not None:
        adapt(made, RANK, case.targets)
    return made


@cases
def test_a_decoder_saves_what_autograd_keeps(case: Case) -> None:
    made = decoder(case)
    ids, labels = random_tokens(VOCAB, BATCH, SEQ)
    expected = library(case).of_stage("S")[0] + case.norms * STATISTICS + 8 * TOKENS + 4
    assert saved_bytes(lambda: made(ids, labels), made) == expected


@cases
def test_a_decoder_computes_what_torch_counts(case: Case) -> None:
    found = library(case).values
    assert trained_flops(decoder(case), *random_tokens(VOCAB, BATCH, SEQ)) == found["flops.per_token"] * TOKENS


@cases
def test_as_many_parameters_are_trained(case: Case) -> None:
    found = library(case).values
    trained = sum(p.numel() for p in decoder(case).parameters() if p.requires_grad)
    assert found.get("trained_parameters", found["parameters"]) == trained
