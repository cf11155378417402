"""Blocks of the library have the parameters of the classes that they are taken from.

Each case is a small model in text beside the numbers of elements, of all parameters and of those that one token uses,
counted of the named class of transformers 5.24.0 on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from symsim.analysis.evaluate import answer
from symsim.compiler.pipeline import compile_cost
from symsim.loading.question import question
from tests.models.counting import parameters, structure
from tests.models.small_models import small


def before(mixer: str, feed: str) -> str:
    return f"residual {{ pre_norm; {mixer} }}; residual {{ pre_norm; {feed} }}"


def after(mixer: str, feed: str) -> str:
    return f"residual {{ {mixer}; post_norm }}; residual {{ {feed}; post_norm }}"


def both(mixer: str, feed: str) -> str:
    return f"residual {{ pre_norm; {mixer}; post_norm }}; residual {{ pre_norm; {feed}; post_norm }}"


def parallel(mixer: str, feed: str) -> str:
    """Attention and feed-forward of one norm."""
    return f"residual {{ n = pre_norm(x); a = {_of(mixer)}; f = {_of(feed)}; add(a, f) }}"


def _of(call: str) -> str:
    return call.replace("(", "(n, ", 1)


@dataclass(frozen=True)
class Case:
    cls: str
    layer: str
    parameters: int
    active: int = 0
    family: Mapping[str, object] = field(default_factory=dict)


def case(cls: str, layer: str, parameters: int, active: int = 0, **family: object) -> Case:
    return Case(cls, layer, parameters, active or parameters, family)


GLM_DSA = "latent_attention(4, 24, 16, 16, 8, 12, bias = true, indexer_heads = 2, indexer_dim = 16, indexer_topk = 16)"
V32 = "latent_attention(8, 1536, 16, 16, 8, 12, indexer_heads = 2, indexer_dim = 16, indexer_topk = 16)"
LAGUNA = "attention(4, 1, 16, bias = true, qk_norm = true, gate = per_head, gate_bias = false)"
GEMMA4 = "attention(4, 4, {}, bias = true, qk_norm = true, value_norm = rms_bare)"
GEMMA4_LOCAL, GEMMA4_GLOBAL = (both(GEMMA4.format(n), "mlp(96)") + "; layer_input(8)" for n in (24, 512))
LONGCAT = "latent_attention(8, 1536, 16, 16, 8, 12)"
SHORTCUT = f"""
a = residual {{ pre_norm; {LONGCAT} }}; n = pre_norm(a); experts = moe(n, 8, 2, 40, zero_experts = 2, spare = 2)
m = mlp(n, 96); b = add(a, m); c = residual(b) {{ pre_norm; {LONGCAT} }}; d = residual(c) {{ pre_norm; mlp(96) }}
add(d, experts)
""".strip().replace("\n", "; ")

HEAVILY_COMPRESSED = "compressed_attention(8, 16, 24, 2, 32, 8, 1024, rate = 128)"
COMPRESSED_SPARSE = (
    "compressed_attention(8, 16, 24, 2, 32, 8, 1024, rate = 4, overlap = true, "
    "indexer_heads = 2, indexer_dim = 16, indexer_topk = 16)"
)


def hyper(mixer: str, feed: str) -> str:
    return f"hyper_residual(4) {{ pre_norm; {mixer} }}; hyper_residual(4) {{ pre_norm; {feed} }}"


V4_HEAVY, V4_SPARSE = (
    hyper(mixer, "moe(8, 2, 40, 40, shared_bias = true)") for mixer in (HEAVILY_COMPRESSED, COMPRESSED_SPARSE)
)
GEMMA3N = """
p, active = predict_streams(x, 4); n = pre_norm(active); low = laurel(n, 8)
a = attention(n, 8, 2, 256, qk_norm = true, value_norm = rms_bare, earlier_keys = {}); normed = post_norm(a)
s = residual_add(active, normed); m = add(s, low); out = residual(m) {{ pre_norm; mlp(96); post_norm }}
c, first = correct_streams(p, out); layer_input_of_streams(c, first, 8)
""".strip().replace("\n", "; ")

CASES = (
    case("OlmoForCausalLM", before("attention(4, 2, 16, bias = true)", "mlp(96)"), 288256, layers=8, tied=False,
         norm="layer_bare"),
    case("Olmo2ForCausalLM", after("attention(8, 1, 8, bias = true, qk_norm = true, qk_norm_over = width)", "mlp(96)"),
         244480, layers=8),
    case("OlmoeForCausalLM", before("attention(8, 4, 8, qk_norm = true, qk_norm_over = width)", "moe(8, 2, 96)"),
         662464, 220096),
    case("CohereForCausalLM", parallel("attention(4, 1, 16, bias = true, qk_norm = true, qk_norm_over = each_head, "
                                       "qk_norm_kind = layer_gain)", "mlp(96)"), 252352, layers=8, norm="layer_gain"),
    case("BitNetForCausalLM", before("attention(8, 4, 8, output_norm = rms)",
                                     "mlp(96, activation = relu2_glu, sub_norm = rms)"), 268608, layers=8),
    case("ApertusForCausalLM", before("attention(4, 1, 16, qk_norm = true)", "mlp(96)"), 222544, layers=8, tied=False,
         activation="xielu"),
    case("PersimmonForCausalLM", before("attention(4, 4, 16, bias = true, qk_norm = true, qk_norm_kind = layer)",
                                        "mlp(96, true)"), 158720, tied=False, norm="layer", activation="relu2"),
    case("GPTNeoForCausalLM", before("attention(8, 8, 8, qkv_bias = false, bias = true)", "mlp(96, true)"), 190464,
         tied=False, norm="layer", activation="gelu", positions="learned"),
    case("OPTForCausalLM", before("attention(8, 8, 8, bias = true)", "mlp(96, true)"), 288256, layers=8, norm="layer",
         activation="relu", positions="learned", before="embedding(more_positions = 2)"),
    case("CodeGenForCausalLM", parallel("attention(4, 4, 16)", "mlp(96, true)"), 157248, norm="layer", tied=False,
         activation="gelu", after="head(tied, bias = true)"),
    case("PhiForCausalLM", parallel("attention(4, 4, 16, bias = true)", "mlp(96, true)"), 137792, norm="layer",
         activation="gelu", after="head(tied, bias = true)"),
    case("NanoChatForCausalLM", before("attention(8, 1, 8, bias = true, qk_norm = true, qk_norm_kind = rms_bare)",
                                       "mlp(96)"), 214144, layers=8, tied=False, norm="rms_bare", activation="relu2",
         embedding_norm=True),
    case("HyperCLOVAXForCausalLM", both("attention(8, 1, 16)", "mlp(96, true)"), 190528, tied=False),
    case("MptForCausalLM", before("attention(4, 4, 16)", "mlp(256)"), 217664, norm="layer_gain", activation="gelu",
         positions="alibi"),
    case("LagunaForCausalLM", "\n".join([before(LAGUNA, "mlp(96)")]
                                        + 3 * [before(LAGUNA, "moe(8, 2, 40, 56, correction = true)")]),
         300376, 162136),
    case("MiniCPM3ForCausalLM", before("latent_attention(8, 0, 16, 16, 8, 12)", "mlp(96)"), 357568, layers=8),
    case("DiffLlamaForCausalLM", before("differential_attention(4, 2, 24)", "mlp(96)"), 337728, layers=8, tied=False),
    case("AriaTextForCausalLM", before("attention(8, 2, 16, bias = true)", "moe(8, 2, 96, 96, shared_bias = true)"),
         791104, 348736, tied=False),
    case("DeepseekV32ForCausalLM", "\n".join(3 * [before(V32, "mlp(96)")] + [before(V32, "moe(8, 2, 40, 40)")]),
         1991936, 1945856, tied=False),
    case("GlmMoeDsaForCausalLM", "\n".join([before(GLM_DSA, "mlp(96)")] + 7 * [before(GLM_DSA, "moe(8, 2, 40, 40)")]),
         646656, 324096, tied=False, layers=8),
    case("LongcatFlashForCausalLM", SHORTCUT, 3727040, 3501760, tied=False),
    case("Gemma4ForCausalLM", "\n".join(5 * [GEMMA4_LOCAL] + [GEMMA4_GLOBAL, GEMMA4_LOCAL, GEMMA4_GLOBAL]), 1416232,
         layers=8, activation="geglu", before="embedding; layer_embedding(320, 8, 8)"),
    case("DeepseekV4ForCausalLM", "\n".join(3 * [V4_HEAVY] + [V4_SPARSE] + 2 * [V4_HEAVY, V4_SPARSE]), 6016549, 5647909,
         layers=8, before="embedding; widen(4)", mid="hyper_head(4)"),
    case("Gemma3nForCausalLM", "\n".join(20 * [GEMMA3N.format("false")] + 15 * [GEMMA3N.format("true")]), 11398968,
         layers=35, activation="geglu", before="embedding; layer_embedding(320, 35, 8); altup_embedding(4)",
         mid="merge_streams(4)"),
)  # fmt: skip


FORWARD = {
    "OlmoForCausalLM": 794624, "Olmo2ForCausalLM": 745472, "OlmoeForCausalLM": 569344, "CohereForCausalLM": 761856,
    "BitNetForCausalLM": 794624, "ApertusForCausalLM": 663552, "PersimmonForCausalLM": 401408,
    "GPTNeoForCausalLM": 401408, "OPTForCausalLM": 761856, "PhiForCausalLM": 401408, "NanoChatForCausalLM": 647168,
    "HyperCLOVAXForCausalLM": 598016, "MptForCausalLM": 565248, "LagunaForCausalLM": 452608,
    "MiniCPM3ForCausalLM": 1302528, "DiffLlamaForCausalLM": 1417216, "AriaTextForCausalLM": 913408,
    "DeepseekV32ForCausalLM": 4166656, "GlmMoeDsaForCausalLM": 966656, "Gemma4ForCausalLM": 5144576,
    "DeepseekV4ForCausalLM": 11882240, "Gemma3nForCausalLM": 59344352,
}  # fmt: skip
"""FLOPs of one token of 128, forward, by torch's counter: eager attention to all pairs, chosen experts alone.

