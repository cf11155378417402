"""JSON that remembers where each key stands, so that an error can point at it.

Reads what Python's own ``json`` reads (``NaN`` and ``Infinity`` included: real configurations hold
them), with bounded size and depth. Unlike it, a key that is given twice is an error.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

from symsim.diagnostics import InputError, Place, Source, error

MAX_BYTES = 1024 * 1024
"""Longest text that is read; a configuration has a few KiB."""
MAX_DEPTH = 32
"""Deepest nesting; a configuration nests two or three deep."""
MAX_DIGITS = 40
"""Most characters of one number."""

_TOKEN = re.compile(
    r"(?P<mark>[{}\[\],:])"
    r'|(?P<text>"(?:[^"\\\x00-\x1f]++|\\.)*+")'
    r"|(?P<word>true|false|null|NaN|-?Infinity)\b"
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))"
)
_BLANK = re.compile(r"[ \t\r\n]*")
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


class Object(dict[str, object]):
    """A JSON object, with the place of each of its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, Place] = {}


MAX_LOG_BYTES = 16 * 1024 * 1024
"""How far a log is read."""


def read_beginning(path: Path) -> Source:
    """The beginning of a log, whatever bytes there are in it.

    Raises:
        InputError: it is missing, or a folder.
    """
    try:
        with path.open("rb") as file:
            return Source(str(path), file.read(MAX_LOG_BYTES).decode("utf-8-sig", errors="replace"))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        hint = "a path is relative to where the command runs"
        raise error("E500", f"cannot read {path}: {reason}", hint=hint) from None


def read_text(path: Path) -> Source:
    """The text of a JSON file.

    Raises:
        InputError: it is missing, a folder, longer than ``MAX_BYTES``, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise error("E500", f"{path} is a folder", hint="give the config.json inside it") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        hint = "a path is relative to where the command runs"
        raise error("E500", f"cannot read {path}: {reason}", hint=hint) from None
    if len(raw) > MAX_BYTES:
        raise error("E501", f"{path} is too large", hint=f"at most {MAX_BYTES // 1024} KiB are read")
    try:
        return Source(str(path), raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise error("E501", f"{path} is not a text file", hint="JSON is UTF-8 text") from None


def parse(source: Source) -> Object:
    """The object that a text holds.

    Raises:
        InputError: the text is not JSON, nests too deep, gives a key twice, or holds no object.
    """
    if len(source.text) > MAX_BYTES:
        raise error("E501", f"{source.name} is too large", hint=f"at most {MAX_BYTES // 1024} KiB are read")
    reader = _Reader(source)
    value = reader.value()
    reader.finish()
    if not isinstance(value, Object):
        given = "a list" if isinstance(value, list) else "a single value"
        raise error("E505", f"{source.name} holds {given}, not an object", Place(source, 1, 1), "expected { … }")
    return value


class _Reader:
    """Reads one text from left to right; ``self._at`` is how far it has come."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._lines = [0, *(m.end() for m in re.finditer("\n", source.text))]

    def value(self) -> object:
        kind, text, place = self._next("a value")
        match kind, text:
            case "mark", "{":
                return self._nested(self._object, place)
            case "mark", "[":
                return self._nested(self._list, place)
            case "text", _:
                return self._text(text, place)
            case "word", _:
                return _WORDS[text]
            case "number", _:
                if len(text) > MAX_DIGITS:
                    raise error("E502", f"a number of {len(text)} characters", place, "no dimension is that large")
                return int(text) if re.fullmatch(r"-?[0-9]+", text) else float(text)
        raise self._unexpected(text, place, "a value")

    def finish(self) -> None:
        self._skip_blank()
        if self._at < len(self._source.text):
            place = self._place(self._at, 1)
            raise error("E502", "more text after the end of the JSON value", place, "the file holds one object")

    def _nested(self, read: Callable[[], object], place: Place) -> object:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise error("E503", f"nested more than {MAX_DEPTH} deep", place, "no configuration nests that deep")
        value = read()
        self._depth -= 1
        return value

    def _object(self) -> Object:
        out = Object()
        kind, text, place = self._next("a key in double quotes")
        if text == "}" and kind == "mark":
            return out
        while True:
            if kind != "text":
                raise self._unexpected(text, place, "a key in double quotes")
            key = self._text(text, place)
            if key in out:
                raise error("E504", f"the key {text[:40]} is given twice", place, f"first given at {out.places[key]}")
            self._expect(":")
            out[key] = self.value()
            out.places[key] = place
            if not self._goes_on("}"):
                return out
            kind, text, place = self._next("a key in double quotes")

    def _list(self) -> list[object]:
        out: list[object] = []
        self._skip_blank()
        if self._source.text.startswith("]", self._at):
            self._at += 1
            return out
        while True:
            out.append(self.value())
            if not self._goes_on("]"):
                return out

    def _goes_on(self, close: str) -> bool:
        """Whether a comma follows (True) or the closing mark (False)."""
        _, text, place = self._next(f"',' or '{close}'")
        if text not in (",", close):
            raise self._unexpected(text, place, f"',' or '{close}'")
        return text == ","

    def _expect(self, mark: str) -> None:
        _, text, place = self._next(f"'{mark}'")
        if text != mark:
            raise self._unexpected(text, place, f"'{mark}'")

    def _text(self, text: str, place: Place) -> str:
        try:
            return str(json.loads(text))
        except ValueError:
            raise error("E502", "a text with a wrong escape", place, r"write \\ for a backslash") from None

    def _next(self, expected: str) -> tuple[str, str, Place]:
        self._skip_blank()
        if self._at >= len(self._source.text):
            raise error("E502", "the text ends too early", self._place(self._at, 1), f"expected {expected}")
        found = _TOKEN.match(self._source.text, self._at)
        if found is None or found.lastgroup is None:
            rest = self._source.text[self._at : self._at + 1]
            raise self._unexpected(rest, self._place(self._at, 1), expected)
        place = self._place(self._at, len(found[0]))
        self._at = found.end()
        return found.lastgroup, found[0], place

    def _skip_blank(self) -> None:
        blank = _BLANK.match(self._source.text, self._at)
        assert blank is not None
        self._at = blank.end()

    def _unexpected(self, text: str, place: Place, expected: str) -> InputError:
        shown = text if len(text) <= 40 else text[:37] + "…"
        return error("E502", f"unexpected {shown!r}; this is not JSON", place, f"expected {expected}")

    def _place(self, at: int, width: int) -> Place:
        line = bisect_right(self._lines, at)
        return Place(self._source, line, at - self._lines[line - 1] + 1, width)
