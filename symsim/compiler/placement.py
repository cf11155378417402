"""Where layers lie: the interval of layers on each stage of the pipeline.

Data passes the stages in order: the positions 0 … pp − 1 of turn 0, then those of turn 1, and so on
to turn vp − 1. Without virtual chunks there is one turn and a position is a rank. Which rank stands at
a position is the schedule's matter (``compiler/stages.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sympy import Expr, Integer

from symsim.compiler.block_environment import version_number
from symsim.compiler.ledger import Ledger
from symsim.compiler.legality_rules import divides, make_rule, size
from symsim.compiler.profile import Profile
from symsim.compiler.rounding import rounded_down, rounded_up
from symsim.diagnostics import error
from symsim.functions import at_most, equal, less, maximum, minimum, remainder, where
from symsim.language.layout import Layout, parse_layout
from symsim.records.cost import Rule
from symsim.records.strategy import Structure
from symsim.symbols import symbol


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rank stands in a turn, with the conditions that formulas are written in."""

    index: Expr
    is_first: Expr
    is_last: Expr
    after_first: Expr
    mirrored: bool

    def stands_at(self, position: int, ranks: int) -> Expr:
        """1 on the rank at a position, of so many ranks."""
        if position == ranks - 1:
            return self.is_last
        if position == 0:
            return self.is_first
        return equal(symbol("i"), ranks - 1 - position if self.mirrored else position)

    def reaches(self, position: int, ranks: int) -> Expr:
        """1 from a position on, of so many ranks."""
        return at_most(symbol("i"), ranks - 1 - position) if self.mirrored else at_most(position, symbol("i"))


def forward() -> Position:
    """Rank ``i`` stands at position i."""
    i, last = symbol("i"), symbol("pp") - 1
    return Position(i, equal(i, 0), equal(i, last), less(0, i), False)


def mirrored() -> Position:
    """Rank ``i`` stands at position pp − 1 − i."""
    i, last = symbol("i"), symbol("pp") - 1
    return Position(last - i, equal(i, last), equal(i, 0), less(i, last), True)


@dataclass(frozen=True, slots=True)
class Placement:
    """``first(turn, position)`` is the first layer of a stage, ``held(turn, position)`` how many it has.

    ``alike``: all turns of a position hold equally many; ``may_be_empty``: some stage may hold none.
    ``last_layer`` and ``multi_token`` are 1 on the stage that has the last layer, and the layers of multi-token
    prediction; not given, both are with the loss. ``apart``: the position, in the last turn, of layers of multi-token
    prediction that are not.
    """

    first: Callable[[int, Position], Expr]
    held: Callable[[int, Position], Expr]
    rules: tuple[Rule, ...]
    alike: bool = True
    may_be_empty: bool = False
    last_layer: Callable[[int, Position], Expr] | None = None
    multi_token: Callable[[int, Position], Expr] | None = None
    apart: int | None = None


def placement(
    layers: Expr, turns: Expr, structure: Structure, profile: Profile, head_work: Expr, ledger: Ledger
) -> Placement:
    """The rule by which the ``layers`` of a model are spread over the stages.

    ``turns`` is vp, as a number or as its symbol; ``head_work`` is the GEMM work of the head in layers. A
    new rule is one more function here: it says where stage (turn, position) begins and how many layers it
    holds; everything else follows. What the strategy says comes before what the framework does by itself.

    Source: Megatron-Core, transformer_block.get_num_layers_to_build and
    transformer_layer.get_transformer_layer_offset; of the other frameworks, models/library/frameworks.sym.
    """
    if structure["layout"] is not None:
        return written_out(parse_layout(str(structure["layout"])), turns, structure, ledger)
    if any(n in structure.symbols for n in ("first_stage_layers", "last_stage_layers")):
        return given_ends(layers, turns, structure, ledger)
    embedding, loss = int(bool(structure["embedding_in_split"])), int(bool(structure["loss_in_split"]))
    if embedding or loss:
        return ends_as_layers(layers, turns, embedding, loss)
    return _BY_SPLIT[str(profile["layer_split"])](layers, symbol("pp") * turns, turns, head_work)


def evenly(layers: Expr, stages: Expr, turns: Expr, head_work: Expr) -> Placement:
    """Every stage holds layers/(pp·vp)."""
    pp = symbol("pp")
    share = layers / stages
    otherwise = "first_stage_layers, embedding_in_split, loss_in_split or layout place them otherwise"
    rule = divides(stages, layers, f"{size(stages)} does not divide {size(layers)} layers: {otherwise}")
    return Placement(lambda turn, at: (turn * pp + at.index) * share, lambda turn, at: share, (rule,))


def in_front(layers: Expr, stages: Expr, turns: Expr, head_work: Expr) -> Placement:
    """Embedding and head count as a layer each; what is left over goes to the first stages, one each."""
    items = layers + 2
    return _spread(
        layers, turns, lambda k: k * rounded_down(items / stages) + minimum(k, remainder(items, stages)), Integer(1)
    )


