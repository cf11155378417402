"""What the slowest rank waits in a step, as a closed form of each schedule.

The forms do not walk micro-batches. They are longest paths through the graph of all passes: down the
stages with a first micro-batch, round and round on the stage that binds, up again with the last one.
``tests/properties/test_pipeline_times.py`` runs every pass of that graph and holds each form to what its
docstring says of it.
"""

from __future__ import annotations

from sympy import Expr, Integer

from symsim.compiler.in_flight import SPLIT_BACKWARD, group_size, in_pairs
from symsim.compiler.ledger import Ledger
from symsim.compiler.rounding import rounded_down
from symsim.compiler.stages import virtual_chunks
from symsim.functions import (
    less,
    max_from,
    max_to,
    maximum,
    minimum,
    remainder,
    stage_max,
    stage_sum,
    sum_before,
    where,
)
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def waiting(structure: Structure, hop: Expr) -> Expr:
    """Seconds that a stage spends on messages to its neighbours, for one micro-batch.

    Nothing where messages overlap. Else both ranks wait until a message is there, and messages that
    Megatron hands over together run at once: 1F1B meets each neighbour once for a forward and a backward
    pass, GPipe once for each of both. Interleaving hands all messages of a rank over at once, after a
    forward and a backward pass of a chunk. For the schedules that run weight gradients apart, each pass
    counts one message. Source: Megatron-Core, pipeline_parallel/schedules.py.
    """
    if structure["overlap_p2p"]:
        return Integer(0)
    i, pp = symbol("i"), symbol("pp")
    match structure["schedule"]:
        case "1f1b":
            return hop * (less(0, i) + less(i, pp - 1))
        case "gpipe":
            return 2 * hop * (less(0, i) + less(i, pp - 1))
        case "interleaved":
            return virtual_chunks(structure) * hop * less(1, pp)
    return 2 * virtual_chunks(structure) * hop * less(1, pp)


def bubble(structure: Structure, hop: Expr, ledger: Ledger) -> Expr:
    """The time of all micro-batches but what the slowest stage is busy or hands over, m·max t."""
    schedule = structure["schedule"]
    if schedule in SPLIT_BACKWARD:
        return filled_bubble(structure)
    if schedule == "gpipe":
        return gpipe(structure, hop)
    found = _in_turn(structure, hop, ledger)
    if schedule == "1f1b" and structure["overlap_p2p"]:
        found = maximum(found, _round_trips(hop))
    return found


def gpipe(structure: Structure, hop: Expr) -> Expr:
    """All forward passes, then all backward ones: Σ F + (m − 1)·max F, and the same of B.

    Exact for any stages and any ``hop``, whether messages block or overlap.
    """
    pp, m, forward, backward = (symbol(n) for n in ("pp", "m", "F", "B"))
    each = waiting(structure, hop) / 2
    ways = stage_sum(forward) + stage_sum(backward) + 2 * (pp - 1) * hop
    return ways + (m - 1) * (stage_max(forward + each) + stage_max(backward + each)) - m * symbol("t_max")


