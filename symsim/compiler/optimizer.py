"""What the library's optimizers hold and move for each parameter."""

from __future__ import annotations

from fractions import Fraction

from symsim.diagnostics import error, nearest
from symsim.elements import ELEMENT_BYTES, ELEMENT_NAMES, element_bytes
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate, number, truth
from symsim.language.library import Library
from symsim.records.strategy import Structure


def optimizer_cost(library: Library, structure: Structure) -> tuple[Fraction, Fraction]:
    """(bytes of states, bytes of traffic in a step) for one parameter.

    Raises:
        InputError: the library has no such optimizer.
    """
    name = str(structure["optimizer"])
    item = library.optimizers.get(name)
    if item is None:
        hint = nearest(name, library.optimizers)
        raise error("E241", f"no optimizer is called '{name}'", None, hint, about="optimizer")
    precision = str(structure["precision"])
    scope = Plain({"precision": precision})
    states, traffics = _items(item.items, scope)
    held = sum((element_bytes(s.element, precision) for s in states if _known(s)), Fraction(0))
    amounts = {
        "grad": ELEMENT_BYTES[str(structure["grad_dtype"])],
        "weight": element_bytes("activation", precision),
        "states": held,
    }
    plain = Plain(amounts)
    moved = sum((Fraction(number(evaluate(t.amount, plain), t.amount.place, plain)) for t in traffics), Fraction(0))
    return held, moved


def _items(items: tuple[tree.Node, ...], scope: Plain) -> tuple[list[tree.State], list[tree.Traffic]]:
    states: list[tree.State] = []
    traffics: list[tree.Traffic] = []
    for item in items:
        if isinstance(item, tree.State):
            states.append(item)
        elif isinstance(item, tree.Traffic):
            traffics.append(item)
        elif isinstance(item, tree.If) and truth(evaluate(item.condition, scope), item.condition.place, scope):
            more_states, more_traffics = _items(item.then, scope)
            states += more_states
            traffics += more_traffics
    return states, traffics


def _known(state: tree.State) -> bool:
    if state.element not in ELEMENT_NAMES:
        message = f"unknown element type '{state.element}'"
        raise error("E222", message, state.place, nearest(state.element, ELEMENT_NAMES))
    return True
