"""A difference of two plans, attributed to the choices that make it.

On the way from the first plan to the second the choices change one after the other, and each is given what
the quantity changes by then. That depends on the order, so the mean over orders is taken: over all of them
where choices are few (Shapley's value), else over one order from either end. A plan on the way may be impossible:
orders that lead through one are left out, and choices that no order can change one by one go together.

Whatever the orders, the parts add up to the whole difference: sums and means are taken of exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import factorial
from typing import Literal

Changed = frozenset[str]
"""The choices that have the value of the second plan."""

Value = Callable[[Changed], Mapping[str, float] | None]
"""The quantities of the plan with these choices changed; ``None`` where it is impossible."""

Method = Literal["all orders", "two orders"]

MOST_CHOICES = 8
"""So many choices can be changed in all orders: 256 plans."""

LARGEST_STEP = 3
"""So many choices are tried to be changed at once where one alone leads nowhere; then all that are left."""

MOST_TRIED = 400
"""Plans that are tried for one step before all that is left is changed at once."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """``changes`` has for each quantity what each of ``groups`` adds; they sum to the whole difference.

    ``orders`` of the ``orders_in_all`` of the groups were averaged; ``sequences`` lists them where they are two.
    """

    method: Method
    groups: tuple[tuple[str, ...], ...]
    changes: Mapping[str, tuple[float, ...]]
    orders: int
    orders_in_all: int
    sequences: tuple[tuple[tuple[str, ...], ...], ...] = ()


def over_all_orders(names: Sequence[str], value: Value) -> Attribution:
    """The mean over all orders whose plans are possible; Shapley's value where every plan is.

    Choices go together where no order is possible otherwise: as few as that takes. Both ends must have a value.
    """
    known = [value(frozenset(n for k, n in enumerate(names) if mask >> k & 1)) for mask in range(2 ** len(names))]
    blocks, before, after = _finest(len(names), [v is not None for v in known])
    orders = before[-1]
    first = known[0]
    assert first is not None
    sums = {quantity: [Fraction(0)] * len(blocks) for quantity in first}
    for done in range(2 ** len(blocks)):
        here = known[_union(blocks, done)]
        for k in range(len(blocks)):
            there = known[_union(blocks, done | 1 << k)]
            if done >> k & 1 or here is None or there is None:
                continue
            weight = Fraction(before[done] * after[done | 1 << k], orders)
            for quantity, parts in sums.items():
                parts[k] += weight * (Fraction(there[quantity]) - Fraction(here[quantity]))
    groups = tuple(tuple(n for k, n in enumerate(names) if block >> k & 1) for block in blocks)
    changes = {quantity: tuple(float(p) for p in parts) for quantity, parts in sums.items()}
    return Attribution("all orders", groups, changes, orders, factorial(len(groups)))


def _finest(count: int, possible: Sequence[bool]) -> tuple[tuple[int, ...], list[int], list[int]]:
    """Blocks of choices that some order can change one by one: as many as there can be, then with most orders.

    With them, for each set of blocks, the possible orders that lead to it and on from it.
    """
    best: tuple[tuple[int, ...], list[int], list[int]] = ((), [1], [1])
    for blocks in sorted(_partitions(count), key=lambda b: -len(b)):
        if len(blocks) < len(best[0]):
            break
        before, after = _orders(blocks, possible)
        if before[-1] > (best[1][-1] if best[0] else 0):
            best = blocks, before, after
        if len(blocks) == count and best[0]:
            break
    return best


def _partitions(count: int) -> Iterator[tuple[int, ...]]:
    """Every way to part ``count`` things into blocks; a block is the sum of 2^k over its things."""
    if count == 0:
        yield ()
        return
    last = 1 << count - 1
    for smaller in _partitions(count - 1):
        yield (*smaller, last)
        for k, block in enumerate(smaller):
            yield (*smaller[:k], block | last, *smaller[k + 1 :])


def _orders(blocks: tuple[int, ...], possible: Sequence[bool]) -> tuple[list[int], list[int]]:
    """For each set of blocks: in how many possible orders they come first, and the others behind them."""
    everything = 2 ** len(blocks) - 1
    allowed = [possible[_union(blocks, done)] for done in range(everything + 1)]
    before, after = [0] * (everything + 1), [0] * (everything + 1)
    before[0] = after[everything] = 1
    for done in range(1, everything + 1):
        if allowed[done]:
            before[done] = sum(before[done ^ 1 << k] for k in range(len(blocks)) if done >> k & 1)
    for done in reversed(range(everything)):
        if allowed[done]:
            after[done] = sum(after[done | 1 << k] for k in range(len(blocks)) if not done >> k & 1)
    return before, after


def _union(blocks: tuple[int, ...], done: int) -> int:
    return sum(block for k, block in enumerate(blocks) if done >> k & 1)


def over_two_orders(names: Sequence[str], value: Value) -> Attribution:
    """The mean of two orders: ``names`` in their order from the first plan on, and from the second one back.

    So it is symmetric: with the plans exchanged every sign turns, nothing else.
    """
    whole = frozenset(names)
    forward = _walk(names, value)
    backward = _walk(names, lambda changed: value(whole - changed))[::-1]
    groups = _joined(names, (*forward, *backward))
    of = {name: k for k, group in enumerate(groups) for name in group}
    first = value(frozenset())
    assert first is not None
    sums = {quantity: [Fraction(0)] * len(groups) for quantity in first}
    for steps in (forward, backward):
        here, changed = first, frozenset[str]()
        for step in steps:
            changed |= frozenset(step)
            there = value(changed)
            assert there is not None
            for quantity, parts in sums.items():
                parts[of[step[0]]] += (Fraction(there[quantity]) - Fraction(here[quantity])) / 2
            here = there
    changes = {quantity: tuple(float(p) for p in parts) for quantity, parts in sums.items()}
    return Attribution("two orders", groups, changes, 2, factorial(len(groups)), (forward, backward))


def _walk(names: Sequence[str], value: Value) -> tuple[tuple[str, ...], ...]:
    """Steps through possible plans: at each the first choice that can change, or the fewest that can together."""
    steps: list[tuple[str, ...]] = []
    left = tuple(names)
    while left:
        changed = frozenset(names) - frozenset(left)
        tried = (step for size in range(1, LARGEST_STEP + 1) for step in combinations(left, size))
        bounded = (step for step, _ in zip(tried, range(MOST_TRIED), strict=False))
        step = next((s for s in bounded if value(changed | frozenset(s)) is not None), left)
        steps.append(step)
        left = tuple(n for n in left if n not in step)
    return tuple(steps)


def _joined(names: Sequence[str], steps: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Groups of choices that any step changes together."""
    groups = [{name} for name in names]
    for step in steps:
        touched = [g for g in groups if g & set(step)]
        groups = [g for g in groups if g not in touched] + [set().union(*touched)]
    ordered = sorted(groups, key=lambda g: min(names.index(n) for n in g))
    return tuple(tuple(n for n in names if n in g) for g in ordered)
