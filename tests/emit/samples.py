"""Definitions like those a compilation makes, for tests of how they are printed."""

from __future__ import annotations

from typing import Any

from sympy import Float, Integer, Symbol, ceiling

from symsim.functions import equal, less, maximum, minimum, stage_max, stage_pick, stage_sum, table, where
from symsim.records.cost import Definition, Scope
from symsim.symbols import symbol


def names(text: str) -> list[Any]:
    return [symbol(name) for name in text.split()]


def llama3_70b() -> list[Definition]:
    """Memory of one GPU, as in ARCHITECTURE.md, and a few times."""
    tp, cp, pp, dp, mbs, seq, m, i, n, tokens, vocabulary, held, f = names("tp cp pp dp mbs seq m i n T V P f")
    parts = names("weights gradients optimizer activations")
    forward, backward, exposed, qkv = names("F B exposed qkv.forward")
    peak_flops, bandwidth, latency, efficiency = names("matmul.bf16 hbm.bandwidth hbm.latency hbm.efficiency")
    all_reduce = symbol("link.all_reduce.latency")

    traffic = 2 * (tokens * 8192 + 8192 * 10240 / tp + tokens * 10240 / tp)
    measured = table(Symbol("matmul.forward"), tokens, 8192, 10240 / tp)
    table_of_embedding = 8192 * vocabulary / tp

    def sizes(name: str, expression: Any, meaning: str, scope: Scope, unit: str = "") -> Definition:
        return Definition(name, expression, meaning, unit, scope, "sizes")

    def memory(name: str, expression: Any, meaning: str) -> Definition:
        return Definition(name, expression, meaning, "bytes", "stage", "memory")

    def time(name: str, expression: Any, meaning: str, scope: Scope) -> Definition:
        return Definition(name, expression, meaning, "s", scope, "time")

    return [
        sizes("n", 80 / pp, "layers on the stage", "stage"),
        sizes("T", mbs * seq / cp, "tokens of one micro-batch on one rank", "run", "tokens"),
        sizes("V", 128 * tp * ceiling(Integer(128256) / (128 * tp)), "vocabulary with padding", "run"),
        sizes("f", minimum(m, pp - i), "micro-batches in flight", "stage"),
        Definition(
            "P",
            n * (855638016 / tp + 16384)
            + equal(i, 0) * table_of_embedding
            + equal(i, pp - 1) * (table_of_embedding + 8192),
            "parameters held",
            "",
            "stage",
            "params",
        ),
        memory("weights", 2 * held, "of the layers, in bf16"),
        memory("gradients", 4 * held, "accumulated in fp32"),
        memory(
            "optimizer", 12 * held / (dp * cp), "master weights and both moments, spread over the data-parallel ranks"
        ),
        memory(
            "activations",
            f * n * tokens * 274688 / tp + equal(i, pp - 1) * 4 * tokens * vocabulary / tp,
            "saved for backward",
        ),
        memory("peak", sum(parts), "largest at any moment"),
        time(
            "qkv.forward",
            maximum(
                2 * tokens * 8192 * 10240 / (tp * peak_flops * measured), traffic / (bandwidth * efficiency) + latency
            ),
            "query, key and value projection, forward",
            "run",
        ),
        time("F", n * qkv + where(less(i, pp - 1), all_reduce + Float(6e-6), 0), "forward of one micro-batch", "stage"),
        time("B", 2 * forward, "backward of one micro-batch", "stage"),
        time("exposed", stage_sum(forward) / 4, "communication that nothing hides", "run"),
        time(
            "iteration",
            (m + pp - 1) * stage_max(forward + backward) + stage_pick(backward, forward) + exposed,
            "one step",
            "run",
        ),
    ]
