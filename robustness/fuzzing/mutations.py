"""Texts and JSON documents changed at random."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from fuzzing import vocabulary

_TOKEN = re.compile(r"[A-Za-z_][\w.]*|[0-9][\w.]*|\"[^\"\n]*\"|\s+|.", re.DOTALL)


def mutated(draw: Random, text: str, times: int | None = None) -> str:
    """A text with one to three changes of words, lines or letters."""
    for _ in range(draw.choice((1, 1, 1, 2, 3)) if times is None else times):
        text = draw.choice(_CHANGES)(draw, text)
    return text[:400_000]


def _word(draw: Random, text: str) -> str:
    """Another word, number, or mark in place of one."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return vocabulary.name(draw)
    places = [k for k, t in enumerate(tokens) if not t.isspace()] or [0]
    k = draw.choice(places)
    if tokens[k][0].isdigit():
        tokens[k] = vocabulary.number(draw)
    elif tokens[k][0].isalpha():
        tokens[k] = vocabulary.name(draw)
    else:
        tokens[k] = draw.choice((*"()[]{}=,+-*/%^<>;:", "==", "<=", "..", "**", "in", "and", "if", "else", ""))
    return "".join(tokens)


def _tokens(draw: Random, text: str) -> str:
    """A word left out, doubled, or exchanged with another."""
    tokens = _TOKEN.findall(text)
    if len(tokens) < 2:
        return text
    k, j = draw.randrange(len(tokens)), draw.randrange(len(tokens))
    match draw.randrange(3):
        case 0:
            del tokens[k]
        case 1:
            tokens.insert(j, tokens[k])
        case _:
            tokens[k], tokens[j] = tokens[j], tokens[k]
    return "".join(tokens)


def _lines(draw: Random, text: str) -> str:
    """A line left out, doubled, moved; or the end cut off."""
    lines = text.split("\n")
    k, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(5):
        case 0:
            del lines[k]
        case 1:
            lines.insert(j, lines[k])
        case 2:
            lines[k], lines[j] = lines[j], lines[k]
        case 3:
            return "\n".join(lines[: k + 1])
        case _:
            return text[: draw.randrange(len(text) + 1)]
    return "\n".join(lines)


def _piece(draw: Random, text: str) -> str:
    """Something hostile put in."""
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice(vocabulary.HOSTILE_PIECES) + text[place:]


def _letters(draw: Random, text: str) -> str:
    """A few letters exchanged for others."""
    letters = list(text)
    for _ in range(draw.randint(1, 3)):
        if letters:
            letters[draw.randrange(len(letters))] = chr(draw.choice((draw.randrange(32, 127), draw.randrange(0x2FFF))))
    return "".join(letters)


def _number(draw: Random, text: str) -> str:
    """Another number in place of one."""
    found = list(re.finditer(r"(?<![\w.])[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?", text))
    if not found:
        return text + vocabulary.number(draw)
    at = draw.choice(found)
    return text[: at.start()] + vocabulary.number(draw) + text[at.end() :]


_CHANGES: Sequence[Callable[[Random, str], str]] = (_word, _word, _number, _number, _tokens, _lines, _piece, _letters)


def as_bytes(draw: Random, text: str) -> bytes:
    """UTF-8, or rarely other bytes: another encoding, a byte changed."""
    raw = text.encode("utf-8", errors="surrogatepass")
    chance = draw.random()
    if chance < 0.97 or not raw:
        return raw
    if chance < 0.98:
        return text.encode("utf-16", errors="surrogatepass")
    changed = bytearray(raw)
    changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def hostile_value(draw: Random, words: Sequence[str]) -> Any:
    """Any JSON value; numbers at the ends of what doubles hold, texts with control characters."""
    values: tuple[Any, ...] = (
        *(None, True, False, 0, 1, -1, 2, 3, 8, 64, 128, 4096, 0.5, 1.5, -0.0, 1e-320, 5e-324, 1e308, -1e308, 1e22),
        *(10**12, 10**12 + 1, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, 10**400, -(10**400), float("inf"), float("nan")),
        *("", "x", "none", "null", "1", "64", "\x1b[31mred", "a\nb", "\u202e", "\ud800", "x" * 5000, "../x", "[b]"),
        *([], {}, [1], [0], [None], [[]], ["x"], [1e308] * 3, {"x": 1}, [1] * 2000, {"": {}}, [10**400]),
    )
    if draw.random() < 0.35:
        return draw.choice(words)
    if draw.random() < 0.3:
        return draw.choice((1, 2, 4, 8, 16, 64, 128, 0.5, 3, 5, 6))
    return draw.choice(values)


def mutated_json(draw: Random, document: Any, words: Sequence[str]) -> Any:
    """A copy of a document in which one to three values, keys or items are others."""
    document = json.loads(json.dumps(document))
    for _ in range(draw.choice((1, 1, 2, 3))):
        holders = list(_holders(document))
        if not holders:
            return hostile_value(draw, words)
        holder = draw.choice(holders)
        if isinstance(holder, dict):
            _change_object(draw, holder, words)
        else:
            k = draw.randrange(len(holder) + 1)
            match draw.randrange(3):
                case 0 if k < len(holder):
                    del holder[k]
                case 1:
                    holder.insert(k, hostile_value(draw, words))
                case _:
                    holder[min(k, len(holder) - 1) : k + 1] = [hostile_value(draw, words)]
    return document


def _change_object(draw: Random, holder: dict[str, Any], words: Sequence[str]) -> None:
    key = draw.choice(list(holder)) if holder else "x"
    match draw.randrange(6):
        case 0:
            holder.pop(key, None)
        case 1:
            holder[draw.choice(words)] = hostile_value(draw, words)
        case 2:
            holder[str(hostile_value(draw, words))[:3000]] = holder.pop(key, 1)
        case _:
            holder[key] = hostile_value(draw, words)


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _holders(part)


def json_text(draw: Random, document: Any) -> str:
    """JSON as a writer might leave it: with NaN, doubled keys, another layout, or cut off."""
    text = json.dumps(document, indent=draw.choice((None, 1)), ensure_ascii=draw.random() < 0.8)
    chance = draw.random()
    if chance < 0.8:
        return text
    if chance < 0.85:
        return text.replace("{", '{"id": 1, "id": 2, ', 1)
    if chance < 0.88:
        odd = draw.choice(("1e999", "-1e999", "NaN", "1" * 5000, "1E400", "-0", "0.1e-400"))
        return re.sub(r"[0-9]+", odd, text, count=1)
    if chance < 0.9:
        return "[" * 100_000
    return mutated(draw, text, 1)
