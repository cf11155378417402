"""Every ``model_type`` of Hugging Face that can be read: its family, and a rule for each dimension.

Defaults are those of the configuration classes.
Source: Hugging Face transformers 5.23, models/*/configuration_*.py, and modeling_*.py for which key
makes which weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from symsim.interop.huggingface_rules import (
    Check,
    Rule,
    activation,
    alternating_window,
    always,
    first_dense,
    flag,
    full_every,
    head_dim,
    inner_width,
    kv_heads,
    local_layers,
    local_window,
    must_be,
    needed,
    no_dense_layers,
    no_window,
    product,
    remark,
    same_heads,
    size,
    sparse_layers,
    tied,
    window_everywhere,
    window_if_used,
    with_dense_layers,
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """How one ``model_type`` is read: rules in order, as a rule may use what an earlier one found."""

    family: str
    rules: Mapping[str, Rule]
    checks: tuple[Check, ...] = ()

    def of(self, family: str, without: tuple[str, ...] = ()) -> Architecture:
        """The same rules, but for some dimensions that the other family does not have."""
        return replace(self, family=family, rules={n: r for n, r in self.rules.items() if n not in without})

    def but(self, *checks: Check, **rules: Rule) -> Architecture:
        """The same but for some rules, with further checks."""
        return replace(self, rules={**self.rules, **rules}, checks=(*self.checks, *checks))


_LLAMA = Architecture(
    "llama",
    {
        "hidden": needed("hidden_size", default=4096),
        "layers": needed("num_hidden_layers", default=32),
        "heads": needed("num_attention_heads", default=32),
        "kv_heads": kv_heads("heads"),
        "head_dim": head_dim(),
        "ffn": needed("intermediate_size", default=11008),
        "vocab": needed("vocab_size", default=32000),
        "tied": tied(False),
        "activation": activation("hidden_act", default="silu"),
        "bias": flag("attention_bias", False),
        "mlp_bias": flag("mlp_bias", False),
        "window": no_window,
    },
)
_NO_BIAS: Mapping[str, Rule] = {"bias": always(False), "mlp_bias": always(False)}
_MISTRAL = _LLAMA.but(
    **_NO_BIAS,
    kv_heads=kv_heads(8),
    ffn=needed("intermediate_size", default=14336),
    window=window_everywhere(4096),
)
_QWEN2 = _LLAMA.but(
    **_NO_BIAS,
    kv_heads=kv_heads(32),
    ffn=needed("intermediate_size", default=22016),
    vocab=needed("vocab_size", default=151936),
    qkv_bias=always(True),
    window=window_if_used(by_layer=True),
)
_GLM = _LLAMA.but(
    kv_heads=kv_heads(2),
    head_dim=head_dim(128),
    ffn=needed("intermediate_size", default=13696),
    vocab=needed("vocab_size", default=151552),
    layers=needed("num_hidden_layers", default=40),
    bias=always(False),
    qkv_bias=flag("attention_bias", True),
    mlp_bias=always(False),
)

_GPT = _LLAMA.of("gpt", without=("kv_heads", "head_dim", "mlp_bias")).but(
    tied=tied(True),
    bias=always(True),
    activation=activation("hidden_act", default="gelu", gated=False),
)
_GPT2 = _GPT.but(
    must_be("add_cross_attention", False, "cross-attention"),
    hidden=needed("n_embd", "hidden_size", default=768),
    layers=needed("n_layer", "num_hidden_layers", default=12),
    heads=needed("n_head", "num_attention_heads", default=12),
    head_dim=head_dim(),
    ffn=lambda reading: size("n_inner", default=0, null=0)(reading) or 4 * reading.found("hidden"),
    vocab=needed("vocab_size", default=50257),
    activation=activation("activation_function", default="gelu_new", gated=False),
    max_positions=size("n_positions", "max_position_embeddings", default=1024),
)
_BLOOM = _GPT.but(
    hidden=needed("n_embed", "hidden_size", default=64),
    layers=needed("n_layer", "num_hidden_layers", default=2),
    heads=needed("n_head", "num_attention_heads", default=8),
    head_dim=head_dim(),
    ffn=lambda reading: 4 * reading.found("hidden"),
    vocab=needed("vocab_size", default=250880),
    activation=always("gelu"),
    positions=always("alibi"),
    embedding_norm=always(True),
)

_MIXTRAL = _MISTRAL.of("moe", without=("ffn",)).but(
    window=window_everywhere(0),
    experts=size("num_local_experts", "num_experts", default=8),
    topk=size("num_experts_per_tok", default=2),
    expert_ffn=needed("intermediate_size", default=14336),
)
_QWEN3_MOE = _LLAMA.of("moe", without=("ffn",)).but(
    kv_heads=kv_heads(4),
    vocab=needed("vocab_size", default=151936),
    mlp_bias=always(False),
    qk_norm=always(True),
    window=window_if_used(by_layer=False),
    experts=size("num_experts", "num_local_experts", default=128),
    topk=size("num_experts_per_tok", default=8),
    expert_ffn=size("moe_intermediate_size", default=768),
    dense_layers=sparse_layers,
    dense_ffn=with_dense_layers(needed("intermediate_size", default=6144)),
)
_GLM4_MOE = _LLAMA.of("moe", without=("ffn",)).but(
    remark("num_nextn_predict_layers", "The multi-token module is left out."),
    kv_heads=kv_heads(8),
    vocab=needed("vocab_size", default=151552),
    bias=always(False),
    qkv_bias=flag("attention_bias", False),
    mlp_bias=always(False),
    qk_norm=flag("use_qk_norm", False),
    experts=size("n_routed_experts", "num_local_experts", default=128),
    topk=size("num_experts_per_tok", default=8),
    expert_ffn=size("moe_intermediate_size", default=1408),
    shared_ffn=product("n_shared_experts", "moe_intermediate_size", (1, 1408)),
    dense_layers=first_dense(1),
    dense_ffn=with_dense_layers(needed("intermediate_size", default=10944)),
)

_DEEPSEEK_V3 = _LLAMA.of("deepseek", without=("ffn", "kv_heads", "head_dim", "bias", "mlp_bias", "window")).but(
    same_heads,
    must_be("attention_bias", False, "biases in latent attention"),
    remark("num_nextn_predict_layers", "The multi-token module is left out: --set mtp_layers={} adds it."),
    vocab=needed("vocab_size", default=129280),
    q_rank=size("q_lora_rank", default=1536, null=0),
    kv_rank=size("kv_lora_rank", default=512),
    nope_dim=size("qk_nope_head_dim", default=128),
    rope_dim=size("qk_rope_head_dim", default=64),
    value_dim=size("v_head_dim", default=128),
    experts=size("n_routed_experts", "num_local_experts", default=256),
    topk=size("num_experts_per_tok", default=8),
    expert_ffn=size("moe_intermediate_size", default=2048),
    shared_ffn=product("n_shared_experts", "moe_intermediate_size", (1, 2048)),
    dense_layers=first_dense(3),
    dense_ffn=with_dense_layers(needed("intermediate_size", default=18432)),
)
_DEEPSEEK_V2 = _DEEPSEEK_V3.but(
    must_be("mlp_bias", False, "biases in the feed-forward"),
    vocab=needed("vocab_size", default=102400),
    experts=size("n_routed_experts", "num_local_experts", default=64),
    topk=needed("num_experts_per_tok", default=6),
    expert_ffn=size("moe_intermediate_size", default=1407),
    shared_ffn=product("n_shared_experts", "moe_intermediate_size", (2, 1407)),
    dense_layers=first_dense(0),
)

_GEMMA = _LLAMA.but(
    hidden=needed("hidden_size", default=3072),
    layers=needed("num_hidden_layers", default=28),
    heads=needed("num_attention_heads", default=16),
    kv_heads=kv_heads(16),
    head_dim=head_dim(256),
    ffn=needed("intermediate_size", default=24576),
    vocab=needed("vocab_size", default=256000),
    tied=tied(True),
    mlp_bias=always(False),
    activation=activation("hidden_activation", "hidden_act", default="gelu_pytorch_tanh"),
)
_GEMMA2 = _GEMMA.of("gemma", without=("mlp_bias", "bias")).but(
    must_be("attention_bias", False, "biases in attention"),
    must_be("use_bidirectional_attention", False, "attention in both directions"),
    hidden=needed("hidden_size", default=2304),
    layers=needed("num_hidden_layers", default=26),
    heads=needed("num_attention_heads", default=8),
    kv_heads=kv_heads(4),
    ffn=needed("intermediate_size", default=9216),
    window=local_window(4096),
    locals=local_layers(2),
)
_GEMMA3 = _GEMMA2.but(
    vocab=needed("vocab_size", default=262208),
    qk_norm=always(True),
    locals=local_layers(6),
)

ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": _LLAMA,
    "granite": _LLAMA,
    "mistral": _MISTRAL,
    "phi3": _LLAMA.but(
        **_NO_BIAS,
        hidden=needed("hidden_size", default=3072),
        ffn=needed("intermediate_size", default=8192),
        vocab=needed("vocab_size", default=32064),
        window=window_everywhere(0),
    ),
    "qwen2": _QWEN2,
    "qwen3": _QWEN2.but(
        head_dim=head_dim(128),
        bias=flag("attention_bias", False),
        qkv_bias=flag("attention_bias", False),
        qk_norm=always(True),
    ),
    "seed_oss": _LLAMA.but(
        layers=needed("num_hidden_layers", default=64),
        heads=needed("num_attention_heads", default=80),
        kv_heads=kv_heads(8),
        head_dim=head_dim(128),
        ffn=needed("intermediate_size", default=27648),
        vocab=needed("vocab_size", default=155136),
        bias=flag("attention_out_bias", False),
        qkv_bias=flag("attention_bias", True),
    ),
    "glm": _GLM,
    "gemma": _GEMMA,
    "nemotron": _LLAMA.of("nemotron").but(
        hidden=needed("hidden_size", default=6144),
        heads=needed("num_attention_heads", default=48),
        ffn=needed("intermediate_size", default=24576),
        vocab=needed("vocab_size", default=256000),
        activation=activation("hidden_act", default="relu2", gated=False),
    ),
    "arcee": _LLAMA.of("nemotron").but(
        hidden=needed("hidden_size", default=2560),
        ffn=needed("intermediate_size", default=18432),
        activation=activation("hidden_act", default="relu2", gated=False),
        norm=always("rms"),
    ),
    "gpt2": _GPT2,
    "gpt_neox": _GPT.but(
        must_be("attention_bias", True, "attention without biases"),
        remark("use_parallel_residual", "Attention and feed-forward count as one after the other.", default=True),
        hidden=needed("hidden_size", default=6144),
        layers=needed("num_hidden_layers", default=44),
        heads=needed("num_attention_heads", default=64),
        head_dim=head_dim(),
        ffn=needed("intermediate_size", default=24576),
        vocab=needed("vocab_size", default=50432),
        tied=tied(False),
        positions=always("rope"),
    ),
    "starcoder2": _GPT.but(
        hidden=needed("hidden_size", default=3072),
        layers=needed("num_hidden_layers", default=30),
        heads=needed("num_attention_heads", default=24),
        kv_heads=kv_heads(2),
        head_dim=head_dim(),
        ffn=needed("intermediate_size", default=12288),
        vocab=needed("vocab_size", default=49152),
        activation=activation("hidden_act", default="gelu_pytorch_tanh", gated=False),
        bias=flag("use_bias", True),
        positions=always("rope"),
        window=window_everywhere(0),
    ),
    "bloom": _BLOOM,
    "mixtral": _MIXTRAL,
    "qwen2_moe": _QWEN3_MOE.but(
        must_be("use_sliding_window", False, "a sliding window in some layers"),
        kv_heads=kv_heads(16),
        bias=always(False),
        qkv_bias=flag("qkv_bias", True),
        qk_norm=always(False),
        window=no_window,
        experts=size("num_experts", "num_local_experts", default=60),
        topk=size("num_experts_per_tok", default=4),
        expert_ffn=size("moe_intermediate_size", default=1408),
        shared_ffn=size("shared_expert_intermediate_size", default=5632),
        shared_gate=always(True),
        dense_ffn=with_dense_layers(needed("intermediate_size", default=5632)),
    ),
    "qwen3_moe": _QWEN3_MOE,
    "glm4_moe": _GLM4_MOE,
    "deepseek_v2": _DEEPSEEK_V2,
    "deepseek_v3": _DEEPSEEK_V3,
    "kimi_k2": _DEEPSEEK_V3,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA3,
    "gpt_oss": Architecture(
        "gpt_oss",
        {
            "hidden": needed("hidden_size", default=2880),
            "layers": needed("num_hidden_layers", default=36),
            "heads": needed("num_attention_heads", default=64),
            "kv_heads": kv_heads(8),
            "head_dim": head_dim(64),
            "experts": size("num_local_experts", "num_experts", default=128),
            "topk": size("num_experts_per_tok", default=4),
            "expert_ffn": needed("intermediate_size", default=2880),
            "vocab": needed("vocab_size", default=201088),
            "tied": tied(False),
            "activation": activation("hidden_act", default="silu"),
            "bias": flag("attention_bias", True),
            "window": alternating_window(128),
        },
    ),
    "mamba2": Architecture(
        "mamba",
        {
            "hidden": needed("hidden_size", default=4096),
            "layers": needed("num_hidden_layers", default=64),
            "heads": needed("num_heads", default=128),
            "head_dim": size("head_dim", default=64),
            "state": size("state_size", default=128),
            "groups": size("n_groups", default=8),
            "kernel": size("conv_kernel", default=4),
            "chunk": size("chunk_size", default=256),
            "vocab": needed("vocab_size", default=32768),
            "tied": tied(False),
        },
        (
            inner_width,
            must_be("use_bias", False, "biases in the projections"),
            must_be("use_conv_bias", True, "a convolution without biases"),
        ),
    ),
    "qwen3_next": Architecture(
        "qwen3_next",
        {
            "hidden": needed("hidden_size", default=2048),
            "layers": needed("num_hidden_layers", default=48),
            "heads": needed("num_attention_heads", default=16),
            "kv_heads": kv_heads(2),
            "head_dim": head_dim(256),
            "linear_key_heads": size("linear_num_key_heads", default=16),
            "linear_value_heads": size("linear_num_value_heads", default=32),
            "linear_key_dim": size("linear_key_head_dim", default=128),
            "linear_value_dim": size("linear_value_head_dim", default=128),
            "kernel": size("linear_conv_kernel_dim", default=4),
            "full_every": full_every(4),
            "experts": size("num_experts", "num_local_experts", default=512),
            "topk": size("num_experts_per_tok", default=10),
            "expert_ffn": size("moe_intermediate_size", default=512),
            "shared_ffn": size("shared_expert_intermediate_size", default=512),
            "vocab": needed("vocab_size", default=151936),
            "tied": tied(False),
            "activation": activation("hidden_act", default="silu"),
        },
        (
            no_dense_layers,
            must_be("attention_bias", False, "biases in attention"),
        ),
    ),
}
"""By ``model_type``."""
