"""Pass 3, what each pipeline stage holds: how many layers of each kind, in closed form.

A stage is an interval [a, b) of layers (several, when it holds virtual chunks). A run of layers of
one kind lies at ``start + turn·period + residue … + width``; the count on a stage is the difference
of two prefix counts, exact for uneven splits, dense-first models and repeating patterns.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.rules import divides, make_rule
from symsim.functions import at_most, equal, less, maximum, minimum, remainder, where
from symsim.records.cost import Rule
from symsim.records.graph import Graph, Slot, Unit
from symsim.records.strategy import Structure
from symsim.symbols import symbol


@dataclass(frozen=True, slots=True)
class Part:
    """A unit as a stage holds it: ``count`` of them, ``recomputed`` of which are recomputed whole.

    ``segments`` are the first and last stretch of the model that it lies in; a repeating pattern is
    one stretch.
    """

    unit: Unit
    count: Expr
    recomputed: Expr
    is_layer: bool
    segments: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of a stage in order: embedding, kinds of layers, head."""

    parts: tuple[Part, ...]
    rules: tuple[Rule, ...]
    may_be_empty: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """Layers of one kind side by side within a repeating pattern."""

    unit: Unit
    start: Expr
    period: int
    residue: int
    width: int
    repeats: Expr


def stages(graph: Graph, structure: Structure, ledger: Ledger) -> Stages:
    """Count the layers of each kind on pipeline stage ``i``.

    Source: Megatron-Core, transformer_block.get_num_layers_to_build.
    """
    i, pp = symbol("i"), symbol("pp")
    runs = _runs(graph.slots)
    single = len({r.unit.name for r in runs}) == 1
    intervals, rules = _intervals(graph.layers, single, structure, ledger)
    starts = list(dict.fromkeys(r.start for r in runs))
    counts: dict[str, tuple[Unit, Expr, Expr, int, int]] = {}
    by_block = "recompute_layers" in structure.symbols and structure["recompute_method"] == "block"
    chosen = symbol("recompute_layers") if by_block and structure["recompute"] == "full" else None
    for run in runs:
        held: Expr = Integer(0)
        again: Expr = Integer(0)
        for a, b in intervals:
            held += _between(run, a, b, single, graph.layers)
            if chosen is not None:
                again += _between(run, a, minimum(a + chosen, b), single, graph.layers)
        segment = starts.index(run.start)
        _, n, r, first, _ = counts.get(run.unit.name, (run.unit, Integer(0), Integer(0), segment, segment))
        counts[run.unit.name] = (run.unit, n + held, r + again, first, segment)
    if not single:
        _count_the_rest(counts, intervals, ledger)
    parts = [Part(graph.prologue, equal(i, 0), Integer(0), False, (-1, -1))]
    for name, (unit, held, again, first, last) in counts.items():
        suffix = "" if single else f"_{name}"
        meaning = "layers on the stage" if single else f"{name} layers on the stage"
        count = ledger.define(f"n{suffix}", held, meaning, "", "sizes")
        whole: Expr = count if structure["recompute"] == "full" and chosen is None else Integer(0)
        if chosen is not None:
            whole = ledger.define(f"r{suffix}", again, f"of them recomputed{'' if single else ' ' + name}", "", "sizes")
        parts.append(Part(unit, count, whole, True, (first, last)))
    parts.append(Part(graph.epilogue, equal(i, pp - 1), Integer(0), False, (len(starts), len(starts))))
    uneven = any(n in structure.symbols for n in ("first_stage_layers", "last_stage_layers"))
    return Stages(tuple(parts), rules, uneven)


def _count_the_rest(
    counts: dict[str, tuple[Unit, Expr, Expr, int, int]], intervals: list[tuple[Expr, Expr]], ledger: Ledger
) -> None:
    """The kind with the longest count is what the others leave of the stage's layers.

    It is counted last, so that the others have their names by then.
    """
    longest = max(counts, key=lambda name: counts[name][1].count_ops())
    unit, _, again, first, last = counts.pop(longest)
    held = sympy.Add(*(sympy.expand(b - a) if not (b - a).has(sympy.Function) else b - a for a, b in intervals))
    others = sympy.Add(*(symbol(f"n_{name}") for name in counts))
    counts[longest] = (unit, held - others, again, first, last)


