"""Strategies and machines as they were read before: a command that knows its files needs no grammar.

An entry of the disk cache is data and is checked in full when it is read, as programs and models are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from symsim.compiler import cache
from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.foreign_file import read_foreign
from symsim.language.expressions import MAX_BITS
from symsim.language.figures import LINKS, NEEDED, PEAKS, check_name, is_possible, is_whole, unit_of
from symsim.language.strategies import INLINE, Strategy, checked_choice, load_strategy, strategy_of, strategy_source
from symsim.language.systems import inside, load_system, system_source
from symsim.loading.run_files import foreign_path, run_of
from symsim.records.strategy import CHOICES, Value
from symsim.records.system import Figure, System, Table


def strategy(given: str | None, settings: tuple[str, ...]) -> Strategy:
    """A strategy; one of plain choices alone is kept.

    Raises:
        InputError: it cannot be read or checked.
    """
    if given is not None and foreign_path(given) is not None:
        return strategy_of(_strategy_part(given), settings)
    if given is None or settings:
        return load_strategy(given, settings)
    source, name = strategy_source(given)
    if source.name == INLINE:
        return load_strategy(given)
    key = cache.key_of("strategy", source.name, source.text, name)
    known: Strategy | None = _checked(_strategy_of, cache.read(key), source)
    if known is not None:
        return known
    read = load_strategy(given)
    if not (read.among or read.overrides or read.requires or read.objective or read.notes):
        cache.write(
            key,
            {
                "name": read.name,
                "title": read.title,
                "values": {n: _packed(v) for n, v in read.values.items()},
                "places": {n: [p.line, p.column, p.width] for n, p in read.places.items()},
            },
        )
    return read


def _strategy_part(given: str) -> Source:
    """The strategy of another tool's file.

    Raises:
        InputError: the file gives a model alone.
    """
    run = run_of(given)
    if run.strategy is None:
        assert run.model is not None
        raise error("E310", f"{run.model.name} holds no strategy", None, f"give it as a model: symsim eval {given}")
    return run.strategy


def system(given: str, overrides: Mapping[str, Any], places: Mapping[str, Place]) -> System:
    """A machine; one without overrides is kept.

    Raises:
        InputError: it cannot be read or checked, or is a file of another tool.
    """
    path = foreign_path(given)
    if path is not None:
        from symsim.interop.formats import no_machine

        raise no_machine(read_foreign(path))
    if overrides:
        return load_system(given, overrides, places)
    source, folder = system_source(given)
    tables = [(name, _bytes(folder, name, source)) for name in sorted(set(_TABLE.findall(source.text)))]
    key = cache.key_of("system", source.name, source.text, tables)
    known: System | None = _checked(_system_of, cache.read(key), source)
    if known is not None:
        return known
    read = load_system(given, {}, places)
    cache.write(
        key,
        {
            "name": read.name,
            "title": read.title,
            "link_kind": read.link_kind,
            "figures": {n: [f.value, f.unit, f.source, f.before, f.fitted_to] for n, f in read.figures.items()},
            "tables": {
                n: [list(t.dimensions), [[*sizes, value] for sizes, value in t.entries.items()], t.mean, t.source]
                for n, t in read.tables.items()
            },
            "lacking": dict(read.lacking),
        },
    )
    return read


_TABLE = re.compile(r'table\("([^"]*)"\)')


def _bytes(folder: Path, name: str, source: Source) -> bytes:
    """A table's file, if it may be read; what is wrong with it is said by who loads it."""
    try:
        return inside(folder, name, Place(source, 1, 1)).read_bytes()
    except (InputError, OSError):
        return b""


def _checked(make: Callable[[Any, Source], Any], data: Any, source: Source) -> Any:
    """A record made of an entry, or ``None`` if the entry has not the right form."""
    if data is None:
        return None
    try:
        return make(data, source)
    except (TypeError, KeyError, ValueError, ArithmeticError, AttributeError, InputError):
        return None


def _strategy_of(data: Any, source: Source) -> Strategy:
    """Choices pass the check that those of a file pass."""
    places = {n: Place(source, *map(_whole, p)) for n, p in data["places"].items()}
    values = {n: checked_choice(CHOICES[n], _unpacked(v), places[n]) for n, v in data["values"].items()}
    return Strategy(_text(data["name"]), _text(data["title"]), values, {}, {}, (), None, places)


def _system_of(data: Any, source: Source) -> System:
    """Figures and tables pass the bounds that those of a file pass."""
    figures = {n: _figure(n, *entry) for n, entry in data["figures"].items()}
    tables = {n: _table(n, *entry) for n, entry in data["tables"].items()}
    _expect(all(name in figures for name in NEEDED) and data["link_kind"] in LINKS)
    lacking = {n: _text(of) for n, of in data["lacking"].items()}
    _expect(all(name in PEAKS for name in lacking))
    return System(_text(data["name"]), _text(data["title"]), data["link_kind"], figures, tables, lacking)


def _figure(name: str, value: Any, unit: Any, of: Any, before: Any, fitted: Any) -> Figure:
    check_name(name, _NOWHERE)
    _expect(unit == unit_of(name) and is_possible(name, _number(value)))
    _expect(not is_whole(name) or float(value).is_integer())
    _expect(before is None or is_possible(name, _number(before)))
    return Figure(value, unit, _text(of), before, _text(fitted))


def _table(name: str, dimensions: Any, entries: Any, mean: Any, of: Any) -> Table:
    known = {tuple(map(_whole, entry[:-1])): _number(entry[-1]) for entry in entries}
    _expect(all(len(sizes) == len(dimensions) and min(sizes) > 0 for sizes in known))
    _expect(all(is_possible(name, value) for value in (min(known.values()), max(known.values()), _number(mean))))
    return Table(tuple(map(_text, dimensions)), known, mean, _text(of))


_NOWHERE = Place(Source("", ""), 1, 1)


def _expect(holds: bool) -> None:
    if not holds:
        raise ValueError("not an entry of this kind")


def _packed(value: Value) -> list[Any]:
    if isinstance(value, frozenset):
        return ["set", sorted(value)]
    if isinstance(value, Fraction):
        return ["fraction", [value.numerator, value.denominator]]
    return ["plain", value]


def _unpacked(data: Any) -> Value:
    kind, value = data
    if kind == "set":
        return frozenset(map(_text, value))
    if kind == "fraction":
        found = Fraction(_whole(value[0]), _whole(value[1]))
        _expect(max(found.numerator.bit_length(), found.denominator.bit_length()) <= MAX_BITS)
        return found
    if kind != "plain" or not isinstance(value, int | str | bool):
        raise ValueError("not a value of a strategy")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


def _number(value: Any) -> Any:
    if type(value) is not int and type(value) is not float:
        raise ValueError("not a number")
    return value
