"""Names whose value is a word: what each may be, and that texts compare them with nothing else.

A word that no one declared would otherwise choose the ``else`` of a condition without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symsim.diagnostics import InputError, Place, error, nearest
from symsim.language import tree
from symsim.records.strategy import CHOICES

_COMPARED = ("==", "!=", "in")


def words_of_choices() -> dict[str, tuple[str, ...]]:
    """The choices of a strategy that are one of a fixed set of words."""
    return {n: c.words for n, c in CHOICES.items() if c.kind == "word" and c.words and n != "zero"}


def unknown_words(items: Iterable[tree.Item], words: Mapping[str, tuple[str, ...]]) -> Iterator[InputError]:
    """An error for each comparison of a closed name with a word that it never is.

    ``words``: of each closed name. A parameter or a ``let`` of the same name hides it in its item.
    """
    closed = {**words_of_choices(), **words}
    for item in items:
        hidden = {p.name for p in getattr(item, "parameters", ())} if not isinstance(item, tree.FamilyItem) else set()
        nodes = list(tree.descendants(item))
        hidden |= {n.name for n in nodes if isinstance(n, tree.Let)}
        for node in nodes:
            if not isinstance(node, tree.Binary) or node.operator not in _COMPARED:
                continue
            name = node.left.name if isinstance(node.left, tree.Name) else ""
            if name not in closed or name in hidden:
                continue
            for word, place in _compared_with(node.right):
                if word not in closed[name] and word not in hidden:
                    yield never(name, word, closed[name], place)


def never(name: str, word: str, words: tuple[str, ...], place: Place) -> InputError:
    """The error for a word that a closed name never is."""
    return error("E252", f"'{name}' cannot be '{word}'", place, nearest(word, words))


def _compared_with(node: tree.Expression) -> Iterator[tuple[str, Place]]:
    """The words on the right side of a comparison."""
    match node:
        case tree.Name(name=word, place=place):
            yield word, place
        case tree.Text(value=word, place=place):
            yield word, place
        case tree.SetOf(items=items):
            for item in items:
                yield from _compared_with(item)
