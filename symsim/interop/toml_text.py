"""TOML that remembers where each key stands, so that an error can point at it.

Values are those of Python's ``tomllib``; keys are found again by the lines that they stand on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from symsim.diagnostics import Place, Source, error
from symsim.interop.json_text import MAX_BYTES, MAX_DEPTH, Object

_TABLE = re.compile(r"\s*\[\[?\s*([\w.\-\" ]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w\-.\"]+)\s*=")


def parse_toml(source: Source) -> Object:
    """The keys of a text.

    Raises:
        InputError: the text is not TOML, is too long or nests too deep.
    """
    if len(source.text) > MAX_BYTES:
        raise error("E501", f"{source.name} is too large", hint=f"at most {MAX_BYTES // 1024} KiB are read")
    try:
        found = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, ValueError) as problem:
        at = re.search(r"line (\d+), column (\d+)", str(problem))
        place = Place(source, int(at[1]), int(at[2])) if at else Place(source, 1, 1)
        message = str(problem).partition(" (at ")[0]
        raise error("E502", f"this is not TOML: {message}", place, "see the line") from None
    except RecursionError:
        place = Place(source, 1, 1)
        raise error("E503", f"nested more than {MAX_DEPTH} deep", place, "no file nests that deep") from None
    return _with_places(found, _places(source), "", Place(source, 1, 1), 1)


def _places(source: Source) -> dict[str, Place]:
    """Full name of a key → where it stands."""
    out: dict[str, Place] = {}
    table = ""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if found := _TABLE.fullmatch(line):
            table = found[1].replace('"', "") + "."
            out.setdefault(table[:-1], Place(source, number, found.start(1) + 1, len(found[1])))
        elif found := _KEY.match(line):
            out.setdefault(table + found[1].replace('"', ""), Place(source, number, found.start(1) + 1, len(found[1])))
    return out


def _with_places(found: Mapping[str, Any], places: Mapping[str, Place], before: str, near: Place, depth: int) -> Object:
    out = Object()
    for key, value in found.items():
        place = places.get(before + key, near)
        if depth > MAX_DEPTH:
            raise error("E503", f"nested more than {MAX_DEPTH} deep", place, "no file nests that deep")
        inner = isinstance(value, dict)
        out[key] = _with_places(value, places, f"{before}{key}.", place, depth + 1) if inner else value
        out.places[key] = place
    return out