def at_the_back(layers: Expr, stages: Expr, turns: Expr, head_work: Expr) -> Placement:
    """Layers that are left over go to the last stages, one each."""
    plain = stages - remainder(layers, stages)
    return _spread(layers, turns, lambda k: k * rounded_down(layers / stages) + maximum(k - plain, 0), Integer(0))


def filled(layers: Expr, stages: Expr, turns: Expr, head_work: Expr) -> Placement:
    """Each stage is filled to ⌈items/stages⌉ before the next begins.

    Embedding and head are items too where the layers alone cannot be spread evenly: that is when a run
    asks for it (partition_method type:transformer|embedding).
    """
    embedding = 1 - equal(remainder(layers, stages), 0)
    return _spread(layers, turns, lambda k: k * rounded_up((layers + 2 * embedding) / stages), embedding)


def by_work(layers: Expr, stages: Expr, turns: Expr, head_work: Expr) -> Placement:
    """A stage ends with the layer by which the model has done its share of the work.

    The embedding does none; the head does ``head_work`` of a layer's. A layer that ends exactly on a share
    ends the stage: peaks measured with nanotron say so where its source would take one layer more.
    """
    return _spread(layers, turns, lambda k: rounded_up(k * (layers + head_work) / stages), Integer(0))


_BY_SPLIT: Mapping[str, Callable[[Expr, Expr, Expr, Expr], Placement]] = {
    "even": evenly,
    "front": in_front,
    "back": at_the_back,
    "filled": filled,
    "by_work": by_work,
}
"""The rules that a profile may name as its ``layer_split``."""


def _spread(layers: Expr, turns: Expr, before: Callable[[Expr], Expr], embedding: Expr) -> Placement:
    """``before(k)`` items lie on the first k stages, of them ``embedding`` that are no layers."""

    def first(k: Expr, after_first: Expr) -> Expr:
        return minimum(layers, before(k) - embedding * after_first)

    def start(turn: int, at: Position) -> Expr:
        k = turn * symbol("pp") + at.index
        return first(k, at.after_first if turn == 0 else Integer(1))

    def held(turn: int, at: Position) -> Expr:
        k = turn * symbol("pp") + at.index
        return first(k + 1, Integer(1)) - start(turn, at)

    return Placement(start, held, (), alike=turns == 1, may_be_empty=True)


def ends_as_layers(layers: Expr, turns: Expr, embedding: int, loss: int) -> Placement:
    """Embedding and loss count as one layer each when layers are spread evenly."""
    pp = symbol("pp")
    share = (layers + embedding + loss) / (pp * turns)
    ends = embedding + loss
    counted = f"{size(layers + ends)} layers, of which embedding and loss are {ends}"
    rules = (divides(pp * turns, layers + ends, f"{size(pp * turns)} does not divide {counted}"),)

    def first(turn: int, at: Position) -> Expr:
        before = at.after_first if turn == 0 else Integer(1)
        return (turn * pp + at.index) * share - embedding * before

    def held(turn: int, at: Position) -> Expr:
        own = embedding * at.is_first if turn == 0 else Integer(0)
        return share - own - (loss * at.is_last if turn == turns - 1 else Integer(0))

    def last_layer(turn: int, at: Position) -> Expr:
        """Where a share is the loss alone, the stage before it."""
        return where(equal(share, 1), equal(at.index, pp - 2), at.is_last) if turn == turns - 1 else Integer(0)

    return Placement(first, held, rules, turns == 1, may_be_empty=True, last_layer=last_layer if loss else None)


def given_ends(layers: Expr, turns: Expr, structure: Structure, ledger: Ledger) -> Placement:
    """First and last rank hold what is said, the others equally many, at least one; a rank's chunks are equal.

    Source: Megatron-Core 0.16.1, TransformerConfig.__post_init__ for what is refused.
    """
    pp = symbol("pp")
    given = [n for n in ("first_stage_layers", "last_stage_layers") if n in structure.symbols]
    rest = layers - sum((symbol(n) for n in given), Integer(0))
    share = rest / maximum(pp - len(given), 1)
    start, end = (symbol(n) if n in given else share for n in ("first_stage_layers", "last_stage_layers"))
    named = " and ".join(f"{{{name}}}" for name in given)
    rules = [
        divides(
            maximum(pp - len(given), 1), rest, f"with {named} the other layers do not divide over the stages between"
        ),
        make_rule(rest, ">=", Integer(0), f"{named} are more than all {size(layers)} layers"),
        make_rule(
            equal(pp, len(given)) * rest,
            "==",
            Integer(0),
            f"{named} are not all {size(layers)} layers, and there is no stage between",
        ),
        make_rule(
            less(len(given), pp) * equal(rest, 0),
            "==",
            Integer(0),
            f"with {named} no layers are left for the stages between",
        ),
    ]
    if len(given) > 1:
        rules.append(make_rule(pp, ">=", Integer(2), f"{named} are of two stages, and there is one"))
    if turns != 1:
        chunks = f"{size(turns)} chunks of a rank do not divide the layers of each stage"
        rules += [divides(turns, amount, chunks) for amount in (start, end, less(len(given), pp) * share)]
        alone = f"{named} leave no stage between, and chunks of a rank need one"
        rules.append(make_rule(equal(pp, len(given)), "==", Integer(0), alone))

    def before(at: Position) -> Expr:
        formula = at.after_first * (start + (at.index - 1) * share)
        return ledger.define("a", formula, "layers before the stage", "", "sizes")

    def on_rank(at: Position) -> Expr:
        held = where(at.is_last, end, share) if "last_stage_layers" in given else share
        held = where(at.is_first, start, held) if "first_stage_layers" in given else held
        return ledger.define("L", held, "layers of any kind on the stage", "", "sizes")

    return Placement(
        lambda turn, at: (turn * layers + before(at)) / turns,
        lambda turn, at: on_rank(at) / turns,
        tuple(rules),
        may_be_empty=True,
    )


