"""Pass 2, the order of one micro-batch: forward, recomputed, backward, and what is alive when.

A *group* is a run of operators that recomputation runs again: an instance of a region that the
strategy names, or a whole layer. After the forward pass a group keeps what enters it; a discarding
group drops its outputs too and makes them again when the first operator behind it needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sympy import Expr, Integer

from symsim.compiler.kept_outputs import PER_OPERATOR, kept_by_operator
from symsim.compiler.liveness import Group, Lifetimes, Moment, moments_of
from symsim.diagnostics import error, nearest
from symsim.functions import at_most, less
from symsim.language.foreign_names import other_word
from symsim.records.graph import PHASES, Graph, Message, Operator, Tensor, Unit, Work
from symsim.records.strategy import Structure
from symsim.symbols import symbol

NOT_REGIONS = frozenset({"optimizer", "weights"})
"""What a strategy offloads besides regions."""


@dataclass(frozen=True, slots=True)
class Phased:
    """One unit in time.

    ``kept`` lives from forward to backward, ``offloaded`` does so in host memory, ``replayed`` runs
    again, ``moments`` are in order;
    ``recomputed`` says that the unit is recomputed whole.
    ``holder`` names, for each kept tensor, the operator that first asks for it. ``lifetimes`` are what the moments
    follow from.
    """

    unit: Unit
    kept: tuple[Tensor, ...]
    offloaded: tuple[Tensor, ...]
    holder: Mapping[Tensor, str]
    replayed: tuple[Operator, ...]
    moments: tuple[Moment, ...]
    recomputed: bool
    lifetimes: Lifetimes


def check_regions(graph: Graph, structure: Structure) -> None:
    """Raises InputError for a region that no block of the model is in."""
    for choice, others in (("recompute", frozenset[str]()), ("offload", NOT_REGIONS)):
        chosen = structure[choice]
        for name in sorted(chosen - others) if isinstance(chosen, frozenset) else ():
            if name not in graph.regions:
                known = sorted({*graph.regions, *others})
                hint = other_word(choice, name) or nearest(name, known) or f"its regions: {', '.join(known)}"
                raise error("E242", f"{choice}: this model has no region '{name}'", None, hint, about=choice)


def phase(
    unit: Unit,
    recompute: frozenset[str],
    whole: bool,
    offload: frozenset[str] = frozenset(),
    in_parts: bool = False,
    least: Expr | None = None,
) -> Phased:
    """Order one unit. ``recompute`` and ``offload`` name regions; ``whole`` recomputes all of the unit.

    ``in_parts``: tensor-parallel ranks share what is kept of a unit that is recomputed whole, and gather it again.
    ``least``: tensors of fewer elements are not offloaded.
    """
    if PER_OPERATOR in recompute:
        return per_operator(unit)
    operators = unit.operators
    made = _producers(operators)
    spans = (s for s in _spans(operators, recompute, whole) if any(o.has_backward for o in operators[s[0] : s[1] + 1]))
    groups = [_group(operators, made, *bounds) for bounds in spans]
    gathering: list[Operator] = []
    if whole and in_parts and unit.input is not None:
        groups = [_in_parts(g, unit.input, gathering) for g in groups]
    dropped = {t for g in groups for t in g.dropped}
    need: dict[Tensor, int] = {}
    for index, operator in enumerate(operators):
        for tensor in operator.saves:
            need.setdefault(tensor, index)
    for group in groups:
        for tensor in (*group.entering, *(t for t in group.dropped if t is unit.input)):
            need[tensor] = min(group.first, need.get(tensor, group.first))
    kept = tuple(t for t in need if t not in dropped)
    lifetimes = Lifetimes(made, need, kept, groups)
    moments = moments_of(unit, lifetimes)
    replayed = (*gathering, *(o for g in groups for o in operators[g.first : g.last + 1]))
    away = {t for t in kept if _leaves(t, operators, groups, offload)} if offload else set()
    holder = {t: operators[need[t]].name for t in kept if t not in away}
    leaving = [t for t in kept if t in away]
    if least is not None:
        small = {_share(t, less(t.elements, least)): operators[need[t]].name for t in leaving}
        holder |= small
        leaving = [_share(t, at_most(least, t.elements)) for t in leaving]
    return Phased(unit, tuple(holder), tuple(leaving), holder, replayed, moments, whole, lifetimes)


def _share(tensor: Tensor, share: Expr) -> Tensor:
    return Tensor(tensor.name, tensor.shape, tensor.element, share * tensor.elements, share * tensor.bytes)


def _in_parts(group: Group, entering: Tensor, gathering: list[Operator]) -> Group:
    """A group of which each tensor-parallel rank keeps a part of ``entering``; adds the operator that gathers it.

    Source: Megatron-Core 0.16.1, tensor_parallel/random.py (CheckpointFunction, distribute_saved_activations).
    """
    if entering not in group.entering:
        return group
    tp = symbol("tp")
    part = Tensor("part", entering.shape, entering.element, entering.elements / tp, entering.bytes / tp)
    gather = Message("all_gather", entering.bytes, "tp")
    nothing = Work((), {}, (), Integer(0), Integer(0))
    work = {p: Work((), {}, (gather,), Integer(0), Integer(0)) if p == "forward" else nothing for p in PHASES}
    gathering.append(Operator("gather_input", "gather_input", (), (part,), (entering,), (), (), (), {}, (), work))
    kept = tuple(part if t is entering else t for t in group.entering)
    return replace(group, dropped=(*group.dropped, entering), entering=kept, replaced=(part,))


def per_operator(unit: Unit) -> Phased:
    """Order a unit that is recomputed whole, but for what a policy by operators keeps of it.

    Of that, what nothing that runs again reads is not there: a compiled layer does not save it.
    """
    operators = unit.operators
    made = _producers(operators)
    policy = kept_by_operator(operators)
    whole = _group(operators, made, 0, len(operators) - 1, False)
    dropped = tuple(t for t in whole.dropped if t not in policy.saved)
    last = max((made[t] for t in dropped), default=-1)
    again = tuple(o for o in map(policy.again, operators[: last + 1]) if o is not None)
    groups = [replace(whole, dropped=dropped)] if again and unit.has_backward else []
    need: dict[Tensor, int] = dict.fromkeys(whole.entering, 0)
    for index, operator in enumerate(operators):
        for tensor in operator.saves:
            need.setdefault(tensor, index)
    kept = tuple(t for t in need if t not in dropped)
    read = {t for o in operators[: last + 1] if policy.again(o) is not None for t in o.inputs} if groups else set()
    cached = {t: k for t, k in policy.cached.items() if t not in need and not read.isdisjoint(operators[k].outputs)}
    lifetimes = Lifetimes(made, need, kept, groups, cached)
    holder = {t: operators[need[t]].name for t in kept} | {t: operators[k].name for t, k in cached.items()}
    moments = moments_of(unit, lifetimes)
    return Phased(unit, (*kept, *cached), (), holder, again if groups else (), moments, False, lifetimes)


def _leaves(tensor: Tensor, operators: tuple[Operator, ...], groups: list[Group], offload: frozenset[str]) -> bool:
    """Whether all that keeps a tensor for the backward pass lies in offloaded regions."""
    keepers = [o for o in operators if tensor in o.saves]
    keepers += [operators[g.first] for g in groups if tensor in g.entering]
    return all(any(r.name in offload for r in o.regions) for o in keepers)


def _producers(operators: tuple[Operator, ...]) -> dict[Tensor, int]:
    made: dict[Tensor, int] = {}
    for index, operator in enumerate(operators):
        fresh = [*operator.outputs, *(s for s in operator.saves if s not in operator.inputs)]
        for tensor in fresh:
            made.setdefault(tensor, index)
    return made


def _spans(operators: tuple[Operator, ...], recompute: frozenset[str], whole: bool) -> list[tuple[int, int, bool]]:
    """(first, last, discard) of each group: the outermost named region around an operator."""
    if whole:
        return [(0, len(operators) - 1, False)] if operators else []
    spans: dict[int, tuple[int, int, bool]] = {}
    for index, operator in enumerate(operators):
        region = next((r for r in operator.regions if r.name in recompute), None)
        if region is not None:
            first = spans[region.number][0] if region.number in spans else index
            spans[region.number] = (first, index, region.discard)
    return list(spans.values())


def _group(operators: tuple[Operator, ...], made: Mapping[Tensor, int], first: int, last: int, discard: bool) -> Group:
    inside = range(first, last + 1)
    savers: dict[Tensor, list[int]] = {}
    for index, operator in enumerate(operators):
        for tensor in operator.saves:
            savers.setdefault(tensor, []).append(index)
    dropped = tuple(
        t for t, users in savers.items() if made.get(t, -1) in inside and (discard or all(u in inside for u in users))
    )
    entering = tuple(
        dict.fromkeys(t for k in inside for t in (*operators[k].inputs, *operators[k].saves) if made.get(t, -1) < first)
    )
    again = max([last, *(u for t in dropped for u in savers[t])])
    return Group(first, last, discard, dropped, entering, again)
