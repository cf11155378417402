"""The sets of a strategy as structural variants, each with the sizes that vary in it."""

from __future__ import annotations

import pytest

from symsim.analysis.searching.space import Space, Variant, load_space, variants
from symsim.diagnostics import InputError

JOB = "world=8,gbs=16,seq=1024"


def space(sets: str) -> Space:
    return load_space("llama3_8b", f"{JOB},{sets}", "h100_sxm")


def variants_of(sets: str) -> list[Variant]:
    return [v for v in variants(space(sets)) if isinstance(v, Variant)]


def test_a_variant_varies_sizes_of_several_values_alone() -> None:
    found = variants_of("tp in {2},mbs in {1, 2},zero in {1, 3},pp in {1, 2}")
    assert [v.plan.values["zero"] for v in found] == [1, 3]
    assert {tuple(axis.name for axis in v.axes) for v in found} == {("mbs", "pp")}


def test_variants_and_their_axes_are_all_points_of_the_space() -> None:
    sets = "mbs in {1, 2, 4},vp in {1, 2},zero in {1, 3},hbm.bandwidth in {3 TB/s, 4 TB/s}"
    assert sum(v.points for v in variants_of(sets)) == space(sets).points


def test_too_many_structures_name_each_set_of_several_structural_values() -> None:
    flags = (
        *("sequence_parallel", "dropout", "cuda_graph", "overlap_tp", "overlap_p2p", "overlap_moe", "loss_in_split"),
        *("overlap_grad_reduce", "overlap_param_gather", "fused_cross_entropy", "fp8_params", "embedding_in_split"),
    )
    sets = ",".join(f"{name} in {{true, false}}" for name in flags)
    with pytest.raises(InputError) as problem:
        list(
            variants(
                space(f"{sets},zero in {{0, 1, 2, 3}},precision in {{bf16, fp8}},optimizer in {{adam}},tp in {{1, 2}}")
            )
        )
    assert problem.value.diagnostics[0].hint == (
        f"give some structural choices one value: {', '.join((*flags, 'zero', 'precision'))}"
    )
