"""The text of a tool's files by its rules: a model, a strategy, or one behind the other where a file of each is given.

The rules of a tool that is read so are called ``model`` and ``strategy``; both may ask for the keys of either file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symsim.diagnostics import Diagnostic, InputError, Place, error
from symsim.interop.foreign_file import ForeignFile, merged
from symsim.interop.formats import by_kind
from symsim.interop.json_text import Object
from symsim.interop.model_text import identifier, model_text, printable
from symsim.interop.rules.account import account
from symsim.interop.rules.class_table import key_facts, needed, source
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule, RuleBook
from symsim.interop.rules.strategy_values import choices_of
from symsim.interop.strategy_text import strategy_text
from symsim.language.expressions import collect


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with files of models and files of strategies.

    ``strategy`` and ``model`` are the titles of these kinds, ``title_key`` the key that names a model, and ``silent``
    says what the tool does with a key that it does not know.
    """

    word: str
    name: str
    strategy: str
    model: str
    silent: str
    title_key: str = ""

    @property
    def book(self) -> RuleBook:
        return RuleBook(self.word)

    def text(self, files: Sequence[ForeignFile], lenient: bool = False) -> str:
        """What the files say, as text of the language.

        Raises:
            InputError: a key is missing, unknown, wrong, or cannot be expressed; files do not belong together.
        """
        strategy, model = by_kind(files, self.word, (self.strategy, self.model))
        of_type = {"model": model, "strategy": strategy}
        given = {name: file for name, file in of_type.items() if file is not None}
        whole = merged(given.values())
        first = next(iter(given.values()))
        refused = f"{self.name} itself refuses this file"
        reading = Reading(whole, first.source, key_facts(self.word, *of_type), None, refused)
        _all_there(self, given)
        keys = Keys(reading, self.book.maps())
        rules = {name: self.book.rule_of(name, keys) for name in given}
        problems: list[InputError] = []
        left_out: list[str] = []
        try:
            left_out = account(reading, rules.values(), lenient, silent=self.silent)
        except InputError as problem:
            problems.append(problem)
        texts = []
        for name, file in given.items():
            write = self._model if name == "model" else self._strategy
            try:
                texts.append(write(file, rules[name], keys, left_out))
            except InputError as problem:
                problems.append(problem)
            left_out = []
        collect(problems)
        return "\n".join(texts)

    def _model(self, file: ForeignFile, rule: Rule, keys: Keys, left_out: Sequence[str]) -> str:
        title = keys.reading.value(self.title_key) if self.title_key else None
        name = title if isinstance(title, str) and title.strip() else file.path.stem
        dimensions = dimensions_of(rule, keys)
        notes = [*remarks_of(rule, keys), *left_out]
        return model_text(identifier(name), printable(name), rule.family, dimensions, [self._origin(file)], notes)

    def _strategy(self, file: ForeignFile, rule: Rule, keys: Keys, left_out: Sequence[str]) -> str:
        choices = choices_of(rule, keys)
        notes = [*remarks_of(rule, keys), *left_out]
        return strategy_text(identifier(file.path.stem), "", choices, [self._origin(file)], notes)

    def _origin(self, file: ForeignFile) -> str:
        return f"Source: {printable(file.path.name)}, read as by {source(self.word)}."


def _all_there(tool: Tool, given: Mapping[str, ForeignFile]) -> None:
    """Raises InputError: a key is missing that the tool itself asks for."""
    missing = [
        problem
        for name, file in given.items()
        for problem in _missing(file.keys or Object(), needed(tool.word, name), file, tool)
    ]
    if missing:
        raise InputError(missing)


def _missing(keys: Object, names: Iterable[str], file: ForeignFile, tool: Tool) -> Iterable[Diagnostic]:
    place = Place(file.source, 1, 1)
    for name in names:
        if name not in keys:
            message = f"{file.path.name} has no '{name}'"
            problem: InputError = error("E508", message, place, f"{tool.name} needs it and has no default")
            yield from problem.diagnostics