def virtual_chunks(structure: Structure) -> Expr:
    """vp, a symbol where the strategy interleaves."""
    return symbol("vp") if "vp" in structure.symbols else Integer(1)


def _intervals(
    layers: Expr, single: bool, structure: Structure, ledger: Ledger
) -> tuple[list[tuple[Expr, Expr]], tuple[Rule, ...]]:
    """The intervals of layers on stage ``i``: one, or one for each virtual chunk.

    Where all layers are of a ``single`` kind their number is all that matters, and vp stays a symbol.
    """
    i, pp = symbol("i"), symbol("pp")
    vp = structure.get("vp")
    ends = _ends(layers, structure)
    if ends is None:
        chunks = virtual_chunks(structure)
        rule = divides(pp * chunks, layers, "layers are spread evenly over pp·vp chunks (or give first_stage_layers)")
        if isinstance(vp, int) and vp > 1 and not single:
            share = layers / (pp * vp)
            return [((c * pp + i) * share, (c * pp + i + 1) * share) for c in range(vp)], (rule,)
        return [(i * layers / pp, (i + 1) * layers / pp)], (rule,)
    first, last, middle, rules = ends
    start = ledger.define("a", less(0, i) * (first + (i - 1) * middle), "first layer of the stage", "", "sizes")
    held = where(equal(i, 0), first, where(equal(i, pp - 1), last, middle))
    return [(start, start + ledger.define("L", held, "layers of any kind on the stage", "", "sizes"))], rules


def _ends(layers: Expr, structure: Structure) -> tuple[Expr, Expr, Expr, tuple[Rule, ...]] | None:
    """Layers of the first, the last and each middle stage, when the ends are special.

    With one stage the first holds everything.
    """
    pp = symbol("pp")
    embedding, loss = int(bool(structure["embedding_in_split"])), int(bool(structure["loss_in_split"]))
    given = [n for n in ("first_stage_layers", "last_stage_layers") if n in structure.symbols]
    if not given and not embedding and not loss:
        return None
    if given:
        rest = layers - sum((symbol(n) for n in given), Integer(0))
        share = rest / maximum(pp - len(given), 1)
        first = symbol("first_stage_layers") if "first_stage_layers" in given else share
        last = symbol("last_stage_layers") if "last_stage_layers" in given else share
        message = "the layers left by first and last stage are spread evenly over the others"
        rules: tuple[Rule, ...] = (
            divides(maximum(pp - len(given), 1), rest, message),
            make_rule(rest, ">=", Integer(0), message),
            make_rule(
                less(1, pp) * at_most(pp, len(given)) * rest,
                "==",
                Integer(0),
                "first and last stage hold all layers when there is no stage between them",
            ),
        )
    else:
        share = (layers + embedding + loss) / pp
        first, last = share - embedding, share - loss
        message = "layers, with the embedding and loss that count as one, are spread evenly over pp"
        rules = (divides(pp, layers + embedding + loss, message),)
    return where(equal(pp, 1), layers, first), where(equal(pp, 1), layers, last), share, rules


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


def _between(run: _Run, a: Expr, b: Expr, single: bool, layers: Expr) -> Expr:
    if single and run.width == run.period and run.repeats * run.period == layers:
        return sympy.expand(b - a) if not (b - a).has(sympy.Function) else b - a
    return _before(run, b, layers) - _before(run, a, layers)


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
        return sympy.floor((reached + run.period - 1 - run.residue) / run.period)
    turns = sympy.floor(reached / run.period)
    return run.width * turns + maximum(minimum(remainder(reached, run.period) - run.residue, run.width), 0)
