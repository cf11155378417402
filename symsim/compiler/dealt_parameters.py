"""Optimizer states of whole parameters that are dealt out to ranks, and what the fullest rank has of them.

The dealing: parameters in the order of their size, the smallest first, to ranks 0 … d − 1 and back again, d − 1 … 0.
Dense parameters and those of experts are dealt apart, over their own replicas. Parameters of one size are a *run* of
places in that order. How many of a run's places a rank has is a closed form, and as a function of the rank it steps
only where a run ends: what the fullest rank has is the largest of its values after these steps.

Source: Megatron-Core 0.16.1, optimizer/layer_wise_optimizer.py (LayerWiseDistributedOptimizer.shard_params) and
parallel_state.py (RankGenerator: tensor parallelism varies fastest, then experts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.optimizer import States, kind_of
from symsim.compiler.rounding import rounded_down
from symsim.compiler.simplify import tidy
from symsim.compiler.stages import Stages
from symsim.functions import at_most, less, maximum, minimum, remainder
from symsim.records.graph import Weight
from symsim.records.strategy import Structure
from symsim.symbols import symbol

if TYPE_CHECKING:
    from symsim.compiler.sharding import Group

DEALT = "use_layer_wise_distributed_optimizer"


@dataclass(frozen=True, slots=True)
class Run:
    """Parameters of one size: ``count`` of them on the stage, of ``size`` elements, with ``states`` bytes each."""

    name: str
    count: Expr
    size: Expr
    states: Expr


@dataclass(frozen=True, slots=True)
class Dealt:
    """How a run lies in the turns of the dealing, each of two places for each rank: in how many more turns it ends than
    it begins, and at which places of a turn it does so."""

    run: Run
    turns: Expr
    begins: Expr
    ends: Expr


def dealt(structure: Structure) -> bool:
    """Whether the optimizer states of whole parameters are dealt out to the ranks."""
    return bool(structure[DEALT])


def fullest(stages: Stages, groups: list[Group], optimizer: States, ledger: Ledger) -> Expr:
    """Bytes of optimizer states on the fullest of the ranks of a stage.

    Ranks are counted through all replicas and tensor-parallel ranks of the stage, so that what a rank has of dense
    parameters and of those of experts is that of one rank.
    """
    spread = {False: symbol("tp"), True: symbol("etp") * symbol("ep")}
    found = {group: _dealt(group, _runs(stages, group, optimizer), ledger) for group in groups}
    ranks = groups[0].ranks * spread[groups[0].expert]
    candidates: dict[Expr, None] = {Integer(0): None}
    for group, runs in found.items():
        for one in runs:
            edge = minimum(one.ends, 2 * group.ranks - one.ends) * spread[group.expert]
            meaning = f"the rank from which on ranks have another number of {one.run.name}"
            rank = ledger.define(f"deal.rank.{one.run.name}", minimum(edge, ranks - 1), meaning, "", "memory")
            candidates[rank] = None
    held: list[Expr] = []
    for k, rank in enumerate(candidates):
        amounts = (
            one.run.states * _places(rounded_down(rank / spread[group.expert]), one, group.ranks)
            for group, runs in found.items()
            for one in runs
        )
        meaning = f"optimizer states of rank {rank}"
        held.append(ledger.define(f"deal.held.{k}", sympy.Add(*amounts), meaning, "bytes", "memory"))
    return maximum(*held) if len(held) > 1 else held[0]


def _runs(stages: Stages, group: Group, optimizer: States) -> list[Run]:
    """Parameters of one size and one kind of states; matrices of layers come first where sizes are equal."""
    found: dict[tuple[Expr, Expr], Run] = {}
    alone = sum(part.is_layer for part in stages.parts) == 1
    for matrices in (True, False):
        for part in stages.parts:
            for operator in part.unit.operators:
                for weight in operator.weights:
                    if (
                        not weight.trained
                        or weight.expert is not group.expert
                        or (kind_of(weight) == "matrix") is not matrices
                    ):
                        continue
                    number = weight.shape[0] if weight.expert else Integer(1)
                    size = tidy(weight.elements / number)
                    states = tidy(_states(weight, optimizer) / number)
                    count = number * (part.untied if weight.tied else part.count)
                    name = weight.name if part.is_layer and alone else f"{part.unit.name}.{weight.name}"
                    known = found.get((size, states), Run(name, Integer(0), size, states))
                    found[size, states] = Run(known.name, known.count + count, size, states)
    return [run for run in found.values() if run.count != 0]


def _states(weight: Weight, optimizer: States) -> Expr:
    each = sympy.sympify(optimizer.bytes_each(kind_of(weight)))
    return each * weight.elements + optimizer.bytes_whole(weight)


def _dealt(group: Group, runs: list[Run], ledger: Ledger) -> list[Dealt]:
    """Each run in its places: after all that are smaller, and after those of its size that come first."""
    out: list[Dealt] = []
    turn = 2 * group.ranks
    for k, run in enumerate(runs):
        before = (other.count * _comes_first(other, run, j < k) for j, other in enumerate(runs) if j != k)

        def name(what: str, amount: Expr, meaning: str, run: Run = run) -> Expr:
            return ledger.define(f"deal.{what}.{run.name}", amount, f"{meaning} {run.name}", "", "memory")

        start = name("before", sympy.Add(*before), "smaller parameters than")
        end = start + run.count
        turns = name("turns", rounded_down(end / turn) - rounded_down(start / turn), "turns that end within")
        begins = name("begins", remainder(start, turn), "place in a turn of the first")
        out.append(Dealt(run, turns, begins, name("ends", remainder(end, turn), "place in a turn after the last")))
    return out


def _comes_first(other: Run, run: Run, listed_first: bool) -> Expr:
    """1 where a run is dealt before another."""
    ratio = sympy.cancel(other.size / run.size)
    compared = (ratio, Integer(1)) if ratio.is_Number else (other.size, run.size)
    return at_most(*compared) if listed_first else less(*compared)


def _places(rank: Expr, one: Dealt, ranks: Expr) -> Expr:
    """How many parameters of a run a rank has: two in each turn, on the way to the last rank and on the way back."""
    back = 2 * ranks - 1 - rank
    ends = less(rank, one.ends) + less(back, one.ends)
    return 2 * one.turns + ends - less(rank, one.begins) - less(back, one.begins)