Latent attention was counted with as many key-value heads as heads, without which the class does not run."""

TRAINING = {
    "Olmo2ForCausalLM": 2236416, "OlmoeForCausalLM": 1708032, "CohereForCausalLM": 2285568,
    "GPTNeoForCausalLM": 1204224, "OPTForCausalLM": 2285568, "LagunaForCausalLM": 1357824,
    "MiniCPM3ForCausalLM": 3907584, "DiffLlamaForCausalLM": 4251648, "DeepseekV32ForCausalLM": 11625472,
    "GlmMoeDsaForCausalLM": 2699264, "Gemma4ForCausalLM": 15433728, "DeepseekV4ForCausalLM": 35574528,
    "Gemma3nForCausalLM": 178033056,
}  # fmt: skip
"""The same with the backward pass, to which an indexer adds nothing."""


def flops(case: Case) -> dict[str, float]:
    plan = question("llama32_1b", "world=1,mbs=1,gbs=1,seq=128,attention=unfused,vocab_multiple=1", None).plan
    return answer(small(case.layer, **case.family), plan, None).values  # type: ignore[arg-type, return-value]


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.cls in FORWARD], ids=lambda c: c.cls)
def test_flops_are_those_of_torchs_counter(case: Case) -> None:
    values = flops(case)
    assert values["flops.forward_per_token"] == FORWARD[case.cls]
    assert values["flops.per_token"] == TRAINING.get(case.cls, values["flops.per_token"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.cls)
def test_a_small_model_has_the_parameters_of_its_class(case: Case) -> None:
    model = small(case.layer, **case.family)  # type: ignore[arg-type]
    counted = {d.name: d.expression for d in compile_cost(model, structure().structure).definitions}
    assert (counted["parameters"], counted["active_parameters"]) == (case.parameters, case.active)


def test_a_layer_with_keys_of_an_earlier_one_has_no_projection_of_its_own() -> None:
    own, shared = (
        parameters(small(before(f"attention(4, 2, 24, qk_norm = true, earlier_keys = {word})", "mlp(96)")))
        for word in ("false", "true")
    )
    assert own - shared == 4 * (64 * 2 * 2 * 24 + 24)


def test_keys_that_are_values_are_projected_once() -> None:
    apart, one = (
        parameters(small(before(f"attention(4, 2, 24, keys_are_values = {word})", "mlp(96)")))
        for word in ("false", "true")
    )
    assert apart - one == 4 * 64 * 2 * 24


def test_experts_of_a_smaller_width_stand_between_two_projections() -> None:
    """Router and shared expert stay in the wide stream."""
    wide, latent = (
        parameters(small(before("attention(4, 4, 16)", f"moe(8, 2, 40, 40{more})"))) for more in ("", ", latent = 16")
    )
    assert wide - latent == 4 * (8 * 3 * 40 * (64 - 16) - 2 * 64 * 16)


def test_a_narrow_embedding_has_a_projection_on_both_sides() -> None:
    wide = parameters(small(before("attention(4, 4, 16)", "mlp(96)")))
    narrow = parameters(
        small(before("attention(4, 4, 16)", "mlp(96)"), before="embedding(width = 16)", after="head(tied, width = 16)")
    )
    assert wide - narrow == 320 * (64 - 16) - 2 * 16 * 64
