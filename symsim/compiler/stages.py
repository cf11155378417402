"""Pass 3, what each rank of the pipeline holds: how many layers of each kind, in closed form.

A rank holds one chunk of the model, or several: each is a stage of the pipeline, an interval [a, b) of
layers (``compiler/placement.py``), with the embedding if it is the first and the head if it is the last.
A run of layers of one kind lies at ``start + turn·period + residue … + width``; the count in a chunk is the
difference of two prefix counts, exact for uneven splits, dense-first models and repeating patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.legality_rules import make_rule
from symsim.compiler.placement import Placement, Position, forward, mirrored, placement
from symsim.compiler.profile import Profile
from symsim.compiler.rounding import rounded_down
from symsim.compiler.simplify import tidy, total
from symsim.diagnostics import error
from symsim.functions import at_most, less, maximum, minimum, remainder
from symsim.records.cost import Rule
from symsim.records.graph import Graph, Slot, Unit
from symsim.records.strategy import Structure
from symsim.symbols import symbol

BEFORE_ALL, AFTER_ALL = -1, 1_000_000
"""Segments of what stands before and after all layers; units after them follow each other."""

Counts = tuple[Expr, ...]
"""One number for each chunk of a rank."""


@dataclass(frozen=True, slots=True)
class Part:
    """A unit as a rank holds it: ``count`` of them, ``recomputed`` of which are recomputed whole.

    ``in_chunks`` and ``recomputed_in_chunks`` tell chunks apart. ``untied`` of them are on ranks without
    the embedding. ``segments`` are the first and last stretch of the model that it lies in; a repeating
    pattern is one stretch.
    """

    unit: Unit
    count: Expr
    recomputed: Expr
    in_chunks: Counts
    recomputed_in_chunks: Counts
    is_layer: bool
    segments: tuple[int, int]
    untied: Expr


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of a rank in order: embedding, kinds of layers, head.

    ``chunks``: how many chunks the parts tell apart. It is 1 where ``alike``, the number of chunks of a
    rank, is more and all hold the same layers. ``copies`` of the model are held by the pipeline, and a
    micro-batch passes one of them. ``has_previous``: 1 on a rank with a chunk that has another before it;
    ``has_next``: with one that has another after it. ``predictions_from``, ``predictions_to``: predictions of further
    tokens that the residual stream from the stage before, and to the stage after, has with it.
    """

    parts: tuple[Part, ...]
    rules: tuple[Rule, ...]
    may_be_empty: bool
    chunks: int
    alike: Expr
    copies: int
    has_previous: Expr
    has_next: Expr
    predictions_from: Expr = Integer(0)  # noqa: RUF009
    predictions_to: Expr = Integer(0)  # noqa: RUF009

    @property
    def returns_gradient(self) -> bool:
        """Whether a gradient of the stream leaves the head, and goes back from stage to stage."""
        head = self.parts[-1].unit
        return head.input not in head.constants


