"""Elaborate a machine: figures in base units, each with its source, and its measured tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from symsim import resources, units
from symsim.diagnostics import InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.expressions import collect
from symsim.language.figures import (
    LINKS,
    NEEDED,
    PEAKS,
    UNMEASURED,
    canonical,
    check_measurable,
    check_name,
    check_table,
    figure_value,
    is_coefficient,
    optional,
)
from symsim.language.near_names import near_names
from symsim.language.parser import parse_system
from symsim.language.source_files import file_hint, read_source
from symsim.language.tables import read_table
from symsim.records.graph import PHASES
from symsim.records.system import Figure, System, Table


def load_system(
    given: str, overrides: Mapping[str, tree.Expression] | None = None, places: Mapping[str, Place] | None = None
) -> System:
    """A shipped machine or a ``.sym`` file, with figures of ``--set`` laid over it.

    ``places`` says where the names of ``overrides`` stand.
    """
    source, folder = system_source(given)
    return elaborate_system(parse_system(source), folder, overrides or {}, places or {})


def system_source(given: str) -> tuple[Source, Path]:
    """The text of a shipped machine or of a ``.sym`` file, and the folder that its tables start from."""
    if given.endswith(".sym") or "/" in given:
        path, shown = Path(given), given
    else:
        known = resources.shipped("systems")
        if given not in known:
            near = near_names(given, known)
            other = f"; '{near.other}' is another machine" if near.other is not None else ""
            hint = f"'symsim list systems' shows what is shipped; a machine of your own is a .sym file{other}"
            hint = file_hint(given) or near.hint() or _by_title(given, known) or hint
            raise error("E420", f"no system is called '{given}'", hint=hint)
        path, shown = known[given], f"systems/{given}.sym"
    return read_source(path, shown), path.parent


def _by_title(given: str, known: Mapping[str, Path]) -> str | None:
    """``vera_rubin`` and ``ironwood`` are in the title of one machine, whose name is another."""
    asked = _LETTERS.sub("", given.lower())
    if len(asked) < LEAST_OF_A_TITLE:
        return None
    titles = {name: _TITLE.search(path.read_text(encoding="utf-8")) for name, path in known.items()}
    found = [n for n, title in titles.items() if title and asked in _LETTERS.sub("", title[1].lower())]
    return f"did you mean '{found[0]}'?" if len(found) == 1 else None


LEAST_OF_A_TITLE = 4
"""Letters and digits by which a machine is looked for in titles."""
_LETTERS = re.compile(r"[^a-z0-9]")
_TITLE = re.compile(r'^system \w+ "([^"]*)"', re.MULTILINE)


def elaborate_system(
    parsed: tree.SystemFile,
    folder: Path,
    overrides: Mapping[str, tree.Expression],
    places: Mapping[str, Place] | None = None,
) -> System:
    """Flatten groups to dotted names; ``table("…")`` is read from the folder of the file.

    Raises:
        InputError: wrong units, unknown or missing figures, a table that cannot be read.
    """
    walk = _Walk(folder)
    walk.entries(parsed.entries, "", "")
    for name, node in overrides.items():
        walk.guard(partial(walk.override, canonical(name), node, (places or {}).get(name, node.place)))
    missing = [n for n in NEEDED if n not in walk.figures]
    if missing and not walk.problems:
        message = f"system '{parsed.header.name}' does not say {', '.join(missing)}"
        hint = "add " + "; ".join(NEEDED[n] for n in missing)
        walk.problems.append(error("E421", message, parsed.header.place, hint))
    walk.check_forms()
    collect(walk.problems)
    header = parsed.header
    return System(header.name, header.title or header.name, walk.link_kind, walk.figures, walk.tables, walk.lacking)


class _Walk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures: dict[str, Figure] = {}
        self.tables: dict[str, Table] = {}
        self.lacking: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.link_kind = LINKS[0]
        self.links: list[str] = []
        self.problems: list[InputError] = []

    def guard(self, step: Callable[[], None]) -> None:
        """Carry out a step; what goes wrong is reported with the rest."""
        try:
            step()
        except InputError as problem:
            self.problems.append(problem)

    def entries(self, entries: tuple[tree.SystemEntry, ...], prefix: str, source: str) -> None:
        own = next((e.text for e in entries if isinstance(e, tree.SourceEntry)), source)
        for entry in entries:
            if isinstance(entry, tree.Group):
                if entry.name in LINKS and not prefix:
                    self.link_kind = entry.name
                    self.links.append(entry.name)
                self.entries(entry.entries, canonical(f"{prefix}{entry.name}") + ".", own)
            elif isinstance(entry, tree.FigureEntry):
                name = canonical(prefix + entry.name)
                self.guard(partial(self._figure, name, entry, entry.source or own))

    def _figure(self, name: str, entry: tree.FigureEntry, source: str) -> None:
        self._claim(name, entry.place)
        check_name(name, entry.place)
        if isinstance(entry.value, tree.Apply) and entry.value.function == "table":
            self._table(name, entry.value)
        elif name in PEAKS and isinstance(entry.value, tree.Name) and entry.value.name == "none":
            self.lacking[name] = source or "not stated"
        else:
            value, unit = figure_value(name, entry.value)
            fitted = entry.calibrated
            before = None if fitted is None else figure_value(name, fitted.before)[0]
            note = "" if fitted is None else fitted.fitted_to
            self.figures[name] = Figure(value, unit, source or "not stated", before, note)

    def _claim(self, name: str, place: Place) -> None:
        """A name is given once, be it as a figure, as a table, or as a phase of a table.

        Raises:
            InputError: it is there already.
        """
        if name in self.places:
            hint = f"first given at {self.places[name]}"
            if name.startswith("link."):
                kinds = list(dict.fromkeys(self.links))
                hint += f"; {' and '.join(kinds)} are one link" if len(kinds) > 1 else ""
            raise error("E201", f"'{name}' is given twice", place, hint)
        self.places[name] = place

    def check_forms(self) -> None:
        """A class of kernels states one figure for every size, or a level and what shapes it."""
        for name, place in self.places.items():
            first, last = name.partition(".")[0], name.rpartition(".")[2]
            if "." not in name or not is_coefficient(last) or name not in self.figures:
                continue
            if f"{first}.efficiency" in self.figures:
                message = f"'{first}' has an efficiency for every size, and '{name}'"
                hint = f"write {first}.level instead of {first}.efficiency, or leave '{last}' out"
                self.problems.append(error("E431", message, place, hint))
            elif not any(f"{first}.{phase}level" in self.figures for phase in ("", *(f"{p}." for p in PHASES))):
                message = f"'{name}' shapes an efficiency that has no level"
                self.problems.append(error("E431", message, place, f"state {first}.level, what large sizes reach"))

    def override(self, name: str, node: tree.Expression, place: Place) -> None:
        _override(self.figures, self.tables, name, node, place)

    def _table(self, name: str, node: tree.Apply) -> None:
        check_measurable(name, node.place)
        arguments = node.arguments
        if len(arguments) != 1 or not isinstance(arguments[0], tree.Text):
            raise error("E427", "a table takes one name of a file", node.place, 'write table("FILE.csv")')
        path = inside(self.folder, arguments[0].value, node.place)
        for found, table in read_table(path, name).items():
            check_table(name, table, node.place)
            phase = found[len(name) + 1 :]
            base, _, last = name.rpartition(".")
            if phase:
                self._claim(f"{base}.{phase}.{last}", node.place)
            self.tables[f"{base}.{phase}.{last}" if phase else found] = table


def with_figure(system: System, name: str, node: tree.Expression) -> System:
    """The machine with one figure as ``--set`` would give it.

    Raises:
        InputError: no such figure, a wrong unit, or a value that no machine has.
    """
    figures, tables = dict(system.figures), dict(system.tables)
    _override(figures, tables, canonical(name), node, node.place)
    return replace(system, figures=figures, tables=tables)


def settable(system: System, name: str) -> bool:
    """Whether ``--set`` may give a machine this figure."""
    shaping, answering = _coefficients_of(system.figures, name), _tables_of(system.tables, name)
    return _may_be_new(name) or name in system.figures or bool(shaping or answering)


def _may_be_new(name: str) -> bool:
    """Figures that ``--set`` gives a machine which does not state them: one of messages, a peak, or how sure it is."""
    return optional(name) or name in PEAKS or name == UNMEASURED


def _override(
    figures: dict[str, Figure], tables: dict[str, Table], name: str, node: tree.Expression, place: Place
) -> None:
    """Lay a figure over those of a machine, in the place of tables and shapes that would answer for it."""
    shaping, answering = _coefficients_of(figures, name), _tables_of(tables, name)
    if _may_be_new(name):
        check_name(name, place)
    elif name not in figures and not answering and not shaping:
        hint = nearest(name, [*figures, *tables]) or f"it has {', '.join(figures)}"
        raise error("E422", f"this system has no figure '{name}'", place, hint)
    figures[name] = Figure(*figure_value(name, node), "--set")
    for table in answering:
        del tables[table]
    for coefficient in shaping:
        del figures[coefficient]


def _coefficients_of(figures: Mapping[str, Figure], name: str) -> list[str]:
    """What shapes an efficiency: one figure given for every size takes the place of it."""
    first, _, last = name.partition(".")
    if last != "efficiency" or first in LINKS or first in ("link", "network", "hbm"):
        return []
    return [n for n in figures if n.startswith(f"{first}.") and is_coefficient(n.rpartition(".")[2])]


def _tables_of(tables: Mapping[str, Table], name: str) -> list[str]:
    """The tables that answer for a figure: its own, or one for each phase."""
    base, _, last = name.rpartition(".")
    return [t for t in tables if t == name or (t.startswith(f"{base}.") and t.endswith(f".{last}"))]


def inside(folder: Path, given: str, place: Place) -> Path:
    """The file in the folder of the system file; nothing outside its folder is ever read."""
    relative = PurePosixPath(given)
    if relative.is_absolute() or ".." in relative.parts or "\\" in given:
        raise error("E428", f"'{given}' is outside of the system file's folder", place, "write a path without '..'")
    path = folder / relative
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise error(
                "E428",
                f"'{given}' is outside of the system file's folder",
                place,
                "this one is a link to elsewhere",
            )
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        siblings = [str(p.relative_to(folder)) for p in (*folder.glob("*.csv"), *folder.glob("*/*.csv"))]
        near = nearest(given, siblings)
        hint = (
            near if near and near.startswith("did you mean") else "its path starts from the folder of the system file"
        )
        raise error("E401", f"there is no table '{given}'", place, hint)
    return path


def figure_text(figure: Figure) -> str:
    """A figure as people write it."""
    match figure.unit:
        case "B":
            return units.bytes_text(figure.value)
        case "s":
            return units.seconds_text(figure.value)
        case "":
            return f"{figure.value:g}"
    return units.decimal_text(figure.value, figure.unit)