MULTI_TOKEN_APART = 16_000
"""Megatron-Core 0.16.0, the first whose layouts may put multi-token layers on another stage than the loss."""


def written_out(layout: Layout, turns: Expr, structure: Structure, ledger: Ledger) -> Placement:
    """Every stage as the layout says; neighbours with equally many layers share a term of the formula."""
    stages = symbol("pp") * turns
    rule = make_rule(
        stages,
        "==",
        Integer(layout.stages),
        f"{size(stages)} is not {layout.stages}, the stages of the layout",
    )
    alike = turns == 1

    def turn_of(turn: int) -> tuple[int, tuple[int, ...]]:
        """Layers before a turn, and those of its positions."""
        ranks = layout.stages // int(turns)
        return sum(layout.layers[: turn * ranks]), layout.layers[turn * ranks : (turn + 1) * ranks]

    def steps(counts: tuple[int, ...]) -> list[tuple[int, int]]:
        """Where the number of layers changes from one position to the next, and by how much."""
        return [(k, counts[k] - counts[k - 1]) for k in range(1, len(counts)) if counts[k] != counts[k - 1]]

    def first(turn: int, at: Position) -> Expr:
        before, counts = turn_of(turn)
        amount = before + counts[0] * at.index
        amount += sum((by * maximum(at.index - k, 0) for k, by in steps(counts)), Integer(0))
        name = f"a.{turn}{'.back' if at.mirrored else ''}"
        return ledger.define(name, amount, f"layers before the stage of turn {turn}", "", "sizes")

    def held(turn: int, at: Position) -> Expr:
        _, counts = turn_of(turn)
        return counts[0] + sum((by * at.reaches(k, len(counts)) for k, by in steps(counts)), Integer(0))

    def on_stage(stage: int) -> Callable[[int, Position], Expr]:
        """1 on the stage with this number, in the order in which data passes them."""
        ranks = layout.stages // int(turns)
        return lambda turn, at: at.stands_at(stage % ranks, ranks) if turn == stage // ranks else Integer(0)

    rules = [rule]
    if turns.is_Integer and layout.multi_token_stage // (layout.stages // int(turns)) != turns - 1:
        message = "layout has layers of multi-token prediction in a virtual chunk that is not the last of its rank"
        rules.append(make_rule(Integer(1), "==", Integer(0), message))
    apart = layout.multi_token_stage != layout.stages - 1
    if apart and 0 < version_number(structure["framework_version"]) < MULTI_TOKEN_APART:
        message = "layout has layers of multi-token prediction apart from the loss: from framework_version 0.16.0 on"
        rules.append(make_rule(Integer(1), "==", Integer(0), message))
    holding = [stage for stage, count in enumerate(layout.layers) if count]
    return Placement(
        first,
        held,
        tuple(rules),
        alike,
        may_be_empty=0 in layout.layers,
        last_layer=on_stage(holding[-1]) if turns.is_Integer and holding else None,
        multi_token=on_stage(layout.multi_token_stage) if turns.is_Integer and layout.multi_token else None,
        apart=layout.multi_token_stage % (layout.stages // int(turns)) if turns.is_Integer and apart else None,
    )


def check_layout(layers: Expr, multi_token: int, structure: Structure) -> None:
    """A layout places the layers that the model has.

    Raises:
        InputError: E317, another number of them.
    """
    if structure["layout"] is None:
        return
    layout = parse_layout(str(structure["layout"]))
    for placed, own, what in ((sum(layout.layers), layers, "t"), (layout.multi_token, Integer(multi_token), "m")):
        if own.is_Integer and placed != own:
            message = f"layout places {placed} layers '{what}', and the model has {own}"
            raise error("E317", message, None, f"write {own} '{what}' in all", about="layout")