@dataclass(frozen=True, slots=True)
class _Run:
    """Layers of one kind side by side within a repeating pattern."""

    unit: Unit
    start: Expr
    period: int
    residue: int
    width: int
    repeats: Expr


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A stage of the pipeline as its rank sees it: ``held`` layers from ``a`` on; 1 where it begins or
    ends the model, has the last layer, or the layers of multi-token prediction."""

    a: Expr
    held: Expr
    has_embedding: Expr
    has_head: Expr
    no_embedding: Expr
    suffix: str
    has_final: Expr
    has_multi_token: Expr

    def has_previous(self, count: Expr) -> Expr:
        """Where its first ``count`` layers end."""
        end = self.a + count
        return _factored(end)


def stages(graph: Graph, structure: Structure, profile: Profile, ledger: Ledger) -> Stages:
    """Count the layers of each kind on rank ``i`` of the pipeline.

    Source: Megatron-Core, transformer_block.get_num_layers_to_build.
    """
    runs = _runs(graph.slots)
    single = len({r.unit.name for r in runs}) == 1
    chunks, placed, alike = _chunks(graph, single, structure, profile, ledger)
    by_block = "recompute_layers" in structure.symbols and structure["recompute_method"] == "block"
    again = symbol("recompute_layers") if by_block and structure["recompute"] == "full" else None
    kinds = _kinds(runs, chunks, single, graph.layers, None if again is None else alike * again)
    if not single:
        _leave_the_rest_to_the_longest(kinds, chunks)
    apart = structure["schedule"] not in ("zb_v", "dualpipe")
    parts = [_end(graph.prologue, chunks, [c.has_embedding for c in chunks], BEFORE_ALL, apart)]
    for kind in kinds:
        suffix = "" if single else f"_{kind.unit.name}"
        held = _named(kind.held, "n", suffix, f"{'' if single else kind.unit.name + ' '}layers", "", chunks, ledger)
        whole = held if structure["recompute"] == "full" else [Integer(0)] * (len(chunks) + 1)
        if again is not None:
            what = f"{'' if single else kind.unit.name + ' '}layers"
            whole = _named(kind.again, "r", suffix, what, ", recomputed", chunks, ledger)
        parts.append(
            Part(kind.unit, held[-1], whole[-1], tuple(held[:-1]), tuple(whole[:-1]), True, kind.segments, Integer(0))
        )
    after = graph.after
    for segment, (unit, where_held) in enumerate(
        (
            (after.final, [c.has_final for c in chunks]),
            (after.multi_token, [c.has_multi_token for c in chunks]),
            (after.head, [c.has_head for c in chunks]),
        )
    ):
        if unit is not None:
            parts.append(_end(unit, chunks, where_held, AFTER_ALL + segment, apart))
    copies = 2 if structure["schedule"] == "dualpipe" else 1
    i, pp = symbol("i"), symbol("pp")
    alone = len(chunks) == 1 and alike == 1
    has_previous, has_next = (less(0, i), less(i, pp - 1)) if alone else (less(1, pp), less(1, pp))
    rules = (*placed.rules, *_recompute_rules(graph, structure))
    sent = _predictions(graph.layers_of_head, placed, _positions(structure)[-1][1]) if placed.apart is not None else ()
    return Stages(tuple(parts), rules, placed.may_be_empty, len(chunks), alike, copies, has_previous, has_next, *sent)


def _recompute_rules(graph: Graph, structure: Structure) -> tuple[Rule, ...]:
    """Source: Megatron-Core 0.16.1, multi_token_prediction.py (_checkpointed_forward)."""
    uniform = structure["recompute_method"] == "uniform" and "recompute_layers" in structure.symbols
    if graph.after.multi_token is None or not uniform or structure["recompute"] != "full":
        return ()
    message = "{recompute_layers} is not 1: layers of multi-token prediction run again one at a time"
    return (make_rule(symbol("recompute_layers"), "==", Integer(1), message),)


def _predictions(count: int, placed: Placement, at: Position) -> tuple[Expr, Expr]:
    """How many predictions the stream has with it on its way to a rank and from it, behind their layers.

    Source: Megatron-Core 0.16.1, multi_token_prediction.MultiTokenPredictionBlock.forward: they are put together.
    """
    start, last = Integer(placed.apart), symbol("pp") - 1
    return count * less(start, at.index), count * at_most(start, at.index) * less(at.index, last)


def _chunks(
    graph: Graph, single: bool, structure: Structure, profile: Profile, ledger: Ledger
) -> tuple[list[_Chunk], Placement, Expr]:
    """The chunks of rank ``i``, where they lie, and how many equal ones each of them stands for.

    Where all layers are of a ``single`` kind and all chunks of a rank hold equally many, one stands for
    all of them and vp stays a symbol.
    """
    head = _head_work(graph)
    if single and "vp" in structure.symbols and structure["schedule"] == "interleaved":
        vp = symbol("vp")
        placed = placement(graph.layers, vp, structure, profile, head, ledger)
        if placed.alike:
            at = forward()
            last = at.is_last
            whole = _Chunk(Integer(0), vp * placed.held(0, at), at.is_first, last, at.after_first, "", last, last)
            return [whole], placed, vp
    positions = _positions(structure)
    turns = Integer(1 + max(turn for turn, _ in positions))
    placed = placement(graph.layers, turns, structure, profile, head, ledger)
    chunks = [
        _Chunk(
            Integer(0) if single else placed.first(turn, at),
            placed.held(turn, at),
            at.is_first if turn == 0 else Integer(0),
            _ends(turn, turns, at),
            at.after_first if turn == 0 else Integer(1),
            f".{k}" if len(positions) > 1 else "",
            placed.last_layer(turn, at) if placed.last_layer else _ends(turn, turns, at),
            placed.multi_token(turn, at) if placed.multi_token else _ends(turn, turns, at),
        )
        for k, (turn, at) in enumerate(positions)
    ]
    return chunks, placed, Integer(1)


def _ends(turn: int, turns: Expr, at: Position) -> Expr:
    """1 where the model ends."""
    return at.is_last if turn == turns - 1 else Integer(0)


def _head_work(graph: Graph) -> Expr:
    """Forward GEMM FLOPs of the head, in layers of the model's mean."""

    def work(unit: Unit) -> Expr:
        return tidy(total(k.flops for o in unit.operators for k in o.work["forward"].kernels if k.rate == "matmul"))

    layers = sympy.Add(*(slot.repeats * work(slot.unit) for slot in graph.slots))
    head = sympy.Add(*map(work, graph.after.units))
    return sympy.Integer(0) if layers == 0 else sympy.cancel(head * graph.layers / layers)


