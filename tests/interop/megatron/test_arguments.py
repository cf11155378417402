"""What arguments mean, and what holds where they are left out."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from tests.interop.megatron.runs import command, problem, read

EXPERTS = "--num-experts 8 --moe-router-topk 2 --bf16"
LATENT = (
    "--multi-latent-attention --q-lora-rank 64 --kv-lora-rank 32 "
    "--qk-head-dim 32 --qk-pos-emb-head-dim 16 --v-head-dim 32"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zero", 0), ("sequence_parallel", True), ("dropout", True), ("precision", "fp32"), ("attention", "flash"),
        ("overlap_grad_reduce", False), ("fused_cross_entropy", False), ("world", 8),
    ],
)  # fmt: skip
def test_defaults_of_a_plan(name: str, value: object) -> None:
    assert command("").plan[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("positions", "learned"), ("bias", True), ("qkv_bias", True), ("tied", True), ("norm", "layer"), ("ffn", 1024),
        ("activation", "gelu"), ("kv_heads", 8), ("head_dim", 32), ("max_positions", 512),
    ],
)  # fmt: skip
def test_defaults_of_a_model(name: str, value: object) -> None:
    assert command("").model[name] == value


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("--fp16", "grad_dtype", "fp16"),
        ("--fp16 --accumulate-allreduce-grads-in-fp32", "grad_dtype", "fp32"),
        ("--bf16", "grad_dtype", "fp32"),
        ("--bf16 --grad-reduce-in-bf16", "grad_dtype", "bf16"),
        ("--tensor-model-parallel-size 2", "sequence_parallel", False),
        ("--tensor-model-parallel-size 2 --sequence-parallel", "sequence_parallel", True),
        ("--context-parallel-size 2", "cp_comm", "ring"),
        ("--context-parallel-size 2 --cp-comm-type a2a", "cp_comm", "a2a"),
        (f"{EXPERTS} --tensor-model-parallel-size 2", "etp", 2),
        (f"{EXPERTS} --tensor-model-parallel-size 2 --expert-tensor-parallel-size 1", "etp", 1),
        ("--use-distributed-optimizer", "zero", 1),
        ("--attention-dropout 0 --hidden-dropout 0.0", "dropout", False),
        ("--recompute-granularity full --recompute-method uniform --recompute-num-layers 2", "recompute_layers", 2),
        ("--recompute-granularity selective", "recompute", frozenset({"core_attn"})),
        ("--recompute-activations", "recompute", frozenset({"core_attn"})),
        ("--recompute-granularity selective --recompute-modules layernorm mlp", "recompute",
         frozenset({"layernorm", "mlp"})),
        (f"{EXPERTS} --moe-layer-recompute", "recompute", frozenset({"core_attn", "moe"})),
        ("--pipeline-model-parallel-size 2 --num-layers-per-virtual-pipeline-stage 1", "vp", 2),
        ("--pipeline-model-parallel-size 2 --num-virtual-stages-per-pipeline-rank 2", "vp", 2),
        ("--use-distributed-optimizer --num-distributed-optimizer-instances 2",
         "num_distributed_optimizer_instances", 2),
        ("--bf16 --optimizer muon --use-distributed-optimizer", "use_layer_wise_distributed_optimizer", True),
        ("--bf16 --optimizer muon --use-distributed-optimizer", "zero", 0),
        ("--use-distributed-optimizer --optimizer-cpu-offload", "offload", frozenset({"optimizer"})),
        ("--use-distributed-optimizer --optimizer-cpu-offload --optimizer-offload-fraction 0.5",
         "optimizer_offload_fraction", Fraction(1, 2)),
        (f"{EXPERTS} --fine-grained-activation-offloading --offload-modules moe_act",
         "min_offloaded_tensor_size", 2**20),
        ("--bf16 --fp8-format hybrid --fp8-recipe mxfp8 --first-last-layers-bf16 --num-layers-at-end-in-bf16 2",
         "num_layers_at_end_in_bf16", 2),
        ("--recompute-granularity full --recompute-method block --recompute-num-layers 1 "
         "--distribute-saved-activations "
         "--tensor-model-parallel-size 2", "distribute_saved_activations", True),
        ("--ddp-bucket-size 1000000", "ddp_bucket_size", 1000000),
        (f"{EXPERTS} --fine-grained-activation-offloading --offload-modules expert_fc1 attn_norm", "offload",
         frozenset({"expert_fc1", "attn_norm"})),
        (f"{EXPERTS} --moe-token-dispatcher-type allgather", "moe_dispatch", "all_gather"),
        (f"{EXPERTS} --moe-token-dispatcher-type flex", "moe_dispatch", "deepep"),
        ("--make-vocab-size-divisible-by 64", "vocab_multiple", 64),
        ("--bf16 --fp8-format hybrid --fp8-recipe mxfp8", "precision", "mxfp8"),
        ("--cross-entropy-loss-fusion --cross-entropy-fusion-impl te", "fused_cross_entropy", True),
        ("--cross-entropy-loss-fusion", "cross_entropy_fusion_impl", "native"),
    ],
)  # fmt: skip
def test_arguments_of_a_plan(arguments: str, name: str, value: object) -> None:
    assert command(arguments).plan[name] == value


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("--swiglu", "ffn", 640),
        ("--swiglu", "activation", "swiglu"),
        ("--squared-relu", "activation", "relu2"),
        ("--disable-bias-linear", "bias", False),
        ("--disable-bias-linear --add-qkv-bias", "qkv_bias", True),
        ("--untie-embeddings-and-output-weights", "tied", False),
        ("--normalization RMSNorm", "norm", "rms"),
        ("--position-embedding-type rope", "positions", "rope"),
        ("--group-query-attention --num-query-groups 2", "kv_heads", 2),
        ("--num-query-groups 2", "kv_heads", 8),
        ("--tokenizer-type NullTokenizer", "vocab", 1025),
        (f"{EXPERTS} --moe-ffn-hidden-size 128", "expert_ffn", 128),
        (f"{EXPERTS} --moe-layer-freq ([0]*1+[1]*3)", "feed", ("mlp", "moe", "moe", "moe")),
        (f"{EXPERTS} --moe-layer-freq 2", "feed", ("moe", "mlp", "moe", "mlp")),
        (f"{EXPERTS} --moe-shared-expert-intermediate-size 64", "shared_ffn", 64),
        (f"{EXPERTS} --disable-bias-linear", "expert_bias", False),
        (EXPERTS, "router_bias", True),
        (f"{EXPERTS} --moe-latent-size 64", "expert_width", 64),
        (f"{EXPERTS} --mtp-num-layers 1", "mtp_layers", 1),
        ("--mtp-num-layers 1", "mtp_layers", 1),
        (LATENT, "kv_rank", 32),
        (LATENT, "mixer", "latent"),
        (f"{LATENT} --experimental-attention-variant dsa --dsa-indexer-n-heads 4 --dsa-indexer-head-dim 32 "
         "--dsa-indexer-topk 128", "indexer_topk", 128),
        ("--experimental-attention-variant gated_delta_net --linear-attention-freq 4", "mixer",
         ("delta", "delta", "delta", "full")),
        ("--attention-output-gate", "gate", "per_feature"),
        ("--window-size 127,0", "window", 128),
    ],
)  # fmt: skip
def test_arguments_of_a_model(arguments: str, name: str, value: object) -> None:
    assert command(arguments).model[name] == value


def test_layers_of_a_hybrid_are_letters() -> None:
    found = command("--hybrid-layer-pattern M-M*").model
    assert found["mixer"] == ("mamba2", "none", "mamba2", "full")
    assert found["feed"] == ("none", "mlp", "none", "none")


NAMES = {"num_layers": 4, "hidden_size": 256, "num_attention_heads": 8, "micro_batch_size": 1, "seq_length": 512,
         "vocab_size": 1024}  # fmt: skip
SWITCHES = {f"--{name.replace('_', '-')}": value for name, value in NAMES.items()}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_names_of_the_parser_in_a_mapping(suffix: str) -> None:
    text = json.dumps({**NAMES, "tensor_model_parallel_size": 2, "bf16": True})
    assert read(text, f"args.{suffix}").plan["tp"] == 2


def test_model_args_of_the_functional_tests() -> None:
    switches = {**SWITCHES, "--bf16": True, "--sequence-parallel": False, "--recompute-modules": "[layernorm mlp]",
                "--recompute-granularity": "selective", "--tensor-model-parallel-size": 2}  # fmt: skip
    text = json.dumps({"ENV_VARS": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}, "MODEL_ARGS": switches})
    found = read(text, "model_config.yaml").plan
    assert (found["precision"], found["sequence_parallel"], found["cublas_workspace"]) == ("bf16", False, ":4096:8")
    assert found["recompute"] == frozenset({"layernorm", "mlp"})


def test_a_switch_takes_no_number() -> None:
    text = "\n".join(f"{k}: {v}" for k, v in {**SWITCHES, "--bf16": 3}.items())
    assert problem(text, "args.yaml").startswith("E509 7:1 --bf16 is a switch, not '3'")


def test_what_megatron_refuses() -> None:
    base = "\n".join(f"{k}: {v}" for k, v in SWITCHES.items())
    assert problem(f"{base}\n--fp16: true\n--bf16: true", "a.yaml").startswith("E511")
    assert problem(base.replace("--num-layers: 4\n", ""), "a.yaml").startswith("E511")
    assert "cannot be 'rop'" in problem(f"{base}\n--position-embedding-type: rop", "a.yaml")


def test_the_vocabulary_of_a_tokenizer_is_asked_for() -> None:
    text = "\n".join(f"{k}: {v}" for k, v in SWITCHES.items() if k != "--vocab-size")
    from symsim.interop.formats import translated
    from tests.interop.foreign import text_file

    assert "give vocab" in translated([text_file("a.yaml", text)], "megatron").text
