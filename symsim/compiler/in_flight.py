"""Micro-batches that a rank holds at once: closed forms of the published schedules.

A holding is a moment at which a rank may hold most: how many micro-batches of each of its chunks are
saved, and of how many the weight gradient is still to come. Tests run the passes of every schedule one
by one and find the same (``tests/properties/test_schedules.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.legality_rules import divides, make_rule, size
from symsim.compiler.stages import virtual_chunks
from symsim.functions import at_most, equal, less, maximum, minimum, remainder, where
from symsim.records.cost import Rule
from symsim.records.strategy import Structure
from symsim.symbols import symbol

LATE_WEIGHTS = frozenset({"zb_h1", "zb_h2"})
"""Schedules that hold, at their peak, micro-batches whose weight gradient is still to come. ZB-V and
DualPipe delay weight gradients too, but only while the pipeline runs empty."""

HALVES_APART = LATE_WEIGHTS | {"zb_v"}
"""Schedules that run every backward pass to the inputs of all layers first, and then to the weights."""

SPLIT_BACKWARD = HALVES_APART | {"dualpipe"}
"""Schedules that fill the bubble with weight gradients."""


def in_pairs(structure: Structure) -> bool:
    """Whether a forward and a backward pass of two micro-batches run layer by layer at once, so that messages of the
    one overlap with compute of the other. Each rank has one more forward pass ahead for it.

    Source: Megatron-Core 0.16.1, pipeline_parallel/combined_1f1b.py; schedules.py, get_pp_rank_microbatches.
    """
    return bool(structure["overlap_moe_expert_parallel_comm"])


@dataclass(frozen=True, slots=True)
class Holding:
    """Micro-batches of each chunk: ``saved``, and ``late``, which wait for their weight gradient.

    ``embedding`` and ``head`` are those of the first and the last chunk, where one chunk stands for
    several. ``comes`` is 0 where the step is too short for the moment.
    """

    saved: tuple[Expr, ...]
    late: Expr = Integer(0)  # noqa: RUF009
    embedding: Expr = Integer(0)  # noqa: RUF009
    head: Expr = Integer(0)  # noqa: RUF009
    comes: Expr = Integer(1)  # noqa: RUF009


def holdings(chunks: int, structure: Structure, ledger: Ledger) -> tuple[Holding, ...]:
    """The moments of which one is the fullest; ``f``, micro-batches in flight, is defined on the way.

    ``chunks``: how many chunks of a rank are told apart (``Stages.chunks``).

    1F1B: the p − i passes that are ahead of the first backward pass (Narayanan et al. 2021). ZB-H1 and
    ZB-H2 (Qi et al. 2023) hold p and 2p − 1 micro-batches on every rank, of which i and 2i wait for
    their weight gradient. ZB-V (Qi et al. 2024) holds 2p chunks on every rank. DualPipe (DeepSeek-V3
    report) is two pipelines of 1F1B, whose chunks i and p − 1 − i make p + 1.

    In pairs of passes (:func:`in_pairs`) ``f`` counts both. A layer of the one is saved when a layer of the other is
    freed, so that what is held between two pairs, after one more forward pass, is what the plain schedule holds
    before each backward pass. What a pair holds above it is a rise (:mod:`symsim.compiler.paired_layers`).
    """
    i, pp, m = symbol("i"), symbol("pp"), symbol("m")
    match structure["schedule"]:
        case "1f1b":
            if in_pairs(structure):
                _flying(minimum(m, pp - i + 1), ledger)
                return (Holding((_between_pairs(minimum(m, pp - i), ledger),)),)
            return (Holding((_flying(minimum(m, pp - i), ledger),)),)
        case "gpipe":
            return (Holding((_flying(m, ledger),)),)
        case "zb_h1":
            return _late_weights(pp - i, pp, i + 1, ledger)
        case "zb_h2":
            return _late_weights(2 * (pp - i) - 1, 2 * pp - 1, 2 * i + 1, ledger)
        case "zb_v":
            first = Holding((minimum(m, 2 * pp - i), minimum(m, i)))
            second = Holding((minimum(m, 2 * pp - i - 1), minimum(m, i + 1)))
            _flying((second.saved[0] + second.saved[1]) / 2, ledger)
            return first, second
        case "dualpipe":
            _flying(pp + 1, ledger)
            return (Holding((pp - i, i + 1)),)
    if chunks == 1:
        return (_interleaved(structure, ledger),)
    return _interleaved_chunks(chunks, structure, ledger)


def _flying(amount: Expr, ledger: Ledger) -> Expr:
    return ledger.define("f", amount, "micro-batches in flight", "", "memory")


def _between_pairs(amount: Expr, ledger: Ledger) -> Expr:
    meaning = "micro-batches saved between two pairs of passes"
    return ledger.define("f.between", amount, meaning, "", "memory")


def _late_weights(ahead: Expr, everywhere: Expr, waiting: Expr, ledger: Ledger) -> tuple[Holding, ...]:
    """After a forward pass ``ahead`` are saved; after a backward pass one more waits for its weights."""
    m = symbol("m")
    f = _flying(minimum(m, ahead), ledger)
    meaning = "micro-batches that wait for their weight gradient"
    late = ledger.define("f.late", minimum(m, everywhere) - f, meaning, "", "memory")
    most = minimum(m, waiting)
    return Holding((f,), late), Holding((minimum(m, everywhere) - most,), most)


def group_size(structure: Structure) -> Expr:
    """Micro-batches that pass a chunk before the next chunk has its turn: pp if not given."""
    return symbol("microbatch_group" if "microbatch_group" in structure.symbols else "pp")


def _ahead(structure: Structure) -> Expr:
    """Passes of all chunks that rank ``i`` holds: its warm-up, and the one that follows (in pairs, its warm-up).

    Source: Korthikanti et al. 2022: with groups of p the first stage holds L·(1 + (p − 1)/(p·v)) layers.
    """
    i, pp = symbol("i"), symbol("pp")
    return (virtual_chunks(structure) - 1) * group_size(structure) + 2 * (pp - i - 1) + 1


def _interleaved(structure: Structure, ledger: Ledger) -> Holding:
    """All chunks alike: only their sum matters, and what the first and the last chunk have more.

    While the sum is at its largest, up to two groups are in the first chunk. The last chunk of the last
    rank runs backward what it has just run forward, but for a shorter group at the end of the step.
    """
    pp, m, group = symbol("pp"), symbol("m"), group_size(structure)
    vp = virtual_chunks(structure)
    if in_pairs(structure):
        _flying(minimum(m, (_ahead(structure) + 1) / vp), ledger)
        f = _between_pairs(minimum(m, _ahead(structure) / vp), ledger)
    else:
        f = _flying(minimum(m, _ahead(structure) / vp), ledger)
    if group == pp:
        return Holding((f,), Integer(0), minimum(m, 2 * pp), Integer(1))
    # Where the number of chunks is open, the formula asks for it.
    of_two = minimum(group, 2 * pp - 1)
    second = where(equal(vp, 2), of_two, group) if structure.get("vp") is None else group
    if structure.get("vp") == 2:
        second = of_two
    rest = remainder(m, group)
    return Holding(
        (f,), Integer(0), minimum(m, group + second), maximum(1, minimum(rest, 1 + (vp - 1) * (group - rest)))
    )


def _interleaved_chunks(chunks: int, structure: Structure, ledger: Ledger) -> tuple[Holding, ...]:
    """Chunks that differ: the moments at which the pass of a group through a chunk begins or ends.

    Forward passes are (chunks − 1)·group + d ahead of the backward ones, 1 ≤ d < 2·group. When j groups
    of backward passes have ended, forward passes have ended (chunks − 1 + j) groups and d passes more:
    ``near`` in the next group and ``far`` in the one behind it. Between two such moments a group of
    forward passes ends. With one group, or one and a shorter one, only the first moment comes.
    """
    i, pp, m, group = symbol("i"), symbol("pp"), symbol("m"), group_size(structure)
    passes = _ahead(structure).subs(symbol("vp"), chunks) + int(in_pairs(structure))
    _flying(minimum(m, passes / chunks), ledger)
    more = less(group, m)
    ahead = 2 * (pp - i) - 1
    near = ledger.define("f.near", minimum(ahead, group), "forward passes ahead in the next group", "", "memory")
    far = ledger.define(
        "f.far", more * maximum(ahead - group, 0), "forward passes ahead in the next group", "", "memory"
    )
    over = ledger.define("f.over", at_most(group, ahead), "1 where these are a group or more", "", "memory")
    out: list[Holding] = []
    again = at_most(2 * group, m)
    for j in range(chunks):
        counts: list[Expr] = [group * (_forward_before(c, j - 1, chunks) - (c >= chunks - j)) for c in range(chunks)]
        counts[(chunks - 1 + j) % chunks] += near
        counts[j % chunks] += far
        out.append(Holding(tuple(counts), comes=Integer(1) if j == 0 else again))
        if chunks > 2:
            counts = [group * (_forward_before(c, j, chunks) - (c >= chunks - j)) for c in range(chunks)]
            counts[j] += over * group
            counts[chunks - 1 - j] += near - group + over * (far - group)
            out.append(Holding(tuple(counts), comes=again))
    if group != pp:
        out += _shorter_group(chunks, group, ledger)
    return tuple(out)


def _shorter_group(chunks: int, group: Expr, ledger: Ledger) -> list[Holding]:
    """Moments while the forward passes of a last group run that is shorter than the others.

    When x of its forward passes have ended, backward passes are y = x + group − d into the group before it, or −y from
    the end of the one before that, with d as in :func:`_interleaved_chunks`. What is held is a line in x but where the
    forward or the backward passes of a group go to their next chunk: these x are the moments.
    """
    i, pp, m = symbol("i"), symbol("pp"), symbol("m")
    rest = ledger.define("f.rest", remainder(m, group), "micro-batches of a shorter last group", "", "memory")
    behind = group - 2 * (pp - i) + 1
    ends = [c * rest for c in range(1, chunks + 1)]
    ends += [b * group - behind for b in range(chunks + 1)]
    ends += [chunks * group + b * rest - behind for b in range(1, chunks)]
    third = less(2 * group, m)
    comes = less(0, rest)
    out: list[Holding] = []
    for k, end in enumerate(ends):
        meaning = "forward passes of a shorter last group at a moment"
        x = ledger.define(f"f.rest.{k}", _within(end, chunks * rest), meaning, "", "memory")
        y = x + behind
        counts = [
            group
            + _within(x - c * rest, rest)
            - _within(y - (chunks - 1 - c) * group, group)
            - _within(y - chunks * group - (chunks - 1 - c) * rest, rest)
            + (third * maximum(-y, 0) if c == 0 else 0)
            for c in range(chunks)
        ]
        out.append(Holding(tuple(counts), comes=comes))
    return out


def _within(amount: Expr, most: Expr) -> Expr:
    """An amount, at least 0 and at most another."""
    return minimum(maximum(amount, 0), most)


def schedule_rules(structure: Structure) -> tuple[Rule, ...]:
    """What a schedule asks of the numbers of ranks and micro-batches.

    Source: Megatron-Core, pipeline_parallel/schedules.py; DualPipe's published program.
    """
    pp, group = symbol("pp"), group_size(structure)
    m = symbol("gbs") * symbol("tp") * symbol("cp") * pp / (symbol("mbs") * symbol("world"))
    overlapped = _pair_rules(structure)
    match structure["schedule"]:
        case "dualpipe":
            return (
                divides(Integer(2), pp, "{pp} is odd: dualpipe pairs the ranks of the pipeline"),
                divides(Integer(2), m, "{microbatches} is odd: dualpipe sends half of them each way"),
                make_rule(m, ">=", 2 * pp, "{microbatches} is less than {2·pp}, which dualpipe needs"),
            )
        case "interleaved":
            several = make_rule(pp, ">=", Integer(2), "{pp} is less than 2: interleaving needs several ranks")
            if group == pp:
                taken = "{pp} does not divide {microbatches}: interleaving takes groups of pp"
                return *overlapped, several, divides(pp, m, taken)
            rest = remainder(m, group)
            whole = make_rule(
                less(0, rest) * less(rest, pp),
                "==",
                Integer(0),
                f"the last group has fewer than {{pp}} of {{microbatches}}, in groups of {size(group)}",
            )
            return (
                *overlapped,
                several,
                make_rule(group, ">=", pp, f"{size(group)} is less than {{pp}}: a group has at least pp micro-batches"),
                make_rule(m, ">=", group, f"{{microbatches}} is less than {size(group)}: a step has a group or more"),
                whole,
            )
    return overlapped


def _pair_rules(structure: Structure) -> tuple[Rule, ...]:
    """What pairs of passes ask of sizes. Source: Megatron-Core 0.16.1, transformer/transformer_config.py."""
    if not in_pairs(structure):
        return ()
    name = "overlap_moe_expert_parallel_comm"
    wrong = f"{{ep}} is less than 2: {name} has no messages of experts"
    several = make_rule(symbol("ep"), ">=", Integer(2), wrong)
    if structure["schedule"] != "1f1b":
        return (several,)
    wrong = f"{{pp}} is more than 1 without virtual chunks, which {name} needs then"
    return several, make_rule(symbol("pp"), "<=", Integer(1), wrong)


def _forward_before(chunk: int, turns: int, chunks: int) -> int:
    """Groups that have passed a chunk when all chunks are through one group, and ``turns`` through a second."""
    return 1 + (chunk < turns) if turns >= 0 else int(chunk < chunks - 1)
