"""The size of a job whose strategy leaves it out: tokens of a sequence and sequences of a step, with the reason."""

from __future__ import annotations

from math import log2

from symsim.records.model import Model

USUAL_CONTEXT = 4096
"""Tokens of a sequence where the model does not state its context (``max_positions``)."""

STEP_TOKENS = 4 * 2**20
"""Tokens of a step where no ``gbs`` is given: what large models are pre-trained with (Llama 3, arXiv:2407.21783,
section 3.4.2, begins with 4 M and 4,096 tokens a sequence; DeepSeek-V2, arXiv:2405.04434, section 3.1.2)."""


def usual_sequence(model: Model) -> tuple[int, str]:
    """Tokens of a sequence, and why so many."""
    context = model.dimensions.get("max_positions", 0)
    if isinstance(context, int) and not isinstance(context, bool) and context > 0:
        return context, "the model's own context"
    return USUAL_CONTEXT, "the model does not state its context"


def usual_step(world: int, seq: int) -> tuple[int, str]:
    """Sequences of a step, and why so many: about 4 M tokens, in a number that the GPUs share evenly.

    It is a power of two times the odd part of the number of GPUs, as far as a step has so many sequences.
    """
    wanted = max(1.0, STEP_TOKENS / seq)
    odd = world // (world & -world)
    unit = odd if odd <= wanted else 1
    gbs = unit * 2 ** max(0, round(log2(wanted / unit)))
    return gbs, f"about {gbs * seq / 1e6:.2g} M tokens a step"
