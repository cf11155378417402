"""Counts of layers in closed form equal what one counts layer by layer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.analysis.evaluate import Answer, evaluator
from symsim.analysis.load import question


def counts(model: str, choices: str) -> dict[str, list[float]]:
    asked = question(model, f"world=1024,gbs=1024,seq=1024,{choices}", None)
    values = evaluator(asked.model, asked.plan.structure).scalar(asked.plan.sizes, None)
    found = Answer(values, int(asked.plan.sizes["pp"]))
    return {n: list(found.of_stage(n)) for n in values if n == "n" or n.startswith(("n_", "r_"))}


def split(kinds: list[str], sizes: list[int]) -> dict[str, list[int]]:
    """Layer by layer: which stage holds how many of each kind."""
    out = {k: [0] * len(sizes) for k in kinds}
    position = 0
    for stage, size in enumerate(sizes):
        for kind in kinds[position : position + size]:
            out[kind][stage] += 1
        position += size
    return out


@settings(max_examples=25)
@given(pp=st.sampled_from([1, 2, 4, 8]), turns=st.integers(1, 6), rest=st.integers(0, 5), locals_=st.integers(1, 5))
def test_a_repeating_pattern_with_a_remainder(pp: int, turns: int, rest: int, locals_: int) -> None:
    layers = turns * (locals_ + 1) + min(rest, locals_)
    if layers % pp:
        return
    model = f"gemma(hidden=64, heads=8, kv_heads=8, ffn=64, vocab=1024, window=16, locals={locals_}, layers={layers})"
    kinds = [("global" if (k + 1) % (locals_ + 1) == 0 else "local") for k in range(turns * (locals_ + 1))]
    kinds += ["local"] * (layers - len(kinds))
    expected = split(kinds, [layers // pp] * pp)
    found = counts(model, f"pp={pp}")
    assert found["n_gemma_local"] == expected["local"]
    assert found["n_gemma_global"] == expected["global"]


@settings(max_examples=25)
@given(
    pp=st.integers(2, 8),
    first=st.integers(1, 9),
    last=st.integers(1, 9),
    each=st.integers(1, 6),
    dense=st.integers(0, 12),
)
def test_uneven_ends_with_dense_layers_first(pp: int, first: int, last: int, each: int, dense: int) -> None:
    sizes = [first, *([each] * (pp - 2)), last]
    layers = sum(sizes)
    dense = min(dense, layers - 1)
    model = (
        f"moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, dense_ffn=64, layers={layers},"
        f"dense_layers={dense})"
    )
    found = counts(model, f"pp={pp},first_stage_layers={first},last_stage_layers={last}")
    expected = split(["dense"] * dense + ["moe"] * (layers - dense), sizes)
    name = "n_moe_decoder" if dense else "n"
    assert found[name] == expected["moe"]
    if dense:
        assert found["n_dense_decoder"] == expected["dense"]


@settings(max_examples=25)
@given(pp=st.sampled_from([2, 4]), vp=st.sampled_from([2, 3]), each=st.integers(1, 3), dense=st.integers(1, 8))
def test_virtual_chunks_lie_round_robin(pp: int, vp: int, each: int, dense: int) -> None:
    layers = pp * vp * each
    dense = min(dense, layers - 1)
    model = (
        f"moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, dense_ffn=64, layers={layers},"
        f"dense_layers={dense})"
    )
    chunks = split(["dense"] * dense + ["moe"] * (layers - dense), [each] * (pp * vp))
    found = counts(model, f"pp={pp},vp={vp}")
    for kind, name in (("dense", "n_dense_decoder"), ("moe", "n_moe_decoder")):
        assert found[name] == [sum(chunks[kind][c * pp + stage] for c in range(vp)) for stage in range(pp)]


@settings(max_examples=25)
@given(pp=st.sampled_from([1, 2, 4]), again=st.integers(1, 12), dense=st.integers(1, 5))
def test_the_first_layers_of_each_stage_are_recomputed(pp: int, again: int, dense: int) -> None:
    layers = 8
    kinds = ["dense"] * dense + ["moe"] * (layers - dense)
    model = (
        f"moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, dense_ffn=64, layers={layers},"
        f"dense_layers={dense})"
    )
    found = counts(model, f"pp={pp},recompute=full,recompute_layers={again}")
    size = layers // pp
    for kind, name in (("dense", "r_dense_decoder"), ("moe", "r_moe_decoder")):
        expected = [kinds[s * size : s * size + min(again, size)].count(kind) for s in range(pp)]
        assert found[name] == expected
