"""What a rank of a pipeline runs: passes of one chunk for one micro-batch, in an order.

A pass is forward (F), backward with respect to the input (B) or to the weights (W); B of a schedule
without W is the whole backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["F", "B", "W"]


@dataclass(frozen=True, slots=True)
class Pass:
    """``paired``: it runs at once with its neighbour in the order, a forward pass before a backward one."""

    kind: Kind
    chunk: int
    micro_batch: int
    paired: bool = False


Order = list[Pass]


def stage(schedule: str, p: int, i: int, chunk: int) -> tuple[int, int]:
    """The pipeline (DualPipe runs two) and the stage of it that a chunk of rank ``i`` is."""
    if schedule == "zb_v":
        return 0, (2 * p - 1 - i if chunk else i)
    if schedule == "dualpipe":
        return chunk, (p - 1 - i if chunk else i)
    return 0, chunk * p + i