class NumberNeededError(Exception):
    """A structure leaves a size open, and its formulas need the number: each value has its own."""


MAX_CHUNKS = 128
"""Most chunks of a rank that are told apart: moments times chunks are the terms of what is held."""


def _positions(structure: Structure) -> list[tuple[int, Position]]:
    """The stages of the pipeline that rank ``i`` holds: the turn and the position of each.

    ZB-V comes back on the way that it went; DualPipe holds a second copy of the model the other way
    round (Qi et al. 2024, "Pipeline Parallelism with Controllable Memory"; DeepSeek-V3 report, 3.2.1).

    Raises:
        InputError: E312, more chunks than are told apart.
    """
    match structure["schedule"]:
        case "zb_v":
            return [(0, forward()), (1, mirrored())]
        case "dualpipe":
            return [(0, forward()), (0, mirrored())]
        case "interleaved":
            vp = structure.get("vp")
            if not isinstance(vp, int):
                raise NumberNeededError("vp")
            if vp > MAX_CHUNKS:
                about = "layout" if structure["layout"] is not None else "vp"
                message = f"a rank has {vp:,} virtual chunks that differ"
                raise error(
                    "E312", message, None, f"at most {MAX_CHUNKS} are distinguished: take a smaller vp", about=about
                )
            return [(turn, forward()) for turn in range(vp)]
    return [(0, forward())]


