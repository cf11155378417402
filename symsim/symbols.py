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
        Entry("gbs", r"\mathit{gbs}", "sequences in one step of the whole job", "sequences"),
        Entry("seq", r"\mathit{seq}", "tokens of one sequence", "tokens"),
        Entry("m", "m", "micro-batches per step"),
        Entry("i", "i", "pipeline stage, from 0", domain="index"),
        Entry("zero_shard", r"\mathit{zero\_shard}", "ranks over which ZeRO spreads one shard"),
        Entry("recompute_layers", r"\mathit{recompute\_layers}", "layers recomputed per stage"),
        Entry("first_stage_layers", r"\mathit{first\_stage\_layers}", "layers on the first stage"),
        Entry("last_stage_layers", r"\mathit{last\_stage\_layers}", "layers on the last stage"),
        Entry("moe_imbalance", r"\mathit{moe\_imbalance}", "tokens on the busiest expert over the mean", "", "amount"),
        Entry("moe_capacity", r"\mathit{moe\_capacity}", "tokens kept per expert over the mean", "", "amount"),
        Entry("vocab_multiple", r"\mathit{vocab\_multiple}", "the vocabulary is padded to a multiple of this times tp"),
        Entry("gpus_per_node", r"\mathit{gpus\_per\_node}", "GPUs of one node"),
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
