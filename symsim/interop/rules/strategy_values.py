"""The choices that a rule gives a strategy: ``config NAME = strategy(tp = key, recompute = {…})``.

Each value is checked as one of a strategy file is, with errors at the keys that it comes from; null leaves a choice
out.
"""

from __future__ import annotations

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
    return checked_choice(CHOICES[name], value, keys.reading.place_of(names))
