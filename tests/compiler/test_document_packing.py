"""Documents of different lengths: FLOPs are the sum over them, and padding is what they leave of sequences."""

from __future__ import annotations

from fractions import Fraction

import pytest

import symsim
from symsim.analysis.evaluate import answer
from symsim.compiler.pipeline import compile_cost
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.records.document_lengths import Documents
from symsim.records.model import Model
from symsim.records.strategy import Structure
from tests.compiler.asking import TOKENS, values

COUNTS = {256: 5, 1024: 3, 2048: 1}
LENGTHS = "[repeat 5 256, repeat 3 1024, 2048]"
ALL = sum(length * count for length, count in COUNTS.items())
"""Tokens of these documents together."""

SELDOM = ("deepseek_v3", "gpt_oss_20b", "qwen3_next_80b_a3b", "kimi_linear_48b_a3b", "granite4_h_small", "minimax_m2")
MODELS = ("llama3_8b", "gemma3_27b", "llama4_scout", "deepseek_v32", "deepseek_v4_flash",
          *(pytest.param(model, marks=pytest.mark.slow) for model in SELDOM))  # fmt: skip
"""Full, sliding, chunked, latent, sparse and compressed attention, and mixers that need no pairs."""


FLOPS = ("flops.forward_per_token", "flops.per_token", "flops.causal_per_token", "flops.hardware_per_iteration")


def flops(model: str, choices: str) -> dict[str, Fraction]:
    """FLOPs of one sequence by name, for one of its tokens."""
    asked = question(model, f"world=1,mbs=1,gbs=1,{choices}", None)
    found = answer(asked.model, asked.plan, None).values
    tokens = Fraction(asked.plan.sizes["seq"])
    return {name: Fraction(found[name]) / (tokens if name.endswith("iteration") else 1) for name in FLOPS}


@pytest.mark.parametrize("model", MODELS)
def test_flops_are_the_sum_over_the_documents(model: str) -> None:
    packed = flops(model, f"seq=2048,lengths={LENGTHS}")
    alone = {length: flops(model, f"seq={length}") for length in COUNTS}
    for name in FLOPS:
        each = (length * count * alone[length][name] for length, count in COUNTS.items())
        assert float(packed[name]) == pytest.approx(float(sum(each) / ALL), rel=1e-12), name


def test_equal_documents_are_sequences_of_their_length() -> None:
    assert flops("llama3_8b", "seq=8192,lengths=512") == flops("llama3_8b", "seq=512")


def test_memory_and_messages_are_those_of_the_sequence() -> None:
    packed, whole = values(f"lengths={LENGTHS},cp=2,cp_comm=ring,tp=2"), values("cp=2,cp_comm=ring,tp=2")
    for name in ("peak", "activations", "S", "sent.tp", "sent.cp", "sent.dp.gradients"):
        assert packed[name] == whole[name]


def test_packed_documents_fill_the_step() -> None:
    found = values(f"lengths={LENGTHS}")
    assert found["documents"] == pytest.approx(64 * TOKENS * 9 / ALL)
    assert "padded_tokens" not in found


def test_what_packing_leaves_open_is_padding_that_attention_leaves_out() -> None:
    full, partly = (values(f"lengths={LENGTHS},packing_fill={fill}") for fill in (1, 0.75))
    assert partly["padded_tokens"] == 64 * TOKENS / 4
    assert partly["documents"] == pytest.approx(full["documents"] * 3 / 4)
    pairs = sum(count * length**2 for length, count in COUNTS.items()) * TOKENS / ALL
    attention = 14 * pairs * 512
    assert full["flops.one"] - partly["flops.one"] == pytest.approx(attention / 4)


def test_padded_documents_are_sequences() -> None:
    padded, whole = values(f"lengths={LENGTHS},packed=false"), values("tp=1")
    assert padded["flops.stage"] == whole["flops.stage"]
    assert padded["documents"] == 64
    assert padded["padded_tokens"] == pytest.approx(64 * (TOKENS - ALL / 9))


def test_time_is_that_of_each_length() -> None:
    """Each has a kernel of its own, with a share of the peak by its own sizes."""
    cost = compile_cost(*_asked("lengths=[repeat 4 512, 2048]"), details=True)
    kernels = [d.name for d in cost.definitions if d.name.startswith("attention.context.o.forward.efficiency")]
    assert kernels == ["attention.context.o.forward.efficiency_1", "attention.context.o.forward.efficiency_2"]


def _asked(choices: str) -> tuple[Model, Structure]:
    asked = question("llama3_8b", f"world=8,mbs=1,gbs=8,seq=8192,{choices}", None)
    return asked.model, asked.plan.structure


def test_lengths_are_read_back_as_written() -> None:
    assert Documents.of([(2048, 1), (512, 3), (2048, 2)]).text == "[repeat 3 512, repeat 3 2048]"
    assert Documents.read("[repeat 3 512, 2048]") == Documents(((512, 3), (2048, 1)))


def test_python_gives_lengths_as_a_list() -> None:
    plan = symsim.load("llama3_8b", "single_node_tp8", "h100_sxm", lengths=[512, 512, 2048])
    assert plan.choices["lengths"] == "[repeat 2 512, 2048]"


@pytest.mark.parametrize(("choices", "code", "said"), [
    ("lengths=[4096]", "E330", "a document of 4096 tokens is longer than seq"),
    ("lengths=[512, 1.5]", "E312", "whole number"),
    ("lengths=[]", "E1", ""),
    ("lengths=512,attention=unfused", "E324", "knows where they end"),
    ("packed=false", "E324", "says how documents"),
    ("packing_fill=0.5", "E324", "says how documents"),
    ("lengths=512,packed=false,packing_fill=0.5", "E324", "packed is false"),
    ("lengths=512,packing_fill=1.5", "E312", "at most 1"),
    (f"lengths=[{', '.join(map(str, range(1, 70)))}]", "E312", "at most 64"),
])  # fmt: skip
def test_what_is_refused(choices: str, code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        values(choices)
    problem = caught.value.diagnostics[0]
    assert problem.code.startswith(code)
    assert said in f"{problem.message} {problem.hint}"
