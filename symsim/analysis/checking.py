"""Check a file of any kind: what it says must parse, elaborate and, for a model, expand."""

from __future__ import annotations

import re
from pathlib import Path

from symsim.analysis.load import load_model, source_of
from symsim.analysis.plan import structure_of
from symsim.diagnostics import InputError, Source
from symsim.language.library import library_of, read_source
from symsim.language.parser import parse_model, parse_strategy, parse_system
from symsim.language.strategies import elaborate_strategy
from symsim.language.systems import elaborate_system
from symsim.records.strategy import CHOICES

_KIND = re.compile(r"^\s*(strategy|system)\b", re.MULTILINE)


def check_file(path: Path) -> str:
    """One line that says what a good file is.

    Raises:
        InputError: everything that is wrong with it.
    """
    if path.suffix == ".json":
        return _model(source_of(str(path)))
    source = read_source(path)
    found = _KIND.search(_without_comments(source.text))
    if found and found[1] == "system":
        system = elaborate_system(parse_system(source), path.parent, {})
        return f"system {system.name}: {len(system.figures)} figures, {len(system.tables)} tables"
    if found:
        strategy = elaborate_strategy(parse_strategy(source), path.stem)
        return f"strategy {strategy.name}: {len(strategy.values)} choices, {len(strategy.among)} sets"
    return _model(source)


def _without_comments(text: str) -> str:
    return re.sub(r"#[^\n]*", "", text)


def _model(source: Source) -> str:
    from symsim.compiler.expand import expand
    from symsim.language.library import library_for

    items = parse_model(source)
    try:
        model = load_model(source, {})
    except InputError as problem:
        if [d.code for d in problem.diagnostics] != ["E211"]:
            raise
        library_of(items)
        return f"library file: {len(items)} items"
    structure = structure_of({n: c.default for n, c in CHOICES.items()})
    graph, _, _ = expand(model, library_for(model), structure)
    kinds = len({slot.unit.name for slot in graph.slots})
    return f"model {model.name}: family {model.family}, {graph.layers} layers of {kinds} kind{'s' * (kinds > 1)}"
