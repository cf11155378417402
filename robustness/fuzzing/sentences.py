"""Sentences of the grammars, and shipped texts in which a part is another part or a new sentence.

The grammars are those that the parser uses, so a construct that is added to them is drawn here.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random
from typing import Any

from fuzzing import vocabulary
from symsim import units
from symsim.language import parser

DEEPEST = 9
"""Nested rules after which a sentence takes the shortest way to its end."""

_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")


class Sentences:
    """Random sentences of one grammar from any of its rules."""

    def __init__(self, kind: str) -> None:
        self.lark = parser._grammar(kind)
        self.expansions: dict[str, list[list[Any]]] = {}
        for rule in self.lark.rules:
            self.expansions.setdefault(str(rule.origin.name), []).append(list(rule.expansion))
        self.terminals = {t.name: t for t in self.lark.terminals}
        self.height = self._heights()

    def _heights(self) -> dict[str, int]:
        """How many rules the shortest sentence of each rule nests."""
        height: dict[str, int] = {}
        changed = True
        while changed:
            changed = False
            for name, expansions in self.expansions.items():
                known = [self._height(e, height) for e in expansions]
                found = [h for h in known if h is not None]
                if found and min(found) + 1 < height.get(name, 10**9):
                    height[name] = min(found) + 1
                    changed = True
        return height

    @staticmethod
    def _height(expansion: list[Any], height: dict[str, int]) -> int | None:
        inner = [height.get(str(s.name)) for s in expansion if not s.is_term]
        return None if None in inner else max((h for h in inner if h is not None), default=0)

    def draw(self, rng: Random, start: str, depth: int = 0) -> str:
        """One sentence; words are drawn from the vocabulary, so it may mean nothing."""
        return " ".join(self._tokens(rng, start, depth))

    def _tokens(self, rng: Random, name: str, depth: int) -> list[str]:
        expansions = self.expansions[name]
        if depth > DEEPEST:
            heights = [self._height(e, self.height) or 0 for e in expansions]
            expansions = [e for e, h in zip(expansions, heights, strict=True) if h == min(heights)]
        chosen = rng.choice(expansions)
        tokens: list[str] = []
        for part in chosen:
            if part.is_term:
                tokens.append(self._word(rng, str(part.name)))
            else:
                tokens += self._tokens(rng, str(part.name), depth + 1)
        return tokens

    def _word(self, rng: Random, terminal: str) -> str:
        match terminal:
            case "NAME":
                return vocabulary.name(rng)
            case "NUMBER":
                return vocabulary.number(rng)
            case "UNIT":
                return rng.choice(tuple(units.UNITS))
            case "STRING":
                return f'"{rng.choice(vocabulary.words())}"'
            case "VERSION":
                return rng.choice(("2.11.0", "1f1b", "0.0.0", "1.2.3.4"))
            case "_SEP":
                return "\n"
            case "COMPARE":
                return rng.choice(_COMPARISONS)
        pattern = self.terminals[terminal].pattern
        if type(pattern).__name__ == "PatternStr":
            return str(pattern.value)
        words = re.findall(r"[a-z_]+", str(pattern.value).replace("[ \\t]+", " ").replace("\\b", ""))
        return rng.choice(words) if "|" in str(pattern.value) and words else " ".join(words) or "^"


@cache
def sentences(kind: str) -> Sentences:
    return Sentences(kind)


@cache
def _parts(kind: str) -> tuple[dict[str, list[tuple[str, int, int]]], dict[str, list[str]]]:
    """Of each shipped text its parts (what, begin, end), and the texts of all parts of one kind."""
    of_text: dict[str, list[tuple[str, int, int]]] = {}
    alike: dict[str, list[str]] = {}
    for name, text in vocabulary.texts(kind).items():
        tree = sentences(kind).lark.parse(text + "\n", start="start")
        for node in tree.iter_subtrees():
            if node.meta.empty or node.meta.end_pos > len(text):
                continue
            part = (str(node.data), node.meta.start_pos, node.meta.end_pos)
            of_text.setdefault(name, []).append(part)
            alike.setdefault(part[0], []).append(text[part[1] : part[2]])
    return of_text, alike


_EXPRESSIONS = frozenset({"binary", "unary", "number", "quantity", "range", "text", "name", "apply", "set", "choose"})


def spliced(rng: Random, kind: str, name: str, text: str) -> str:
    """A shipped text in which one part is another of the same kind, or a new sentence."""
    of_text, alike = _parts(kind)
    what, begin, end = rng.choice(of_text[name])
    grammar = sentences(kind)
    if rng.random() < 0.5 or not (what in grammar.expansions or what in _EXPRESSIONS):
        new = rng.choice(alike[what])
    elif what in _EXPRESSIONS:
        new = grammar.draw(rng, "expression", rng.randint(DEEPEST - 3, DEEPEST + 1))
        new = f"({new})" if rng.random() < 0.5 else new
    else:
        new = grammar.draw(rng, what, rng.randint(2, DEEPEST))
    return text[:begin] + new + text[end:]
