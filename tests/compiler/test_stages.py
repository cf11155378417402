"""Counts of layers in closed form equal what one counts layer by layer."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from symsim.analysis.evaluate import Answer, evaluator
from symsim.loading.question import question

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example is a compilation: no shrinking."""


def answers(model: str, choices: str) -> dict[str, list[float]]:
    """Every number of each rank, and the rules of the plan hold."""
    asked = question(model, f"world=1024,gbs=1024,seq=1024,{choices}", None)
    compiled = evaluator(asked.model, asked.plan.structure)
    values = compiled.scalar(asked.plan.sizes, None)
    found = Answer(values, int(asked.plan.sizes["pp"]))
    return {n: list(found.of_stage(n)) for n in values}


def counts(model: str, choices: str) -> dict[str, list[float]]:
    found = answers(model, choices)
    return {n: v for n, v in found.items() if n in ("n", "r") or n.startswith(("n_", "r_"))}


def dense_first(layers: int, dense: int) -> str:
    return (
        f"moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, dense_ffn=64, layers={layers},"
        f"dense_layers={dense})"
    )


WIDTH, TABLE = 64, 1024 * 64
LAYER = 4 * 64 * 64 + 3 * 64 * 64 + 2 * 64
"""Elements of a final norm, of an embedding, and of a layer of ``uniform``."""


def uniform(layers: int) -> str:
    return f"llama(hidden=64, heads=8, ffn=64, vocab=1024, layers={layers})"


def walk(sizes: list[int], dense: int, chunks: list[list[int]]) -> list[tuple[int, int]]:
    """Layer by layer: dense and other layers of each rank, which holds these of the stages."""
    kinds = ["dense"] * dense + ["moe"] * (sum(sizes) - dense)
    of = split(kinds, sizes)
    return [(sum(of["dense"][k] for k in own), sum(of["moe"][k] for k in own)) for own in chunks]


def placed(choices: str, sizes: list[int], dense: int, chunks: list[list[int]]) -> None:
    """The counts of a model with dense layers first are the walk's, and so are the parameters of one
    with all layers alike."""
    layers = sum(sizes)
    expected = walk(sizes, dense, chunks)
    found = counts(dense_first(layers, dense), choices)
    assert list(zip(found["n_dense_decoder"], found["n_moe_decoder"], strict=True)) == expected
    ends = [TABLE * (0 in own) + (TABLE + WIDTH) * (len(sizes) - 1 in own) for own in chunks]
    held = [(a + b) * LAYER + end for (a, b), end in zip(expected, ends, strict=True)]
    assert answers(uniform(layers), choices)["P"] == held


def round_robin(pp: int, vp: int) -> list[list[int]]:
    return [[c * pp + i for c in range(vp)] for i in range(pp)]


