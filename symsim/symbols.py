"""Every symbol once: name, LaTeX, meaning, unit, domain.

The same names are used in files, flags, formulas and JSON. Definitions that a compilation makes
(``n_dense``, ``A_moe``) take their name, LaTeX and meaning from :func:`describe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sympy import Symbol

Domain = Literal["size", "index", "amount"]
"""size: positive integer; index: integer from 0; amount: a real number."""


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    latex: str
    meaning: str
    unit: str = ""
    domain: Domain = "size"


VOCABULARY: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        # strategy
        Entry("world", "W", "GPUs in the job"),
        Entry("tp", r"\mathit{tp}", "tensor-parallel size"),
        Entry("cp", r"\mathit{cp}", "context-parallel size"),
        Entry("pp", r"\mathit{pp}", "pipeline-parallel size"),
        Entry("vp", r"\mathit{vp}", "virtual pipeline chunks per rank"),
        Entry("ep", r"\mathit{ep}", "expert-parallel size"),
        Entry("etp", r"\mathit{etp}", "expert-tensor-parallel size"),
        Entry("dp", r"\mathit{dp}", "data-parallel size"),
        Entry("edp", r"\mathit{edp}", "data-parallel size of the experts"),
        Entry("mbs", r"\mathit{mbs}", "sequences in one micro-batch on one rank", "sequences"),
        Entry("gbs", r"\mathit{gbs}", "sequences in one step of the job", "sequences"),
        Entry("seq", r"\mathit{seq}", "tokens of one sequence", "tokens"),
        Entry("m", "m", "micro-batches per step"),
        Entry("i", "i", "pipeline stage, from 0", domain="index"),
        Entry("zero_shard", r"\mathit{zero\_shard}", "ranks over which ZeRO spreads one shard"),
        Entry("cp_a2a", r"\mathit{cp\_a2a}", "context-parallel ranks of the all-to-all"),
        Entry("recompute_layers", r"\mathit{recompute\_layers}", "layers recomputed per stage"),
        Entry("microbatch_group", r"\mathit{microbatch\_group}", "micro-batches that pass a chunk in a row"),
        Entry("first_stage_layers", r"\mathit{first\_stage\_layers}", "layers on the first stage"),
        Entry("last_stage_layers", r"\mathit{last\_stage\_layers}", "layers on the last stage"),
        Entry("moe_imbalance", r"\mathit{moe\_imbalance}", "tokens on the busiest expert over the mean", "", "amount"),
        Entry("moe_capacity", r"\mathit{moe\_capacity}", "tokens kept per expert over the mean", "", "amount"),
        Entry("lora_rank", r"\mathit{lora\_rank}", "rank of low-rank adapters"),
        Entry("packing_fill", r"\mathit{packing\_fill}", "share of a sequence that documents fill", "", "amount"),
        Entry("vocab_multiple", r"\mathit{vocab\_multiple}", "the vocabulary is padded to a multiple of this times tp"),
        Entry("tokens", r"\mathit{tokens}", "tokens of the whole run", "tokens"),
        Entry("price", r"\mathit{price}", "price of one GPU for one hour", "", "amount"),
        # model: dimensions that --keep leaves as symbols
        Entry("hidden", "h", "width of the residual stream"),
        Entry("layers", r"\mathit{layers}", "layers of the model"),
        Entry("heads", r"\mathit{heads}", "attention heads"),
        Entry("kv_heads", r"\mathit{kv\_heads}", "key-value heads"),
        Entry("head_dim", "d", "features of one head"),
        Entry("ffn", r"h_{\mathit{ffn}}", "width of the feed-forward"),
        Entry("dense_ffn", r"h_{\mathit{dense}}", "width of the feed-forward in dense layers"),
        Entry("vocab", r"\mathit{vocab}", "vocabulary before padding"),
        Entry("max_positions", r"\mathit{max\_positions}", "learned positions"),
        Entry("window", r"\mathit{window}", "tokens that local attention sees"),
        Entry("experts", "E", "routed experts"),
        Entry("topk", "k", "experts that one token visits"),
        Entry("expert_ffn", r"h_{\mathit{expert}}", "width of one expert"),
        Entry("shared_ffn", r"h_{\mathit{shared}}", "width of the shared experts"),
        Entry("dense_layers", r"\mathit{dense\_layers}", "dense layers before the others"),
        Entry("q_rank", "r_q", "rank of the latent queries"),
        Entry("kv_rank", r"r_{\mathit{kv}}", "rank of the latent keys and values"),
        Entry("nope_dim", r"d_{\mathit{nope}}", "features of one head without rotation"),
        Entry("rope_dim", r"d_{\mathit{rope}}", "rotated features of one head"),
        Entry("value_dim", "d_v", "value features of one head"),
        Entry("mtp_layers", r"\mathit{mtp\_layers}", "layers of multi-token prediction"),
        # machine: other dotted names are spelled out by themselves
        Entry("gpus_per_node", r"\mathit{gpus\_per\_node}", "GPUs of one node"),
        Entry("gpu.power", r"\mathrm{gpu{.}power}", "power of one GPU", "W", "amount"),
        Entry("memory.capacity", r"\mathrm{memory{.}capacity}", "memory of one GPU", "bytes", "amount"),
        Entry("memory.context", r"\mathrm{memory{.}context}", "CUDA context and loaded kernels", "bytes", "amount"),
        Entry(
            "memory.communicator", r"\mathrm{memory{.}communicator}", "buffers of one communicator", "bytes", "amount"
        ),
        Entry(
            "memory.fragmentation",
            r"\mathrm{memory{.}fragmentation}",
            "share of the peak that the allocator reserves and cannot use",
            "",
            "amount",
        ),
        Entry("hbm.bandwidth", r"\mathrm{hbm{.}bandwidth}", "memory bandwidth of one GPU", "B/s", "amount"),
        Entry("hbm.efficiency", r"\mathrm{hbm{.}efficiency}", "share of it that kernels reach", "", "amount"),
        Entry("hbm.latency", r"\mathrm{hbm{.}latency}", "start and end of a memory-bound kernel", "s", "amount"),
        Entry(
            "link.bandwidth",
            r"\mathrm{link{.}bandwidth}",
            "of one GPU inside its island, one direction",
            "B/s",
            "amount",
        ),
        Entry("link.span", r"\mathrm{link{.}span}", "GPUs of one island", "", "amount"),
        Entry(
            "network.bandwidth",
            r"\mathrm{network{.}bandwidth}",
            "of one GPU between nodes, one direction",
            "B/s",
            "amount",
        ),
        Entry("matmul.bf16", r"\mathrm{matmul{.}bf16}", "peak of dense bf16 matrix multiplication", "FLOP/s", "amount"),
        Entry("matmul.fp8", r"\mathrm{matmul{.}fp8}", "peak of dense fp8 matrix multiplication", "FLOP/s", "amount"),
    )
}


@cache
def symbol(name: str) -> Symbol:
    """The one sympy symbol of a name. Sizes are positive integers; the rest is real."""
    from sympy import Symbol

    entry = VOCABULARY.get(name)
    if entry is None or entry.domain == "amount":
        return Symbol(name, real=True)
    if entry.domain == "index":
        return Symbol(name, integer=True, nonnegative=True)
    return Symbol(name, integer=True, positive=True)
