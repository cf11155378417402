"""A model of another tool's keys, by the rule of its kind of file: dimensions, remarks, and an account of every key."""

from __future__ import annotations

from collections.abc import Iterable

from symsim.interop.model_text import model_text
from symsim.interop.rules.account import account, accounted
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook
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
    unknown, dimensions = accounted(
        lambda: account(reading, [rule], lenient, silent=silent), lambda: dimensions_of(rule, keys)
    )
    said = [*notes, *remarks_of(rule, keys), *unknown]
    comments = [f"Source: {one_line(reading.source.name, 80)}."]
    return model_text(name, title, rule.family, dimensions, comments, list(dict.fromkeys(said)))
