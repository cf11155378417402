"""Check a file of any kind: what it says must parse, elaborate and, for a model, expand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from symsim.diagnostics import InputError, Source, error, nearest
from symsim.elements import ELEMENT_NAMES, STATE_CHOICES
from symsim.interop.foreign_file import is_foreign
from symsim.language import tree
from symsim.language.expressions import collect
from symsim.language.foreign_names import other_name
from symsim.language.library import Library, library_of
from symsim.language.models import elaborate_call
from symsim.language.parser import parse_model, parse_strategy, parse_system
from symsim.language.source_files import read_source
from symsim.language.strategies import elaborate_strategy
from symsim.language.syntax_errors import KINDS, first_word
from symsim.language.systems import elaborate_system
from symsim.loading.plan import structure_of
from symsim.loading.run_files import Run, parts_of, run_of
from symsim.records.strategy import CHOICES

_CHOICE = re.compile(r"[ \t]*(=|in\b)")
"""What follows the first word of a strategy that has no header."""


def check_file(path: Path) -> str:
    """One line that says what a good file is.

    Raises:
        InputError: everything that is wrong with it.
    """
    if is_foreign(str(path)):
        return _run(run_of(str(path)), path.stem)
    source = read_source(path)
    run = parts_of(source)
    if run.model is not None and run.strategy is not None:
        return _run(run, path.stem)
    word, place = first_word(source)
    headless = _CHOICE.match(source.line(place.line), place.column - 1 + len(word))
    match KINDS.get(word, "strategy" if word and headless else "model"):
        case "system":
            system = elaborate_system(parse_system(source), path.parent, {})
            return f"system {system.name}: {len(system.figures)} figures, {len(system.tables)} tables"
        case "strategy":
            return _strategy(source, path.stem)
    return _models(source)


def _run(run: Run, name: str) -> str:
    """A model, a strategy, or both."""
    lines = [] if run.model is None else [_models(run.model)]
    return "; ".join([*lines, *(() if run.strategy is None else [_strategy(run.strategy, name)])])


def _strategy(source: Source, name: str) -> str:
    strategy = elaborate_strategy(parse_strategy(source), name)
    families = library_of().families.values()
    dimensions = {p.name for family in families for p in family.parameters}
    problems: list[InputError] = []
    for other in strategy.overrides:
        hint = other_name(other) or nearest(other, CHOICES)
        if other not in dimensions and "." not in other and hint is not None:
            message = f"'{other}' is not a name of a strategy, and no shipped family has it as a dimension"
            problems.append(error("E314", message, strategy.places[other], hint))
    collect(problems)
    return f"strategy {strategy.name}: {len(strategy.values)} choices, {len(strategy.among)} sets"


def _models(source: Source) -> str:
    from symsim.compiler.efficiency import check_form
    from symsim.compiler.expand import expand

    items = parse_model(source)
    library = library_of(items)
    collect([*_loose_ends(items, library)])
    structure = structure_of({n: c.default for n, c in CHOICES.items()})
    lines: list[str] = []
    problems: list[InputError] = []
    for form in (i for i in items if isinstance(i, tree.EfficiencyItem)):
        try:
            check_form(form)
        except InputError as problem:
            problems.append(problem)
    for item in (i for i in items if isinstance(i, tree.ModelItem)):
        try:
            model = elaborate_call(item.name, item.title or item.name, item.call, library, {}, source)
            graph, _, _ = expand(model, library, structure)
        except InputError as problem:
            problems.append(problem)
            continue
        kinds = len({slot.unit.name for slot in graph.slots})
        lines.append(
            f"model {model.name}: family {model.family}, {graph.layers} layers of {kinds} kind{'s' * (kinds > 1)}"
        )
    collect(problems)
    return "; ".join(lines) or f"library file: {len(items)} items"


def _loose_ends(items: tuple[tree.Item, ...], library: Library) -> Iterator[InputError]:
    """Names that nothing defines, also in parts of a file that no model of it uses."""
    known = {*library.blocks, *library.operators, "body"}
    for node in (n for i in items if not isinstance(i, tree.ModelItem) for n in tree.descendants(i)):
        match node:
            case tree.Call(callee=callee, place=place) if callee not in known:
                yield error("E233", f"no block or operator is called '{callee}'", place, nearest(callee, known))
            case tree.TensorShape(element=str(element), place=place) | tree.State(element=element, place=place):
                types = (*ELEMENT_NAMES, *STATE_CHOICES) if isinstance(node, tree.State) else ELEMENT_NAMES
                if element not in types:
                    hint = nearest(element, types)
                    yield error("E222", f"unknown element type '{element}'", place, hint)
