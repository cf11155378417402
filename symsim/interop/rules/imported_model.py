"""A model of another tool's keys, by the rule of its kind of file: dimensions, remarks, and an account of every key."""

from __future__ import annotations

from collections.abc import Iterable

from symsim.diagnostics import InputError
from symsim.interop.model_text import Dimension, model_text
from symsim.interop.rules.account import account
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook
from symsim.language.expressions import collect
from symsim.language.quoting import one_line


def imported_model(
    book: RuleBook,
    kind: str,
    reading: Reading,
    name: str,
    title: str,
    lenient: bool = False,
    silent: str = "",
    notes: Iterable[str] = (),
) -> str:
    """The text of a model; ``notes`` are said before those of its rule.

    Raises:
        InputError: all that is wrong with the file.
    """
    keys = Keys(reading, book.maps())
    rule = book.rule_of(kind, keys)
    problems: list[InputError] = []
    unknown: list[str] = []
    dimensions: dict[str, Dimension] = {}
    try:
        unknown = account(reading, [rule], lenient, silent=silent)
    except InputError as problem:
        problems.append(problem)
    try:
        dimensions = dimensions_of(rule, keys)
    except InputError as problem:
        problems.append(problem)
    collect(problems)
    said = [*notes, *remarks_of(rule, keys), *unknown]
    comments = [f"Source: {one_line(reading.source.name, 80)}."]
    return model_text(name, title, rule.family, dimensions, comments, list(dict.fromkeys(said)))
