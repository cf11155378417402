"""Near spellings of models, architectures and machines: a typing mistake is one, another version or size is not.

``llama3-70B`` and ``lama3_70b`` are near ``llama3_70b``. ``llama4_70b``, ``nemotron_h`` and ``h800`` are things of
their own: a name like theirs is never proposed in their place, only named as another one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 64
"""Letters up to which a name is compared with others."""

ALIKE = 0.66
"""How alike two words are that are one, spelled in two ways: 1 is the same."""

RELATED = 0.7
"""How alike two names are of which one is said to be another thing, unless they begin with the same word."""

MOST_NAMES = 4
"""Names that begin alike, of which a hint lists no more."""

_PARTS = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Near:
    """``spelled`` is the name that was meant, or a few that begin so; ``other`` is alike, and another thing."""

    spelled: tuple[str, ...]
    other: str | None

    def hint(self) -> str | None:
        """What was meant, where that is clear."""
        match self.spelled:
            case ():
                return None
            case (name,):
                return f"did you mean '{name}'?"
        return "known here: " + ", ".join(self.spelled)


def near_names(given: str, known: Iterable[str], typed: bool = True) -> Near:
    """What of ``known`` a name may mean. A ``typed`` one may be the beginning of it: ``qwen3_32``.

    What a program wrote is not cut short: of ``gpt_neo`` and ``gpt_neox`` each is a thing of its own.
    """
    names = sorted(known)
    parts = _parts(given)
    if len(given) > LONGEST or not parts:
        return Near((), None)
    alike = [n for n in names if _is_spelling(parts, _parts(n), typed)]
    if alike:
        ranked = difflib.get_close_matches(given.lower(), alike, n=1, cutoff=0.0)
        return Near((ranked[0],), None)
    longer = [n for n in names if typed and _parts(n)[: len(parts)] == parts]
    if longer:
        return Near(tuple(longer[:MOST_NAMES]), None)
    return Near((), _related(given.lower(), names))


def _related(given: str, names: list[str]) -> str | None:
    """The name most like one that is none of them: of those that begin with the same word, else of all."""
    lowered = {n.lower(): n for n in names}
    first = [n for n in lowered if _parts(n)[:1] == _parts(given)[:1]]
    close = difflib.get_close_matches(given, first or lowered, n=1, cutoff=0.0 if first else RELATED)
    return lowered[close[0]] if close else None


def _parts(name: str) -> list[str]:
    """Words and numbers: ``glm45_air`` is ``glm``, ``45``, ``air``. The ``v`` of a version is no word."""
    found = _PARTS.findall(name.lower())
    return [p for k, p in enumerate(found) if not (p == "v" and k + 1 < len(found) and found[k + 1].isdigit())]


def _is_spelling(given: list[str], known: list[str], typed: bool) -> bool:
    """The same numbers in the same order, and words that differ by a slip; a word more is another thing."""
    if [p for p in given if p.isdigit()] != [p for p in known if p.isdigit()]:
        return False
    ours, theirs = ([p for p in of if not p.isdigit()] for of in (given, known))
    if "".join(ours) == "".join(theirs):
        return True
    return len(ours) == len(theirs) and all(_alike(a, b, typed) for a, b in zip(ours, theirs, strict=True))


def _alike(word: str, other: str, typed: bool) -> bool:
    if not typed and word != other and (word.startswith(other) or other.startswith(word)):
        return False
    return difflib.SequenceMatcher(None, word, other).ratio() >= ALIKE