def virtual_chunks(structure: Structure) -> Expr:
    """Stages of the pipeline that one micro-batch passes on one rank: vp, 2 for ZB-V, else 1."""
    if structure["schedule"] == "zb_v":
        return Integer(2)
    return symbol("vp") if structure["schedule"] == "interleaved" and "vp" in structure.symbols else Integer(1)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Layers of one kind: how many each chunk holds, and recomputes."""

    unit: Unit
    held: list[Expr]
    again: list[Expr]
    segments: tuple[int, int]


def _kinds(runs: list[_Run], chunks: list[_Chunk], single: bool, layers: Expr, recomputed: Expr | None) -> list[_Kind]:
    """``recomputed``: how many layers at the front of each chunk are recomputed."""
    starts = list(dict.fromkeys(r.start for r in runs))
    kinds: dict[str, _Kind] = {}
    for run in runs:
        segment = starts.index(run.start)
        held = [c.held if single else _between(run, c.a, c.has_previous(c.held), layers) for c in chunks]
        again = [Integer(0)] * len(chunks)
        if recomputed is not None:
            fronts = [minimum(recomputed, c.held) for c in chunks]
            again = (
                fronts
                if single
                else [_between(run, c.a, c.has_previous(f), layers) for c, f in zip(chunks, fronts, strict=True)]
            )
        known = kinds.get(run.unit.name)
        if known is not None and not single:
            held = [a + b for a, b in zip(known.held, held, strict=True)]
            again = [a + b for a, b in zip(known.again, again, strict=True)]
        first = segment if known is None else known.segments[0]
        kinds[run.unit.name] = _Kind(run.unit, held, again, (first, segment))
    return list(kinds.values())


def _leave_the_rest_to_the_longest(kinds: list[_Kind], chunks: list[_Chunk]) -> None:
    """The kind with the longest counts is what the others leave of each chunk's layers.

    It is counted last, so that the others have their names by then.
    """
    longest = max(kinds, key=lambda kind: sum(held.count_ops() for held in kind.held))
    kinds.remove(longest)
    rest = [c.held for c in chunks]
    for kind in kinds:
        for k, (chunk, held) in enumerate(zip(chunks, kind.held, strict=True)):
            rest[k] -= held if held.is_Number else symbol(f"n{chunk.suffix}_{kind.unit.name}")
    kinds.append(_Kind(longest.unit, rest, longest.again, longest.segments))


def _named(
    amounts: list[Expr], letter: str, suffix: str, what: str, state: str, chunks: list[_Chunk], ledger: Ledger
) -> list[Expr]:
    """A count for each chunk, and last the one for the rank, by their names."""
    if len(chunks) == 1:
        whole = ledger.define(f"{letter}{suffix}", amounts[0], f"{what} on the stage{state}", "", "sizes")
        return [whole, whole]
    out = [
        ledger.define(f"{letter}{c.suffix}{suffix}", amount, f"{what} in chunk {k} of the rank{state}", "", "sizes")
        for k, (c, amount) in enumerate(zip(chunks, amounts, strict=True))
    ]
    return [*out, ledger.define(f"{letter}{suffix}", sympy.Add(*out), f"{what} on the rank{state}", "", "sizes")]


def _end(unit: Unit, chunks: list[_Chunk], present: list[Expr], segment: int, apart: bool) -> Part:
    """The embedding, or what comes after all layers, in the chunks where it is present.

    Chunks that are models ``apart`` each have their copy of a shared table; else a rank that has the embedding in any
    chunk needs no other.
    """
    none = (Integer(0),) * len(chunks)
    embeddings = [c.has_embedding for c in chunks]
    nowhere = sympy.Mul(*(c.no_embedding for c in chunks))
    untied = sympy.Add(
        *(
            p * (c.no_embedding if apart else nowhere)
            for p, c in zip(present, chunks, strict=True)
            if segment != BEFORE_ALL and (apart or p not in embeddings)
        )
    )
    return Part(unit, sympy.Add(*present), Integer(0), tuple(present), none, False, (segment, segment), untied)


def _runs(slots: tuple[Slot, ...]) -> list[_Run]:
    """Neighbouring slots of one kind in one pattern, joined."""
    out: list[_Run] = []
    for slot in slots:
        last = out[-1] if out else None
        if (
            last is not None
            and last.unit is slot.unit
            and last.start == slot.start
            and last.residue + last.width == slot.residue
        ):
            out[-1] = _Run(last.unit, last.start, last.period, last.residue, last.width + 1, last.repeats)
        else:
            out.append(_Run(slot.unit, slot.start, slot.period, slot.residue, 1, slot.repeats))
    return out


def _between(run: _Run, a: Expr, b: Expr, layers: Expr) -> Expr:
    return _before(run, b, layers) - _before(run, a, layers)


@lru_cache(maxsize=1024)
def _factored(end: Expr) -> Expr:
    """A quotient of sizes as a product; each kind of layer asks for the same."""
    return end if end.has(sympy.Function) else sympy.factor(end)


def _before(run: _Run, x: Expr, layers: Expr) -> Expr:
    """Layers of the run at positions below x, which lies among the layers of the model."""
    length = run.repeats * run.period
    reached = x - run.start
    if sympy.expand(run.start + length - layers) != 0:
        reached = minimum(reached, length)
    if run.start != 0:
        reached = maximum(reached, 0)
    if run.width == run.period:
        return reached
    if run.width == 1:
        return rounded_down((reached + run.period - 1 - run.residue) / run.period)
    turns = rounded_down(reached / run.period)
    return run.width * turns + maximum(minimum(remainder(reached, run.period) - run.residue, run.width), 0)


def tied_elements(held: Stages) -> Expr:
    """Elements of a table that the embedding's stage and another stage train."""
    weights = (w for part in held.parts if part.untied != 0 for o in part.unit.operators for w in o.weights if w.tied)
    return sympy.Add(*(w.elements for w in weights if w.trained))
