"""A strategy of another tool's keys, by the rule of its kind of file: choices, remarks, and an account of every key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symsim.interop.rules.account import account, accounted
from symsim.interop.rules.dimension_values import remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule, RuleBook
from symsim.interop.rules.strategy_values import choices_of
from symsim.interop.strategy_text import strategy_text
from symsim.language.quoting import one_line

NEEDED = ("world", "seq")
"""Choices without which nothing is evaluated, apart from the sequences of a step."""


def imported_strategy(
    book: RuleBook,
    kind: str,
    reading: Reading,
    name: str,
    title: str,
    lenient: bool = False,
    silent: str = "",
    others: Iterable[Rule] = (),
    notes: Iterable[str] = (),
    own: Reading | None = None,
    maps: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The text of a strategy.

    ``others`` are further rules that read keys of the file, ``notes`` are said before its own. ``own`` reads the keys
    that are accounted for, where ``reading`` has those of other files too; ``maps`` are further words of files.

    Raises:
        InputError: all that is wrong with the file.
    """
    keys = Keys(reading, {**book.maps(), **(maps or {})})
    rule = book.rule_of(kind, keys)
    unknown, values = accounted(
        lambda: account(own or reading, [rule, *others], lenient, silent=silent), lambda: choices_of(rule, keys)
    )
    said = [*notes, *remarks_of(rule, keys), *unknown]
    missing = [n for n in NEEDED if n not in values]
    if not {"gbs", "microbatches"} & set(values):
        missing.append("gbs")
    if missing:
        said.append(f"the file does not say {_spoken(missing)}: --set {missing[0]}=…")
    comments = [f"Source: {one_line(reading.source.name, 80)}."]
    return strategy_text(name, title, values, comments, list(dict.fromkeys(said)))


def _spoken(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
