"""JSON with comments and trailing commas, as DeepSpeed reads its files (it parses them as HJSON).

Comments become blanks, so every key stays where it stands. Keys and texts without quotes, which HJSON takes too, are
an error.
"""

from __future__ import annotations

import re

from symsim.diagnostics import InputError, Source
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.json_text import Object, parse

_PIECES = re.compile(
    r'(?P<text>"(?:[^"\\\n]++|\\.)*+")|(?P<comment>#[^\n]*|//[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/)|(?P<comma>,)(?=\s*[}\]])'
)


def parse_hjson(source: Source) -> Object:
    """The object that a text holds.

    Raises:
        InputError: it is not JSON apart from comments and trailing commas.
    """
    plain = _PIECES.sub(_blank, source.text)
    # A comma may stand before a comment that stood before the bracket.
    plain = _PIECES.sub(_blank, plain)
    object_ = parse(Source(source.name, plain))
    _point_at(object_, source)
    return object_


def keys_of_hjson(file: ForeignFile) -> Object:
    """The keys of a file.

    Raises:
        InputError: it holds no object.
    """
    if file.keys is not None:
        return file.keys
    return parse_hjson(file.source)


def keys_if_any(file: ForeignFile) -> Object:
    """The keys of a file; none where it cannot be read."""
    try:
        return keys_of_hjson(file) if file.keys is not None or file.source.text.lstrip()[:1] in "{#/" else Object()
    except InputError:
        return Object()


def _blank(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "text" else re.sub(r"[^\n]", " ", match[0])


def _point_at(value: object, source: Source) -> None:
    """Places in the text as it was given, with its comments."""
    from dataclasses import replace

    if isinstance(value, Object):
        value.places = {key: replace(place, source=source) for key, place in value.places.items()}
        for inner in value.values():
            _point_at(inner, source)
    elif isinstance(value, list):
        for inner in value:
            _point_at(inner, source)
