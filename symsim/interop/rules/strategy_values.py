"""The choices that a rule gives a strategy: ``config NAME = strategy(tp = key, recompute = {…})``.

Each value is checked as one of a strategy file is, with errors at the keys that it comes from; null leaves a choice
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from symsim.diagnostics import Diagnostic, InputError, error
from symsim.interop.rules.dimension_values import broken_checks
from symsim.interop.rules.key_expressions import Keys, asked, evaluate
from symsim.interop.rules.reading import spoken
from symsim.interop.rules.rule_book import Rule
from symsim.language import tree
from symsim.language.strategies import checked_choice
from symsim.records.strategy import CHOICES, Value

FAMILY = "strategy"
"""What a rule names where others name a family of models."""


def choices_of(rule: Rule, keys: Keys) -> dict[str, Value]:
    """Name → value of every choice that the rule gives.

    Raises:
        InputError: all that is wrong with the file.
    """
    found: dict[str, Value] = {}
    problems: list[Diagnostic] = []
    for name, node in rule.arguments.items():
        try:
            value = _value(name, node, keys)
        except InputError as problem:
            problems += problem.diagnostics
        else:
            if value is not None:
                found[name] = value
    problems += broken_checks(rule, keys) if not problems else ()
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found


def _value(name: str, node: tree.Expression, keys: Keys) -> Value | None:
    value = evaluate(node, keys)
    if isinstance(value, tuple):
        value = frozenset(v for v in value if v is not None)
        if not value:
            return None
    if value is None:
        return None
    names = asked(node)
    if not isinstance(value, bool | int | Fraction | str | frozenset):
        raise error("E509", f"{name} cannot be {spoken(value)}", keys.reading.place_of(names), "see the line")
    if isinstance(value, Fraction) and value.denominator == 1:
        value = value.numerator  # the tools count with 2.0 as with 2
    try:
        return checked_choice(CHOICES[name], value, keys.reading.place_of(names))
    except InputError as problem:
        raise _about_key(problem, name, names) from None


def _about_key(problem: InputError, name: str, names: Sequence[str]) -> InputError:
    """What is wrong with a choice, said of the one key that it is read from."""
    if len(names) != 1 or names[0] == name:
        return problem
    told = f"'{names[0]}'"
    found = [replace(d, message=d.message.replace(f"'{name}'", told)) for d in problem.diagnostics]
    return InputError(replace(d, hint=f"it is read as {name}") if f"{name} " in (d.hint or "") else d for d in found)
