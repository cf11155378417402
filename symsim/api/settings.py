"""Values of Python as the ``NAME=VALUE`` that the language reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from os import PathLike
from typing import Any

from symsim.diagnostics import error
from symsim.records.strategy import CHOICES

Setting = int | float | str | bool | Fraction | Collection[Any] | None
"""A number, a flag, a text of the language (``"full"``, ``"25 GB/s"``), a set of names; ``None``: as if never given.

A list, tuple or range is a set of values to search.
"""

Name = str | PathLike[str]
"""A shipped name, a path, or an inline text, as on the command line."""

StrategyName = Name | Mapping[str, Setting]
"""Likewise, or choices by name."""


def setting(name: str, value: Setting) -> str:
    """``NAME=VALUE``, or ``NAME in {…}`` for a list, tuple or range.

    Raises:
        InputError: a value that is none of these.
    """
    choice = CHOICES.get(name)
    if isinstance(value, list | tuple | range) and choice is not None and choice.kind == "lengths":
        return f"{name}=[{', '.join(_text(name, v) for v in value)}]"
    if isinstance(value, list | tuple | range):
        return f"{name} in {{{', '.join(_text(name, v) for v in value)}}}"
    text = _text(name, value)
    return f"{name} {text}" if text.startswith("in ") else f"{name}={text}"


def _text(name: str, value: Any) -> str:
    value = value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
    choice = CHOICES.get(name)
    match value:
        case None:
            return "none" if choice is None or choice.default is None else _text(name, choice.default)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case str():
            quoted = choice is not None and choice.kind == "text" and not value.startswith('"') and value != "none"
            return f'"{value}"' if quoted else value
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(str, value)))}}}" if value else "none"
    hint = "a number, a text, True or False, a set of names, or None"
    raise error("E381", f"'{name}' cannot be {_shown(value)}", None, hint)


def _shown(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def settings_of(given: Mapping[str, Setting]) -> tuple[str, ...]:
    return tuple(setting(name, value) for name, value in given.items())