def megatron(layers: int, pp: int, vp: int, first: int | None, last: int | None, ends: tuple[int, int]) -> list[int]:
    """Layers of every stage, as Megatron-Core's get_num_layers_to_build counts them, one by one."""
    sizes = []
    for turn in range(vp):
        for rank in range(pp):
            if first is not None or last is not None:
                left = layers - (first or 0) - (last or 0)
                between = pp - (first is not None) - (last is not None)
                held = left // between if between else 0
                held = first if rank == 0 and first is not None else held
                held = last if rank == pp - 1 and last is not None else held
                sizes.append(held // vp)
            else:
                held = (layers + sum(ends)) // pp // vp
                held -= ends[0] * (rank == 0 and turn == 0) + ends[1] * (rank == pp - 1 and turn == vp - 1)
                sizes.append(held)
    return sizes


def split(kinds: list[str], sizes: list[int]) -> dict[str, list[int]]:
    """Layer by layer: which stage holds how many of each kind."""
    out = {k: [0] * len(sizes) for k in kinds}
    position = 0
    for stage, size in enumerate(sizes):
        for kind in kinds[position : position + size]:
            out[kind][stage] += 1
        position += size
    return out


@settings(max_examples=12)
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


@settings(max_examples=12)
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


@settings(max_examples=12)
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


@settings(max_examples=12)
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


@settings(max_examples=10, phases=QUICK)
@given(
    pp=st.integers(2, 6),
    vp=st.integers(1, 3),
    first=st.one_of(st.none(), st.integers(1, 4)),
    last=st.one_of(st.none(), st.integers(1, 4)),
    each=st.integers(1, 4),
    dense=st.integers(1, 12),
)
def test_given_ends_under_virtual_chunks(
    pp: int, vp: int, first: int | None, last: int | None, each: int, dense: int
) -> None:
    if first is None and last is None:
        return
    on_rank = [vp * (each if n is None else n) for n in (first, *([None] * (pp - 2)), last)]
    layers = sum(on_rank)
    ends = [f"{n}_stage_layers={vp * v}" for n, v in (("first", first), ("last", last)) if v is not None]
    sizes = megatron(layers, pp, vp, None if first is None else vp * first, None if last is None else vp * last, (0, 0))
    assert sum(sizes) == layers
    placed(f"pp={pp},vp={vp},{','.join(ends)}", sizes, min(dense, layers - 1), round_robin(pp, vp))


@settings(max_examples=10, phases=QUICK)
@given(
    pp=st.sampled_from([1, 2, 3, 4, 8]),
    vp=st.integers(1, 3),
    share=st.integers(2, 4),
    ends=st.sampled_from([(0, 1), (1, 0), (1, 1)]),
    dense=st.integers(1, 12),
)
def test_embedding_and_loss_that_count_as_layers(
    pp: int, vp: int, share: int, ends: tuple[int, int], dense: int
) -> None:
    layers = pp * vp * share - sum(ends)
    if layers < 2 or (pp == 1 and vp > 1):
        return
    sizes = megatron(layers, pp, vp, None, None, ends)
    assert sum(sizes) == layers
    choices = ",".join(n for n, on in zip(("embedding_in_split=true", "loss_in_split=true"), ends, strict=True) if on)
    placed(f"pp={pp},vp={vp},{choices}", sizes, min(dense, layers - 1), round_robin(pp, vp))


@settings(max_examples=12, phases=QUICK)
@given(
    pp=st.integers(1, 6),
    vp=st.integers(1, 3),
    schedule=st.sampled_from(["interleaved", "gpipe", "zb_h1", "zb_v", "dualpipe"]),
    draw=st.data(),
    dense=st.integers(1, 12),
)
def test_every_stage_written_out(pp: int, vp: int, schedule: str, draw: st.DataObject, dense: int) -> None:
    turns = {"interleaved": vp, "zb_v": 2}.get(schedule, 1)
    if (schedule == "interleaved" and pp == 1 and vp > 1) or (schedule == "dualpipe" and pp % 2):
        return
    sizes = draw.draw(st.lists(st.integers(0, 3), min_size=pp * turns, max_size=pp * turns))
    layers = sum(sizes)
    if layers < 2:
        return
    text = "E" + "|".join("t" * k for k in sizes) + "L"
    chunks = round_robin(pp, turns)
    if schedule == "zb_v":
        chunks = [[i, 2 * pp - 1 - i] for i in range(pp)]
    elif schedule == "dualpipe":
        chunks = [[i, pp - 1 - i] for i in range(pp)]
    placed(f'pp={pp},schedule={schedule},layout="{text}"', sizes, min(dense, layers - 1), chunks)


@settings(max_examples=8, phases=QUICK)
@given(pp=st.sampled_from([2, 4, 6]), each=st.integers(1, 3), dense=st.integers(1, 8))
def test_both_ways_and_there_and_back(pp: int, each: int, dense: int) -> None:
    back = [[i, 2 * pp - 1 - i] for i in range(pp)]
    placed(f"pp={pp},schedule=zb_v", [each] * (2 * pp), min(dense, 2 * pp * each - 1), back)
    both = [[i, pp - 1 - i] for i in range(pp)]
    if pp * each > 1:
        placed(f"pp={pp},schedule=dualpipe", [each] * pp, min(dense, pp * each - 1), both)


def elements(choices: str, tied: bool) -> list[float]:
    model = f"llama(hidden=64, heads=8, ffn=64, vocab=1024, layers=8, tied={'true' if tied else 'false'})"
    return answers(model, choices)["P"]


@pytest.mark.parametrize("tied", [False, True])
def test_the_v_holds_both_ends_on_the_first_rank(tied: bool) -> None:
    ends = (1 if tied else 2) * TABLE + WIDTH
    assert elements("pp=4,schedule=zb_v", tied) == [2 * LAYER + ends, 2 * LAYER, 2 * LAYER, 2 * LAYER]


@pytest.mark.parametrize("tied", [False, True])
def test_dualpipe_holds_two_copies_of_the_model(tied: bool) -> None:
    ends = (1 if tied else 2) * TABLE + WIDTH
    assert elements("pp=4,schedule=dualpipe", tied) == [4 * LAYER + ends, 4 * LAYER, 4 * LAYER, 4 * LAYER + ends]


def test_the_first_layers_of_each_chunk_are_recomputed() -> None:
    found = counts(uniform(24), "pp=2,vp=3,recompute=full,recompute_layers=3")
    assert found["r"] == [9, 9]
    found = counts(uniform(24), "pp=2,vp=3,recompute=full,recompute_layers=7")
    assert found["r"] == [12, 12]


@pytest.mark.parametrize("choices", ["pp=2", "pp=2,vp=3", "pp=2,schedule=zb_h1", "pp=4,first_stage_layers=3"])
def test_what_runs_again_together_is_at_most_a_chunk_of_layers(choices: str) -> None:
    """Megatron-Core ends the last uniform chunk where the layers of the model chunk end."""
    again = f"{choices},recompute=full,recompute_method=uniform,recompute_layers="
    whole, more = answers(uniform(24), f"{again}12"), answers(uniform(24), f"{again}1000")
    assert more["peak"] == whole["peak"]
