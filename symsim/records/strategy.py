"""A training strategy: the choices, what each may be, and which of them select an expression.

*Structural* choices pick which formula is compiled; *sizes* stay symbols inside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Value = int | Fraction | bool | str | frozenset[str]
Kind = Literal["size", "number", "flag", "word", "regions", "text", "lengths"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One name of a strategy. ``default`` ``None`` means: not given."""

    name: str
    kind: Kind
    default: Value | None
    meaning: str
    words: tuple[str, ...] = ()
    structural: bool = True


def _size(name: str, default: int | None, meaning: str) -> Choice:
    return Choice(name, "size", default, meaning, structural=False)


def _flag(name: str, default: bool, meaning: str) -> Choice:
    return Choice(name, "flag", default, meaning)


CHOICES: dict[str, Choice] = {
    choice.name: choice
    for choice in (
        _size("world", None, "GPUs in the job"),
        _size("tp", 1, "tensor-parallel size"),
        _size("cp", 1, "context-parallel size"),
        _size("pp", 1, "pipeline-parallel size"),
        _size("vp", 1, "virtual pipeline chunks per rank"),
        _size("ep", 1, "expert-parallel size"),
        _size("etp", 1, "expert-tensor-parallel size"),
        _size("mbs", 1, "sequences in one micro-batch on one rank"),
        _size("gbs", None, "sequences in one step of the job"),
        _size("microbatches", None, "micro-batches per step; instead of gbs"),
        _size("seq", None, "tokens of one sequence"),
        Choice("lengths", "lengths", None, "tokens of the documents that sequences are made of"),
        _flag("packed", True, "documents follow each other in a sequence; else each is padded to a sequence"),
        Choice("packing_fill", "number", 1, "share of a packed sequence that documents fill", structural=False),
        _flag("sequence_parallel", True, "Megatron's sequence parallelism; no effect at tp = 1"),
        Choice("precision", "word", "bf16", "precision of the GEMMs",
               ("bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4")),
        Choice("grad_dtype", "word", "fp32", "gradient buffer and its reduction", ("fp32", "bf16", "fp16")),
        _flag("fp8_params", False, "quantised weights are kept in the precision of their GEMMs alone"),
        _flag("first_last_layers_bf16", False, "the first and the last layers multiply in bf16"),
        Choice("num_layers_at_start_in_bf16", "size", 1, "of these, layers at the start"),
        Choice("num_layers_at_end_in_bf16", "size", 1, "of these, layers at the end"),
        Choice("optimizer", "word", "adam", "optimizer of the library"),
        Choice("main_params_dtype", "word", "fp32", "master copy of the weights", ("fp32", "fp16", "remainder")),
        Choice("exp_avg_dtype", "word", "fp32", "first moment of Adam", ("fp32", "bf16", "fp16", "fp8")),
        Choice("exp_avg_sq_dtype", "word", "fp32", "second moment of Adam", ("fp32", "bf16", "fp16", "fp8")),
        Choice("zero", "word", 1, "sharding stage", ("0", "1", "2", "3")),
        _size("zero_shard", None, "ranks over which a shard is spread; all of dp·cp if not given"),
        _size("num_distributed_optimizer_instances", 1, "sets of shards, each over a part of the replicas"),
        _flag("use_layer_wise_distributed_optimizer", False,
              "optimizer states of whole parameters are dealt out to ranks"),
        _flag("use_megatron_fsdp", False, "weights outside of layers stay gathered, as Megatron's own FSDP has them"),
        Choice("recompute", "regions", "none", "none, full, per_op_sac, or region names",
               ("none", "full", "per_op_sac")),
        _size("recompute_layers", None, "layers recomputed per stage, for recompute = full"),
        Choice("recompute_method", "word", "block", "how recompute_layers is meant", ("block", "uniform")),
        _flag("distribute_saved_activations", False, "tp ranks share the kept inputs of recomputed layers"),
        Choice("offload", "regions", "none", "what is kept in host memory"),
        _size("min_offloaded_tensor_size", 1, "elements of the smallest saved tensor that offload takes"),
        Choice("optimizer_offload_fraction", "number", 1, "part of the optimizer states that offload keeps on the host",
               structural=False),
        Choice("trainable", "regions", "all", "weights that are trained: all, none or names", ("none", "all")),
        _size("lora_rank", None, "rank of low-rank adapters, which are trained instead of the weights"),
        Choice("lora_targets", "regions", "all", "linear layers that have an adapter", ("all",)),
        Choice("schedule", "word", "1f1b", "pipeline schedule",
               ("1f1b", "interleaved", "gpipe", "zb_h1", "zb_h2", "zb_v", "dualpipe")),
        _size("microbatch_group", None, "micro-batches that pass a virtual chunk in a row; pp if not given"),
        _size("first_stage_layers", None, "layers on the first stage"),
        _size("last_stage_layers", None, "layers on the last stage"),
        _flag("embedding_in_split", False, "the embedding counts as a layer when layers are split"),
        _flag("loss_in_split", False, "the head and loss count as a layer when layers are split"),
        Choice("layout", "text", None, "placement in Megatron's letters"),
        Choice("attention", "word", "flash", "attention kernel", ("flash", "unfused")),
        _flag("dropout", False, "dropout is on"),
        _flag("fused_cross_entropy", False, "the loss is one kernel on the logits in place"),
        _flag("cuda_graph", False, "CUDA graphs remove launch gaps"),
        _flag("moe_probs_in_activation", False, "router probabilities are applied inside the experts' activation"),
        Choice("cp_comm", "word", "a2a", "exchange of context parallelism", ("a2a", "ring", "all_gather", "a2a_ring")),
        _flag("repeat_kv_heads", False, "key-value heads are repeated on tensor-parallel ranks that outnumber them"),
        _size("cp_a2a", None, "ranks of the all-to-all inside cp_comm = a2a_ring"),
        Choice("moe_dispatch", "word", "all_to_all", "token dispatcher",
               ("all_to_all", "all_gather", "deepep", "hybridep")),
        Choice("moe_capacity", "number", None, "tokens kept per expert over the mean", structural=False),
        Choice("moe_imbalance", "number", 1, "tokens on the busiest expert over the mean", structural=False),
        _flag("overlap_grad_reduce", False, "gradient reduction overlaps with the backward pass"),
        _size("ddp_bucket_size", None, "elements of a bucket of gradients; what the framework takes if not given"),
        _flag("overlap_param_gather", False, "parameter gathering overlaps with the forward pass"),
        _flag("overlap_tp", False, "tensor-parallel messages overlap with GEMMs"),
        _flag("overlap_p2p", False, "pipeline messages overlap with compute"),
        _flag("overlap_moe", False, "expert messages overlap with compute"),
        _flag("overlap_moe_expert_parallel_comm", False,
              "expert messages of one micro-batch overlap with compute of another"),
        _flag("delay_wgrad_compute", False, "weight gradients run after the messages that they may overlap with"),
        Choice("framework", "word", "megatron", "software profile",
               ("megatron", "deepspeed", "nanotron", "torchtitan", "fsdp", "internevo")),
        Choice("framework_version", "text", None, "version of the framework, where an older one holds otherwise"),
        Choice("te_version", "text", None, "version of TransformerEngine, for version-dependent buffers"),
        Choice("transformer_impl", "word", "transformer_engine", "modules that layers are made of",
               ("transformer_engine", "local")),
        _flag("gradient_accumulation_fusion", True, "weight gradients are added to their buffer by the GEMM itself"),
        Choice("attention_kernel", "word", "cudnn", "whose kernel attention = flash is",
               ("cudnn", "flash_attn", "auto")),
        _flag("deterministic", False, "only kernels that give the same result in each run"),
        _flag("attention_mask", False, "the data loader makes a mask of the whole attention"),
        Choice("cross_entropy_fusion_impl", "word", "te", "whose kernel fused_cross_entropy is", ("te", "native")),
        _flag("moe_grouped_gemm", True, "the experts of a rank are one grouped product, not one after the other"),
        _flag("defer_embedding_wgrad_compute", False, "weight gradients of the head wait for the end of the pipeline"),
        _size("wgrad_deferral_limit", None, "micro-batches whose weight gradients of the head wait; all if not given"),
        Choice("cublas_workspace", "text", None, "CUBLAS_WORKSPACE_CONFIG, such as :4096:8"),
        _size("vocab_multiple", 128, "the vocabulary is padded to a multiple of this times tp"),
        Choice("fit", "word", "device", "what has to fit into the machine's memory", ("device", "peak", "none"),
               structural=False),
        _size("tokens", None, "tokens of the whole run"),
        Choice("price", "number", None, "price of one GPU for one hour", structural=False),
    )
}  # fmt: skip

