"""Megatron's own FSDP: weights outside of layers stay gathered between micro-batches and steps."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from tests.compiler.asking import values

ENDS = 2 * 1024 * 512 + 512
"""Elements of :data:`~tests.compiler.asking.SMALL` outside of its layers: table, head, last norm."""


def test_table_head_and_last_norm_are_whole_besides_their_shards() -> None:
    plain, own = values("zero=3"), values("zero=3,use_megatron_fsdp=true")
    assert own["whole_ends"] == 2 * ENDS
    assert own["weights"] == plain["weights"] + 2 * ENDS
    assert own["static"] == plain["static"] + 2 * ENDS


def test_they_are_not_gathered_again() -> None:
    own = values("zero=3,use_megatron_fsdp=true")
    assert own.get("gathered_head", 0) == 0
    assert own["gathered"] == values("zero=3")["gathered"]


@pytest.mark.parametrize("zero", [1, 2])
def test_other_sharding_strategies_are_as_without_it(zero: int) -> None:
    assert values(f"zero={zero},use_megatron_fsdp=true") == values(f"zero={zero}")


@pytest.mark.parametrize("choices", ["framework=torchtitan", "use_layer_wise_distributed_optimizer=true"])
def test_it_is_megatrons_alone(choices: str) -> None:
    with pytest.raises(InputError, match="use_megatron_fsdp does not go with"):
        values(f"use_megatron_fsdp=true,{choices}")
