"""Numbers of named formulas for a plan, for specifications of single operators and choices."""

from __future__ import annotations

from symsim.analysis.evaluate import answer
from symsim.loading.question import question

SMALL = "llama(hidden=512, layers=4, heads=8, kv_heads=4, head_dim=64, ffn=1024, vocab=1024)"
"""A dense model with dimensions small enough to count by hand."""

TOKENS = 2048
"""Tokens of one micro-batch of :data:`PLAN` at cp = 1."""

PLAN = f"mbs=1,gbs=64,seq={TOKENS}"


def values(choices: str, model: str = SMALL, world: int = 8) -> dict[str, float]:
    """Every formula of a plan that has one value; of those of a stage, the first stage's."""
    asked = question(model, f"world={world},{PLAN},{choices}".rstrip(","), None)
    found = answer(asked.model, asked.plan, None)
    return {name: found.of_stage(name)[0] for name in found.values}
