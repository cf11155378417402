"""A measured case as the question that it asks, value by value.

No text is put together from a case: each key is a name that its field may have, each value one expression. So a value
cannot bring another choice with it, nor a key another file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from symsim.analysis.fitting.run_cases import RUN, TEXT, question_of_run
from symsim.analysis.fitting.stacks import choices_of_stack
from symsim.diagnostics import Place, Source, error, nearest
from symsim.language import tree
from symsim.language.expressions import MAX_BITS, out_of_bounds
from symsim.language.parser import parse_expression
from symsim.language.strategies import elaborate_strategy
from symsim.loading.question import Question, question
from symsim.records.strategy import CHOICES

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMERAL = re.compile(r"[0-9]+(\.[0-9]+)?")
WITHOUT_GROUP = ("gpus_per_node", "sms")
"""Figures of a machine whose names have no point."""


def question_of(case: Mapping[str, Any], system: str | None = None) -> Question:
    """The question of a case; ``system`` stands in for the machine that it names.

    Raises:
        InputError: the case names what there is not, or contradicts itself.
    """
    if RUN in case or TEXT in case:
        return question_of_run(case, system)
    chosen = elaborate_strategy(tree.StrategyFile(None, ()), "inline", tuple(_choices(case)))
    model = case["model"]
    return question(_call(model) if isinstance(model, dict) else model, chosen, system or case.get("system"))


def facts_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the sources of a case say of its model or machine besides what it was published with."""
    return {name: value for name, value in (case.get("facts") or {}).items() if name != "source"}


def _choices(case: Mapping[str, Any]) -> Iterator[tree.Assign]:
    """What a case says besides its model and machine; facts come last and win."""
    for name, value in {**case["strategy"], **choices_of_stack(case)}.items():
        if name not in CHOICES:
            raise error("E314", f"'{name}' is not a choice of a strategy", None, nearest(name, CHOICES))
        yield from _assigned(name, value)
    for field, wanted in (("model_set", "a dimension of a model"), ("system_set", "a figure of a machine")):
        for name, value in (case.get(field) or {}).items():
            figure = "." in name or name in WITHOUT_GROUP
            if name in CHOICES or figure is not (field == "system_set"):
                raise error("E314", f"'{name}' of {field} is not {wanted}", None, "choices belong under strategy")
            yield from _assigned(name, value)
    for name, value in facts_of(case).items():
        yield from _assigned(name, value)


def _assigned(name: str, value: Any) -> Iterator[tree.Assign]:
    """The choice of a name; none where the case says that its source does not."""
    if value is not None:
        place = Place(Source(f"<{name}>", str(value)[:200]), 1, 1)
        yield tree.Assign(name, _expression(name, value, place), False, place)


def _expression(name: str, value: Any, place: Place) -> tree.Expression:
    """A value of JSON as an expression of the language.

    Raises:
        InputError: it is none, or not one.
    """
    match value:
        case bool():
            return tree.Name(str(value).lower(), place)
        case int() if abs(value).bit_length() <= MAX_BITS:
            return tree.Number(value, place)
        case float() if math.isfinite(value):
            exact = Fraction(repr(value))
            return tree.Number(exact.numerator if exact.denominator == 1 else exact, place)
        case int() | float():
            raise out_of_bounds("number", place)
        case list():
            return tree.SetOf(tuple(_word(name, item, place) for item in value), place)
        case str() if _WORD.fullmatch(value):
            return tree.Name(value, place)
        case str():
            return parse_expression(Source(f"<{name}>", value))
    raise error(
        "E602", f"'{name}' has an object for its value", place, "a value is a number, a text, or a list of words"
    )


def _word(name: str, item: Any, place: Place) -> tree.Name:
    if isinstance(item, str) and _WORD.fullmatch(item):
        return tree.Name(item, place)
    raise error("E602", f"'{name}' lists a value that is not a word", place, 'a list is such as ["core_attn", "mlp"]')


def _call(model: Mapping[str, Any]) -> Source:
    """``{"family": name, dimension: value, …}`` as the text of a model: words and numbers alone."""
    family = model.get("family")
    if not isinstance(family, str) or not _WORD.fullmatch(family):
        raise error("E602", "the model names no family", None, '"model": {"family": "llama", "hidden": 4096, …}')
    given = ", ".join(f"{name} = {_dimension(name, value)}" for name, value in model.items() if name != "family")
    return Source("<model>", f"model inline = {family}({given})")


def _dimension(name: str, value: Any) -> str:
    place = Place(Source(f"<{name}>", str(value)[:200]), 1, 1)
    if isinstance(value, int | float) or (isinstance(value, str) and _WORD.fullmatch(value)):
        node = _expression(name, value, place)
        return node.name if isinstance(node, tree.Name) else str(value)
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return value
    raise error("E602", f"'{name}' is neither a number nor a word", place, "for example 4096, true or rope")
