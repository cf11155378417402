"""What becomes of each key of another tool's file: a rule reads it, it has no effect, or nobody knows it.

A key counts as known where a rule reads it, a remark or a check asks for it, or ``inert`` lists it. A key that changes
the cost and cannot be said here is known too: a ``remark`` of its rule says what it would change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from symsim.diagnostics import Diagnostic, InputError, error, nearest
from symsim.interop.json_text import MAX_DEPTH
from symsim.interop.model_text import printable
from symsim.interop.rules.key_expressions import asked
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule
from symsim.language.expressions import collect

Made = TypeVar("Made")

MOST_SHOWN = 60
"""Letters of a key that a message shows."""
MOST_SAID = 20
"""Unknown keys that are compared with those that are known, or said one by one."""


def account(
    reading: Reading, rules: Iterable[Rule], lenient: bool = False, known: Iterable[str] = (), silent: str = ""
) -> list[str]:
    """Remarks of keys that no rule knows, if the file is read leniently.

    Keys inside an object are named with points: ``zero_optimization.stage``. An object is known as a whole where no
    rule names a key inside it. ``known`` are further keys, such as those that told the kind of the file. ``silent``
    says what the tool itself does with a key that it does not know, where it does not refuse it.

    Raises:
        InputError: E522 for each key that is not known, with near spellings, unless ``lenient``.
    """
    named = _named(reading, rules, known)
    opened = frozenset(whole for name in named for whole in _wholes(name))
    unknown = [key for key, value in entries(reading.config) if not _is_known(key, value, named, opened)]
    if lenient:
        more = [f"{len(unknown) - MOST_SAID:,} more keys are not known here"] if len(unknown) > MOST_SAID else []
        return [f"'{printable(key, MOST_SHOWN)}' is not known here, and left out" for key in unknown[:MOST_SAID]] + more
    problems = [p for k, key in enumerate(unknown) for p in _unknown(key, reading, named, silent, k < MOST_SAID)]
    if problems:
        raise InputError(problems)
    return []


def accounted(account_of: Callable[[], list[str]], make: Callable[[], Made]) -> tuple[list[str], Made]:
    """What :func:`account` gives, and what is made of the keys.

    Raises:
        InputError: all that is unknown and all that is wrong, together.
    """
    problems: list[InputError] = []
    results: list[Any] = []
    for ask in (account_of, make):
        try:
            results.append(ask())
        except InputError as problem:
            problems.append(problem)
    collect(problems)
    return results[0], results[1]


def keys_of(config: Mapping[str, object]) -> Iterator[str]:
    """Every key of an object, and of the objects in it, with points between; an empty object is a key itself."""
    return (key for key, _ in entries(config))


def entries(config: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Every key of :func:`keys_of` with its value."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from entries(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _named(reading: Reading, rules: Iterable[Rule], known: Iterable[str]) -> frozenset[str]:
    """Every key that is known, under each of its names."""
    found = {*known, *reading.asked}
    for rule in rules:
        found |= rule.inert
        for node in (*rule.arguments.values(), *(check.condition for check in rule.checks)):
            found.update(asked(node))
    for name in tuple(found):
        key, point, inside = name.partition(".")
        found.update(f"{other}{point}{inside}" for other in reading.facts.names(key))
    return frozenset(found) | reading.facts.inert


def _is_known(key: str, value: object, named: frozenset[str], opened: frozenset[str]) -> bool:
    """Whether the key is named, or an object that holds it is, as a whole; of an empty object, a key inside it.

    ``opened`` are objects that a named key is inside of.
    """
    if key in named or (value == {} and key in opened):
        return True
    return any(whole in named and whole not in opened for whole in _wholes(key))


def _wholes(key: str) -> Iterator[str]:
    """The objects that a key is inside of: ``a`` and ``a.b`` of ``a.b.c``."""
    parts = key.split(".")
    return (".".join(parts[:k]) for k in range(1, min(len(parts), MAX_DEPTH)))


def _unknown(
    key: str, reading: Reading, named: frozenset[str], silent: str, compared: bool = True
) -> Sequence[Diagnostic]:
    near = nearest(key, named) if compared and len(key) <= MOST_SHOWN else None
    hint = f"{silent}; {near}" if silent and near else silent or near
    problem = error(
        "E522",
        f"'{printable(key, MOST_SHOWN)}' is not known here",
        reading.place(key),
        f"{hint or 'take it out'}; --lenient leaves it out",
    )
    return problem.diagnostics
