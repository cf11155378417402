"""Random plans that SimuMax has words for."""

from __future__ import annotations

from math import lcm
from typing import Any

from hypothesis import strategies as st

from symsim.records.strategy import Value

DENSE = "llama(hidden=1024, layers=12, heads=16, kv_heads=8, ffn=2048, vocab=32000)"
EXPERTS = (
    "moe(hidden=1024, layers=12, heads=16, kv_heads=8, vocab=32000, experts=16, topk=2, expert_ffn=512, "
    "shared_ffn=256, dense_layers=1, dense_ffn=2048)"
)
LATENT = (
    "deepseek(hidden=1024, layers=12, heads=16, q_rank=256, kv_rank=128, nope_dim=64, rope_dim=32, value_dim=64, "
    "vocab=32000, experts=16, topk=2, expert_ffn=512, shared_ffn=512, dense_layers=1, dense_ffn=2048)"
)
MODELS = (DENSE, EXPERTS, LATENT)

REGIONS = ("none", "full", *map(frozenset, (["core_attn"], ["attention"], ["layernorm"], ["layernorm", "mlp"])))
OF_EXPERTS = tuple(map(frozenset, (["moe"], ["moe_act", "layernorm"])))


@st.composite
def plans(draw: st.DrawFn, of: str) -> dict[str, Value]:
    """Choices of a plan; sizes divide as SimuMax's own checks ask."""
    dense = of == DENSE
    tp, cp, pp = (draw(st.sampled_from((1, 2, 4))) for _ in range(3))
    ep, etp = (1 if dense else draw(st.sampled_from((1, 2, 4))) for _ in range(2))
    vp = draw(st.sampled_from((1, 3))) if pp > 1 else 1
    recompute = draw(st.sampled_from(REGIONS if dense else (*REGIONS, *OF_EXPERTS)))
    values: dict[str, Any] = {
        "world": pp * lcm(tp * cp, ep * etp) * draw(st.integers(1, 4)),
        "tp": tp, "cp": cp, "pp": pp, "vp": vp, "ep": ep, "etp": etp,
        "mbs": draw(st.integers(1, 4)), "microbatches": pp * draw(st.integers(1, 8)), "seq": cp * 1024,
        "sequence_parallel": draw(st.booleans()),
        "precision": draw(st.sampled_from(("bf16", "fp16", "fp32", "fp8"))),
        "grad_dtype": draw(st.sampled_from(("fp32", "bf16"))),
        "zero": draw(st.sampled_from((0, 1))),
        "recompute": recompute,
        "attention": draw(st.sampled_from(("flash", "unfused"))),
        "cp_comm": draw(st.sampled_from(("a2a", "all_gather"))),
        "overlap_p2p": draw(st.booleans()) or (vp > 1 and pp == 2),
        "overlap_moe": draw(st.booleans()),
        "moe_probs_in_activation": draw(st.booleans()),
        "fused_cross_entropy": draw(st.booleans()),
        "overlap_grad_reduce": draw(st.booleans()),
    }  # fmt: skip
    if isinstance(recompute, frozenset) and recompute & {"layernorm", "moe_act"} and values["precision"] == "fp8":
        values["precision"] = "bf16"
    if recompute == "full" and draw(st.booleans()):
        values["recompute_layers"] = draw(st.integers(1, 11))
    if vp > 1 and draw(st.booleans()):
        values["microbatch_group"] = pp
    if not dense and recompute != "full" and draw(st.booleans()):
        values["offload"] = frozenset({"expert_fc1"})
    if draw(st.booleans()):
        values["te_version"] = draw(st.sampled_from(("2.3.0", "2.10.0")))
    placed = draw(st.sampled_from(("even", "ends", "counted")))
    if placed == "ends":
        values |= {"first_stage_layers": draw(st.integers(1, 4)), "last_stage_layers": draw(st.integers(1, 4))}
    elif placed == "counted":
        values |= {"embedding_in_split": draw(st.booleans()), "loss_in_split": draw(st.booleans())}
    return values
