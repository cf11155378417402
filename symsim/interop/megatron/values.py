"""Texts of arguments as values of their types: what argparse would make of them, or an error at their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from symsim.diagnostics import InputError, Place, error, nearest
from symsim.interop.megatron.argument_table import Argument

MAX_LISTED = 4096
"""Longest list that a pattern may give."""

_PATTERN = re.compile(r"[\d\[\](),+* \t]+")
_NULL = ("None", "null", "")


def value_of(argument: Argument, texts: Sequence[str], place: Place) -> Any:
    """The value of an argument that is given with these texts.

    Raises:
        InputError: a text of another type, or a word that the parser does not take.
    """
    if argument.both or argument.type == "flag":
        return _flag(argument, texts[0], place) if texts else True
    if argument.many:
        return [_one(argument, text, place) for text in texts]
    if not texts:
        raise error("E509", f"{argument.flags[0]} needs a value", place, f"{argument.flags[0]} VALUE")
    return _one(argument, texts[0], place)


def _flag(argument: Argument, text: str, place: Place) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in words:
        raise error("E509", f"{argument.flags[0]} is true or false, not '{text[:40]}'", place, "write True or False")
    return words[text.lower()]


def _one(argument: Argument, text: str, place: Place) -> Any:
    text = text.strip()
    if text in _NULL:
        return None
    match argument.type:
        case "int":
            if re.fullmatch(r"[+-]?\d[\d_]{0,18}", text):
                return int(text)
            raise _wrong(argument, text, "a whole number", place)
        case "float":
            if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text) and len(text) <= 40:
                return float(text)
            raise _wrong(argument, text, "a number", place)
        case "list":
            parts = text.strip("()[] ").split(",")
            if all(re.fullmatch(r"\s*-?\d{1,12}\s*", part) for part in parts):
                return [int(part) for part in parts]
            raise _wrong(argument, text, "numbers with commas between them", place)
        case "pattern":
            return pattern_value(argument, text, place)
    if argument.choices and text not in map(str, argument.choices):
        near = nearest(text, [str(c) for c in argument.choices])
        raise error("E509", f"{argument.flags[0]} cannot be '{text[:40]}'", place, near)
    return text


def _wrong(argument: Argument, text: str, wanted: str, place: Place) -> InputError:
    if text.startswith("$"):
        hint = f"the script does not say what {text[:40]} is: write the value"
    else:
        hint = f"for example {argument.flags[0]} {'8' if wanted == 'a whole number' else '0.5'}"
    return error("E509", f"{argument.flags[0]} is {wanted}, not '{text[:40]}'", place, hint)


def pattern_value(argument: Argument, text: str, place: Place) -> Any:
    """A number, or a list as ``([0]*3+[1]*12)``: what the parser evaluates, with bounded work."""
    if re.fullmatch(r"-?\d{1,9}", text):
        return int(text)
    if not _PATTERN.fullmatch(text) or len(text) > 2000:
        raise _wrong(argument, text, "a number or a list such as ([0]*1+[1]*15)", place)
    try:
        found, rest = _sum(text.replace(" ", ""), 0)
    except (ValueError, IndexError):
        found, rest = None, 0
    if not isinstance(found, list) or rest != len(text.replace(" ", "")):
        raise _wrong(argument, text, "a number or a list such as ([0]*1+[1]*15)", place)
    return found


def _sum(text: str, at: int, depth: int = 0) -> tuple[Any, int]:
    found, at = _product(text, at, depth)
    while at < len(text) and text[at] == "+":
        more, at = _product(text, at + 1, depth)
        found = _bounded(found + more if isinstance(found, list) is isinstance(more, list) else None)
    return found, at


def _product(text: str, at: int, depth: int) -> tuple[Any, int]:
    found, at = _atom(text, at, depth)
    while at < len(text) and text[at] == "*":
        more, at = _atom(text, at + 1, depth)
        times, listed = (found, more) if isinstance(more, list) else (more, found)
        if not isinstance(times, int) or not 0 <= times <= MAX_LISTED:
            raise ValueError("a list is repeated a number of times")
        if isinstance(listed, list) and len(listed) * times > MAX_LISTED:
            raise ValueError("too long")
        found = _bounded(listed * times)
    return found, at


def _atom(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > 16:
        raise ValueError("nested too deep")
    if text[at] == "(":
        found, at = _sum(text, at + 1, depth + 1)
        if text[at] != ")":
            raise ValueError("a bracket is not closed")
        return found, at + 1
    if text[at] == "[":
        items: list[Any] = []
        at += 1
        while text[at] != "]":
            item, at = _sum(text, at, depth + 1)
            items.append(item)
            at += text[at] == ","
        return items, at + 1
    match = re.compile(r"\d{1,9}").match(text, at)
    if match is None:
        raise ValueError("a number is wanted")
    return int(match[0]), match.end()


def _bounded(value: Any) -> Any:
    if (
        value is None
        or (isinstance(value, list) and len(value) > MAX_LISTED)
        or (isinstance(value, int) and value > 10**9)
    ):
        raise ValueError("too large")
    return value