SIZE_SYMBOLS = ("world", "tp", "cp", "pp", "ep", "etp", "mbs", "gbs", "seq", "tokens", "price")
"""Sizes that are always symbols of the formula; any other size or number is one only when it is
given and differs from its default."""


FP8_COPIES = "matmul.fp8_copies"
"""The machine's figure of how many copies of a weight its fp8 GEMMs need; in the formulas of ``precision = fp8``."""

TE_WORKSPACE = "matmul.te_workspace"
"""The machine's figure of what TransformerEngine keeps for the GEMMs of one stream."""

TORCH_WORKSPACE = "matmul.torch_workspace"
"""The machine's figure of what torch keeps for the GEMMs of one thread, where ``cublas_workspace`` does not say it."""

FLASH_ATTN = "gpu.flash_attn"
"""The machine's figure of whether TransformerEngine takes FlashAttention of itself: 1, or 0 for cuDNN."""

FLASH_ATTN_DETERMINISTIC = "gpu.flash_attn_deterministic"
"""Likewise, where only deterministic kernels are allowed."""

ASSUMED_FIGURES: dict[str, int] = {
    FLASH_ATTN: 0,
    FLASH_ATTN_DETERMINISTIC: 0,
    FP8_COPIES: 2,
    TE_WORKSPACE: 2**25 + 2**10,
    TORCH_WORKSPACE: 2 * 2**22 + 16 * 2**13,
}
"""Figures of a machine that memory depends on, and what is taken where none is named."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The structural choices of one compilation, hashable.

    ``words`` holds every structural choice; ``symbols`` the optional sizes that are symbols of this
    compilation; ``fixed`` numbers that are not (their defaults, and vp where layers differ in kind).
    """

    words: tuple[tuple[str, Value | None], ...]
    symbols: frozenset[str]
    fixed: tuple[tuple[str, Value], ...]
    _words: dict[str, Value | None] = field(init=False, repr=False, compare=False)
    _all: dict[str, Value | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_words", dict(self.words))
        object.__setattr__(self, "_all", {**dict(self.fixed), **dict(self.words)})

    def __getitem__(self, name: str) -> Value | None:
        return self._words[name]

    def get(self, name: str) -> Value | None:
        return self._all.get(name)
