"""Small good inputs that the malformed ones are made from."""

from __future__ import annotations

DIMENSIONS = "hidden = 64, layers = 4, heads = 4, ffn = 128, vocab = 256"
MODEL = f"model small = llama({DIMENSIONS})\n"
INLINE = MODEL.partition("= ")[2].strip()
PLAN = "tp=8,pp=4,world=128,gbs=128,seq=8192"
SMALL_PLAN = "world=1,gbs=1,seq=128"
SYSTEM = """system box
gpus_per_node = 8
memory { capacity = 80 GiB }
hbm { bandwidth = 3 TB/s; efficiency = 0.9 }
matmul { bf16 = 989 TFLOP/s; efficiency = 0.7 }
nvlink { span = 8; bandwidth = 450 GB/s }
network { bandwidth = 50 GB/s }
"""

FAMILY = (
    "family mine(hidden, layers, heads, ffn, vocab, kv_heads = heads, head_dim = hidden / heads, tied = false,\n"
    "        bias = false, qkv_bias = bias, mlp_bias = bias, qk_norm = false, window = 0, norm = rms,\n"
    "        activation = swiglu, positions = rope, max_positions = 0, embedding_norm = false) "
)


def family(body: str) -> str:
    """A model of a family of one's own, with what Llama's blocks need as dimensions."""
    return f"{FAMILY}{{\n{body}\n}}\nmodel small = mine({DIMENSIONS})\n"


def layers_of(layer: str, before: str = "") -> str:
    """A family whose layers are ``layer``, behind the items ``before`` that it may use."""
    body = f"    embedding\n    repeat layers {{ {layer} }}\n    normalization\n    head(tied)"
    return f"{before}\n{family(body)}"
