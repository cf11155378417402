"""Elaborate a machine: figures in base units, each with its source, and its measured tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from symsim import resources, units
from symsim.diagnostics import InputError, Place, error, nearest
from symsim.language import tree
from symsim.language.expressions import Plain, collect, describe, evaluate, number
from symsim.language.library import read_source
from symsim.language.parser import parse_system
from symsim.language.tables import read_table
from symsim.records.system import Figure, System, Table

LINKS = ("nvlink", "pcie")
_UNIT_OF = {"bandwidth": "B/s", "latency": "s", "fixed": "s", "capacity": "B"}
_PRECISIONS = ("bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4")
_PLAIN = ("efficiency", "span", "gpus_per_node")
NEEDED = (
    "gpus_per_node",
    "memory.capacity",
    "hbm.bandwidth",
    "matmul.bf16",
    "link.bandwidth",
    "link.span",
    "network.bandwidth",
)


def load_system(given: str, overrides: Mapping[str, tree.Expression] | None = None) -> System:
    """A shipped machine or a ``.sym`` file, with figures of ``--set`` laid over it."""
    if given.endswith(".sym") or "/" in given:
        path, shown = Path(given), given
    else:
        known = resources.shipped("systems")
        if given not in known:
            hint = nearest(given, known) or "'symsim list systems' shows what is shipped"
            raise error("E420", f"no system is called '{given}'", hint=hint)
        path, shown = known[given], f"systems/{given}.sym"
    return elaborate_system(parse_system(read_source(path, shown)), path.parent, overrides or {})


def elaborate_system(parsed: tree.SystemFile, folder: Path, overrides: Mapping[str, tree.Expression]) -> System:
    """Flatten groups to dotted names; ``table("…")`` is read from beside the file.

    Raises:
        InputError: wrong units, unknown or missing figures, a table that cannot be read.
    """
    walk = _Walk(folder)
    walk.entries(parsed.entries, "", "")
    for name, node in overrides.items():
        walk.guard(partial(walk.override, canonical(name), node))
    missing = [n for n in NEEDED if n not in walk.figures]
    if missing and not walk.problems:
        message = f"system '{parsed.header.name}' does not say {', '.join(missing)}"
        walk.problems.append(error("E421", message, parsed.header.place))
    collect(walk.problems)
    header = parsed.header
    return System(header.name, header.title or header.name, walk.link_kind, walk.figures, walk.tables)


def canonical(name: str) -> str:
    """``nvlink.bandwidth`` and ``pcie.bandwidth`` are both ``link.bandwidth`` in formulas."""
    first, dot, rest = name.partition(".")
    return f"link{dot}{rest}" if first in LINKS else name


class _Walk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures: dict[str, Figure] = {}
        self.tables: dict[str, Table] = {}
        self.link_kind = "nvlink"
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
                self.entries(entry.entries, canonical(f"{prefix}{entry.name}") + ".", own)
            elif isinstance(entry, tree.FigureEntry):
                name = canonical(prefix + entry.name)
                self.guard(partial(self._figure, name, entry, entry.source or own))

    def _figure(self, name: str, entry: tree.FigureEntry, source: str) -> None:
        if name in self.figures or name in self.tables:
            raise error("E201", f"'{name}' is given twice", entry.place)
        if isinstance(entry.value, tree.Apply) and entry.value.function == "table":
            self._table(name, entry.value)
        else:
            self.figures[name] = self._checked(name, entry.value, source or "not stated")

    def override(self, name: str, node: tree.Expression) -> None:
        if name not in self.figures and not self._tables_of(name):
            known = [*self.figures, *self.tables]
            raise error("E422", f"this system has no figure '{name}'", node.place, nearest(name, known))
        self.figures[name] = self._checked(name, node, "--set")
        for table in self._tables_of(name):
            del self.tables[table]

    def _tables_of(self, name: str) -> list[str]:
        """The tables that answer for a figure: its own, or one for each phase."""
        base, _, last = name.rpartition(".")
        return [t for t in self.tables if t == name or (t.startswith(f"{base}.") and t.endswith(f".{last}"))]

    def _checked(self, name: str, node: tree.Expression, source: str) -> Figure:
        last = name.rsplit(".", 1)[-1]
        wanted = _UNIT_OF.get(last) or ("FLOP/s" if last in _PRECISIONS else "")
        if not wanted and last not in _PLAIN and not last.endswith("efficiency"):
            raise error(
                "E423", f"unknown figure '{name}'", node.place, nearest(last, [*_UNIT_OF, *_PRECISIONS, *_PLAIN])
            )
        value = number(evaluate(node, Plain({})), node.place, Plain({}))
        unit = node.unit if isinstance(node, tree.Number) else None
        if (unit or "") != wanted and not (value == 0 and wanted):
            example = {"B/s": "GB/s", "s": "us", "B": "GiB", "FLOP/s": "TFLOP/s"}.get(wanted, "no unit")
            written = f"'{unit}'" if unit else "no unit"
            raise error(
                "E424",
                f"'{name}' is measured in {wanted or 'no unit'}, not {written}",
                node.place,
                f"write a unit such as {example}" if wanted else "write a plain number",
            )
        if value < 0 or (value == 0 and last not in ("latency", "fixed")):
            raise error("E425", f"'{name}' must be positive, not {describe(value)}", node.place)
        if wanted == "" and "efficiency" in last and value > 2.5:
            raise error("E426", f"an efficiency of {float(value):g} is not possible", node.place)
        return Figure(float(value), wanted, source)

    def _table(self, name: str, node: tree.Apply) -> None:
        arguments = node.arguments
        if len(arguments) != 1 or not isinstance(arguments[0], tree.Text):
            raise error("E427", 'a table is written table("FILE.csv")', node.place)
        path = _inside(self.folder, arguments[0].value, node.place)
        for found, table in read_table(path, name).items():
            phase = found[len(name) + 1 :]
            base, _, last = name.rpartition(".")
            self.tables[f"{base}.{phase}.{last}" if phase else found] = table


def _inside(folder: Path, given: str, place: Place) -> Path:
    """The file beside the system file; nothing outside its folder is ever read."""
    relative = PurePosixPath(given)
    if relative.is_absolute() or ".." in relative.parts or "\\" in given:
        raise error("E428", "a table lies beside its system file", place, "write a path without '..'")
    path = folder / relative
    if not path.is_file():
        raise error("E401", f"there is no table '{given}' beside the system file", place)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise error("E428", "a table lies beside its system file", place, "this one is a link to elsewhere")
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
