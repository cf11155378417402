"""Attributions sum to the whole, follow Shapley's axioms, and never ask about an impossible plan's quantities."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from itertools import permutations

import pytest

from symsim.analysis.comparing.attribution import Attribution, Changed, Value, over_all_orders, over_two_orders

Method = Callable[[tuple[str, ...], Value], Attribution]
both = pytest.mark.parametrize("attribute", [over_all_orders, over_two_orders])


def game(
    names: tuple[str, ...], seed: int, possible: Callable[[Changed], bool] = lambda _: True
) -> Callable[[Changed], Mapping[str, float] | None]:
    """Random numbers for every set of choices."""
    draw = random.Random(seed)
    values: dict[Changed, Mapping[str, float]] = {}
    for mask in range(2 ** len(names)):
        values[frozenset(n for k, n in enumerate(names) if mask >> k & 1)] = {"x": draw.uniform(-1e6, 1e6)}
    return lambda changed: values[changed] if possible(changed) else None


def at(value: Value, changed: Changed) -> float:
    found = value(changed)
    assert found is not None
    return found["x"]


@both
@pytest.mark.parametrize("count", range(7))
def test_parts_sum_to_the_whole(attribute: Method, count: int) -> None:
    names = tuple("abcdefg"[:count])
    for seed in range(20):
        value = game(names, seed)
        whole = at(value, frozenset(names)) - at(value, frozenset())
        assert math.isclose(math.fsum(attribute(names, value).changes["x"]), whole, rel_tol=1e-12, abs_tol=1e-9)


def test_all_orders_are_shapleys_value() -> None:
    names = ("a", "b", "c", "d")
    value = game(names, 7)
    sums = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        for k, name in enumerate(order):
            sums[name] += at(value, frozenset(order[: k + 1])) - at(value, frozenset(order[:k]))
    found = over_all_orders(names, value)
    assert found.groups == (("a",), ("b",), ("c",), ("d",)) and found.orders == found.orders_in_all == 24
    assert found.changes["x"] == pytest.approx([sums[n] / 24 for n in names])


@both
def test_with_the_plans_exchanged_every_sign_turns(attribute: Method) -> None:
    names = tuple("abcdef")
    legal = lambda s: s != frozenset("a") and s != frozenset("abcde") and not {"b", "c"} <= s <= {"b", "c", "d"}  # noqa: E731
    value = game(names, 3, legal)
    there = attribute(names, value)
    back = attribute(names, lambda changed: value(frozenset(names) - changed))
    assert there.groups == back.groups
    assert there.changes["x"] == pytest.approx([-c for c in back.changes["x"]], rel=1e-12)


@both
def test_a_choice_without_effect_gets_nothing(attribute: Method) -> None:
    names = ("a", "idle", "b")
    inner = game(("a", "b"), 1)
    found = attribute(names, lambda changed: inner(changed - {"idle"}))
    assert found.changes["x"][found.groups.index(("idle",))] == 0


@both
def test_choices_that_no_plan_has_alone_go_together(attribute: Method) -> None:
    names = ("a", "b", "c", "d")
    value = game(names, 5, lambda s: ("b" in s) == ("d" in s))
    found = attribute(names, value)
    assert found.groups == (("a",), ("b", "d"), ("c",))
    whole = at(value, frozenset(names)) - at(value, frozenset())
    assert math.fsum(found.changes["x"]) == pytest.approx(whole)


@both
def test_where_nothing_between_is_possible_all_goes_together(attribute: Method) -> None:
    names = ("a", "b", "c", "d", "e")
    found = attribute(names, game(names, 5, lambda s: len(s) in (0, 5)))
    assert found.groups == (names,)


def test_orders_through_impossible_plans_are_left_out() -> None:
    """Tensor parallelism can only be given up before pipelining is taken up."""
    value = game(("tp", "pp"), 2, lambda s: s != {"pp"})
    found = over_all_orders(("tp", "pp"), value)
    assert (found.groups, found.orders, found.orders_in_all) == ((("tp",), ("pp",)), 1, 2)
    first = at(value, frozenset({"tp"})) - at(value, frozenset())
    assert found.changes["x"][0] == pytest.approx(first)


def test_no_more_goes_together_than_must() -> None:
    """Of six choices two pairs are linked."""
    names = tuple("abcdef")
    value = game(names, 9, lambda s: ("a" in s) == ("f" in s) and ("b" in s) == ("c" in s))
    assert over_all_orders(names, value).groups == (("a", "f"), ("b", "c"), ("d",), ("e",))


def test_two_orders_are_told() -> None:
    names = ("a", "b", "c")
    found = over_two_orders(names, game(names, 4))
    assert found.sequences == ((("a",), ("b",), ("c",)), (("c",), ("b",), ("a",)))


def test_two_orders_ask_about_few_plans() -> None:
    names = tuple(f"n{k}" for k in range(40))
    asked: set[Changed] = set()

    def value(changed: Changed) -> Mapping[str, float] | None:
        asked.add(changed)
        return {"x": float(len(changed) ** 2)} if len(changed) in (0, 40) or "n39" in changed else None

    found = over_two_orders(names, value)
    assert len(asked) < 2000 and math.fsum(found.changes["x"]) == 1600
