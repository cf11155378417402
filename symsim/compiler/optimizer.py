"""What the library's optimizers hold and move for each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy import Expr, Integer

from symsim.diagnostics import error, nearest
from symsim.elements import ELEMENT_BYTES, ELEMENT_NAMES, STATE_CHOICES, element_bytes
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate, names_in, number, truth
from symsim.language.library import Library
from symsim.records.graph import Weight
from symsim.records.strategy import Structure

MASTER = "master"
"""The state of an optimizer that is a copy of the weights."""


@dataclass(frozen=True, slots=True)
class States:
    """The states of one optimizer under one strategy.

    An optimizer may treat three kinds of weights differently: a ``matrix`` of a layer, an
    ``embedding`` (or head), and any other, a ``vector``.
    """

    item: tree.OptimizerItem
    words: Mapping[str, str]

    def bytes_each(self, kind: str) -> Fraction:
        """Bytes of the states that every parameter of a kind of weight has."""
        states, _ = self._items(kind == "matrix", kind == "embedding")
        return sum((self._size(s) * _each(s) for s in states if not _of_shape(s)), Fraction(0))

    def bytes_whole(self, weight: Weight) -> Expr:
        """Bytes of the states that a weight has as a whole: rows and columns of a factored moment.

        Leading dimensions (experts) multiply both.
        """
        states, _ = self._items(is_matrix(weight), weight.embedding)
        amount: Expr = Integer(0)
        for state in (s for s in states if _of_shape(s)):
            assert state.count is not None
            sizes = {"elements": weight.elements}
            if is_matrix(weight):
                sizes |= {"rows": weight.elements / weight.shape[-1], "columns": weight.elements / weight.shape[-2]}
            scope = Plain(sizes)
            count = number(evaluate(state.count, scope), state.count.place, scope)
            amount += sympy.sympify(self._size(state)) * sympy.sympify(count)
        return amount

    def has_master(self) -> bool:
        """Whether there is a state ``master`` that holds a weight in full: a remainder is only a part of one."""
        states, _ = self._items(True, False)
        return any(s.name == MASTER and self.words.get(s.element, s.element) != "remainder" for s in states)

    def traffic(self, structure: Structure) -> Fraction:
        """Bytes that a step moves for each parameter of a matrix, which most parameters are part of."""
        _, traffics = self._items(True, False)
        amounts = {
            "grad": ELEMENT_BYTES[str(structure["grad_dtype"])],
            "weight": element_bytes("activation", str(structure["precision"])),
            "states": self.bytes_each("matrix"),
        }
        plain = Plain(amounts)
        parts = (Fraction(number(evaluate(t.amount, plain), t.amount.place, plain)) for t in traffics)
        return sum(parts, Fraction(0))

    def _size(self, state: tree.State) -> Fraction:
        element = self.words.get(state.element, state.element)
        if element not in ELEMENT_NAMES:
            hint = nearest(state.element, (*ELEMENT_NAMES, *STATE_CHOICES))
            raise error("E222", f"unknown element type '{state.element}'", state.place, hint)
        return element_bytes(element, self.words["precision"])

    def _items(self, matrix: bool, embedding: bool) -> tuple[list[tree.State], list[tree.Traffic]]:
        scope = Plain({**self.words, "matrix": matrix or embedding, "embedding": embedding})
        return _chosen(self.item.items, scope)


def kind_of(weight: Weight) -> str:
    """``embedding``, ``matrix`` or ``vector``."""
    return "embedding" if weight.embedding else "matrix" if is_matrix(weight) else "vector"


def is_matrix(weight: Weight) -> bool:
    """Whether a weight, or that of one expert, has two dimensions."""
    return len(weight.shape) - weight.expert >= 2


def optimizer_states(library: Library, structure: Structure) -> States:
    """The optimizer that the strategy names.

    Raises:
        InputError: the library has no such optimizer.
    """
    name = str(structure["optimizer"])
    item = library.optimizers.get(name)
    if item is None:
        hint = nearest(name, library.optimizers)
        raise error("E241", f"no optimizer is called '{name}'", None, hint, about="optimizer")
    return States(item, {n: str(structure[n]) for n in ("precision", *STATE_CHOICES)})


def _of_shape(state: tree.State) -> bool:
    """Whether a state's size follows from the shape of its weight, not from its elements alone."""
    return state.count is not None and not names_in(state.count) <= {"elements"}


def _each(state: tree.State) -> Fraction:
    """How many values of a state there are for one element: a scale of 256 elements is 1/256."""
    if state.count is None:
        return Fraction(1)
    scope = Plain({"elements": 1})
    return Fraction(number(evaluate(state.count, scope), state.count.place, scope))


def _chosen(items: tuple[tree.Node, ...], scope: Plain) -> tuple[list[tree.State], list[tree.Traffic]]:
    states: list[tree.State] = []
    traffics: list[tree.Traffic] = []
    for item in items:
        if isinstance(item, tree.State):
            states.append(item)
        elif isinstance(item, tree.Traffic):
            traffics.append(item)
        elif isinstance(item, tree.If):
            holds = truth(evaluate(item.condition, scope), item.condition.place, scope)
            more_states, more_traffics = _chosen(item.then if holds else item.other, scope)
            states += more_states
            traffics += more_traffics
    return states, traffics