def _in_turn(structure: Structure, hop: Expr, ledger: Ledger) -> Expr:
    """1F1B, interleaved or not: ``ahead`` forward passes on a stage, then one of each in turn.

    If stage i binds, the step is m·t, the way of the first micro-batch there and of the last one back, and
    what the stage waits as the pipeline fills and drains: after its ``ahead`` forward passes for the first
    gradient, which turned at some stage c ≥ i and came there behind the ``ahead`` passes of the slowest
    stage before c. The same backwards at the end.

    1F1B: exact for any stages where messages block, or take no time. Where they overlap at a ``hop`` above 0:
    exact where all stages take equally long (with :func:`_round_trips`), else never above, and the form
    of blocking messages never below.

    Interleaved, group·(v − 1) passes more ahead: exact where all ranks take equally long and messages block
    or take no time; in whole groups of p also where they overlap and no hop is longer than a pass. Else never
    above; the form of equal ranks at the largest F and the largest B is never below where messages block or take no
    time. Ranks that differ by up to 10 %: within 3.5 % where messages take no time. Chunks of a rank count as
    equally long.

    In pairs of passes one more forward pass is ahead, and the ``ahead`` passes of each kind run alone, longer by what
    only a pair hides: exact where all ranks take equally long, a pair hides no more than the shorter of its passes
    takes alone, and messages take no time.
    """
    i, pp, m, t = (symbol(n) for n in ("i", "pp", "m", "t"))
    chunks, pairs = virtual_chunks(structure), in_pairs(structure)
    alone = [symbol(f"{n}.alone" if pairs else n) / chunks for n in ("F", "B")]
    forward, backward, passes = *alone, m * chunks
    blocks = not structure["overlap_p2p"]

    def name(what: str, formula: Expr, meaning: str, unit: str = "s") -> Expr:
        return ledger.define(f"pipeline.{what}", formula, meaning, unit, "time")

    before = pp - i - 1
    if structure["schedule"] == "interleaved":
        before = 2 * before + (chunks - 1) * group_size(structure)
    # In pairs all passes may be ahead of the first backward one; else at least one comes with it.
    most, before = (passes, before + 1) if pairs else (passes - 1, before)
    ahead = name("ahead", minimum(most, before), "forward passes before the first backward pass", "")
    meets = waiting(structure, hop) / chunks
    once, turning = Integer(0), Integer(0)
    if blocks and structure["schedule"] == "interleaved":
        once = hop
    elif blocks:
        once, turning = less(0, i) * hop, less(i, pp - 1) * hop
    there = name("there", sum_before(forward + hop), "the way of a forward pass to the stage")
    back = name("back", sum_before(backward + hop), "the way of a backward pass from the stage")
    trip = name("trip", there + forward + turning + backward + back, "the first micro-batch, turning at the stage")
    ends: list[tuple[Expr, Expr]] = []
    for end, one, what in (
        ("fill", forward, "forward passes before the first backward one"),
        ("drain", backward, "backward passes after the last forward one"),
    ):
        slowest = max_to(one + meets)
        run: Expr = ahead * slowest
        if structure["schedule"] == "interleaved":
            laps = chunks - 1
            run = maximum(run, laps * (stage_sum(one) + pp * hop) + (ahead - laps * group_size(structure)) * slowest)
        last = name(f"{end}.passes", run, f"{what}, as the stages up to this one let them")
        own = name(f"{end}.own", ahead * (one + meets), f"{what}, by the stage alone")
        waits = name(end, max_from(trip + last) - trip - own, f"waits as the pipeline {end}s")
        ends.append((waits, last - own))
    (fill, fill_alone), (drain, drain_alone) = ends
    both = where(less(ahead, passes - 1), fill + drain, maximum(fill + drain_alone, fill_alone + drain))
    waits = there + back + both + ahead * meets - once
    if pairs:
        waits += ahead * (forward + backward - (symbol("F") + symbol("B")) / chunks)
    idle = name("idle", waits, "what the stage waits if it binds")
    return stage_max(idle + m * (t - symbol("t_max")))


def _round_trips(hop: Expr) -> Expr:
    """What overlapped 1F1B waits because it has no micro-batch to spare: after each p of them the first
    stage waits for one to come back, over 2(p − 1) hops."""
    pp, m, t = (symbol(n) for n in ("pp", "m", "t"))
    trips, rest = rounded_down((m - 1) / pp) + 1, remainder(m - 1, pp)
    trip = stage_sum(t) + 2 * (pp - 1) * hop
    last = maximum(rest * symbol("t_max"), 2 * maximum(rest - 1, 0) * hop - rest * stage_max(-t))
    return less(pp, m) * (trips * trip + last - m * symbol("t_max"))


def filled_bubble(structure: Structure) -> Expr:
    """What the slowest rank waits, from its first pass to its last, where weight gradients W fill the pipeline.

    In F, B, the part W of it, and t = F + B with messages. ZB-H1, ZB-H2: (p − 1)·(F + B − W) and
    (p − 1)·(F + B − 2·W) of Qi et al. 2023, whose B is without W, where the F + B − W are those of the
    other stages; a step of few micro-batches has fewer weight gradients to fill with. Exact where stages
    take equally long and W is the shortest pass. ZB-V: exact where stages take equally long for one
    micro-batch, and for 2p − 1 and more where B is not shorter than F; else of equal stages at most this,
    and nothing where all passes are equal (Qi et al. 2024). Of unequal stages these are estimates: the step
    is never below m·max t, nor above the form of equal stages at the largest F, B − W and W where that is exact. Where
    stages differ by up to 10 % and m is about 2p or more, the step is off by at most 7 %, by 1.5 % on average.

    DualPipe: (p/2 − 1)·(F&B + B − 3·W) of the DeepSeek-V3 report, where F&B, a forward and a backward
    pass at once, takes t here; of equal stages with F ≤ 2·(B − W) and W the shortest pass not below a run
    of one after the other. Where W is longer than the other passes it fills no more than they take. Nothing
    is added for messages that overlap.
    """
    pp, m, t, forward, backward, weights = (symbol(n) for n in ("pp", "m", "t", "F", "B", "W"))
    match structure["schedule"]:
        case "zb_h1":
            filled = (minimum(m, pp) - 1) * weights
        case "zb_h2":
            filled = (minimum(m, 2 * pp - 1) - 1) * weights
        case "zb_v":
            filled = (minimum(m, 2 * pp - 1) - 1) * (minimum(forward, backward - weights) + weights) / 2
        case _:
            return _if_it_binds((pp / 2 - 1) * (t + backward - 3 * weights))
    return _if_it_binds(stage_sum(t - weights) - (t - weights) - filled)


def _if_it_binds(waits: Expr) -> Expr:
    """The stage binds that is busy and waits longest; to pick the one that is busy longest would make a step
    longer at times when another stage becomes faster."""
    return stage_max(maximum(waits, 0) + symbol("m") * (symbol("t") - symbol("t_max")))
