"""What is shipped, as rows: models, strategies, systems and the library."""

from __future__ import annotations

import re

from symsim import resources
from symsim.analysis.parameter_counts import kept_counts, parameter_count
from symsim.language.library import library_of
from symsim.language.strategies import load_strategy
from symsim.language.systems import load_system
from symsim.loading.model_files import load_model, source_of
from symsim.machine.bind import coefficient
from symsim.records.strategy import SIZE_SYMBOLS
from symsim.records.system import System
from symsim.units import bytes_text, decimal_text

Cell = str | int
"""A text, or an amount: a count that a table shows with a decimal prefix."""
Rows = list[list[Cell]]


def catalogue(kind: str) -> tuple[list[str], Rows]:
    """Headings and rows of one kind of thing."""
    rows_of = {"models": _models, "strategies": _strategies, "systems": _systems, "library": _library, "types": _types}
    return rows_of[kind]()


def _models() -> tuple[list[str], Rows]:
    """The shipped models; numbers in their names in the order of their values, so that 7b comes before 13b."""
    rows: Rows = []
    kept = kept_counts()
    for name in sorted(resources.shipped("models"), key=_with_numbers):
        source = source_of(name)
        model, count = load_model(source, {}), parameter_count(name, source, kept)
        size = model.dimensions
        rows.append(
            [
                *(name, model.title, model.family, count.total, count.active),
                *(str(size[n] or "") for n in ("layers", "hidden")),
                *(" or ".join(str(s) for s in sorted(model.sizes(n)) if s) for n in ("heads", "experts")),
                str(size["vocab"]),
            ]
        )
    headings = ["name", "title", "family", "parameters", "active", "layers", "hidden", "heads", "experts", "vocab"]
    return headings, rows


def _with_numbers(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _strategies() -> tuple[list[str], Rows]:
    rows: Rows = []
    for name in resources.shipped("strategies"):
        strategy = load_strategy(name)
        given = ", ".join(f"{n}={strategy.values[n]}" for n in SIZE_SYMBOLS if n in strategy.values)
        among = ", ".join(f"{n} in …" for n in strategy.among)
        rows.append([name, strategy.title, ", ".join(filter(None, (given, among)))])
    return ["name", "title", "sizes"], rows


def _systems() -> tuple[list[str], Rows]:
    rows: Rows = []
    for name in resources.shipped("systems"):
        system = load_system(name)
        figure = system.figures
        link = decimal_text(figure["link.bandwidth"].value, "B/s")
        rows.append(
            [
                name,
                system.title,
                bytes_text(figure["memory.capacity"].value),
                decimal_text(figure["matmul.bf16"].value, "FLOP/s"),
                decimal_text(figure["hbm.bandwidth"].value, "B/s"),
                f"{system.link_kind} {link} x{figure['link.span'].value:g}",
                decimal_text(figure["network.bandwidth"].value, "B/s"),
                _efficiency(system),
            ]
        )
    return ["name", "title", "memory", "bf16", "hbm", "link", "network", "GEMM efficiency"], rows


def _library() -> tuple[list[str], Rows]:
    library = library_of()
    rows: Rows = []
    for kind, items in (
        ("family", library.families),
        ("block", library.blocks),
        ("operator", library.operators),
        ("optimizer", library.optimizers),
        ("profile", library.profiles),
        ("definition", library.defines),
        ("efficiency", library.efficiencies),
    ):
        for name, item in items.items():
            parameters = ", ".join(p.name for p in getattr(item, "parameters", ()))
            shown = "layer" if getattr(item, "is_layer", False) else kind
            rows.append([shown, name, parameters, item.place.source.name])
    return ["kind", "name", "parameters", "file"], rows


def _types() -> tuple[list[str], Rows]:
    from symsim.interop.huggingface.rules import BOOK

    rows: Rows = []
    for name in BOOK.known_types():
        rules = list(BOOK.every_rule(name))
        families = dict.fromkeys(rule.family for _, rule in rules)
        rows.append([name, " or ".join(families), rules[0][0].place.source.name])
    return ["type", "family", "file"], rows


def _efficiency(system: System) -> str:
    """Where the efficiency of matrix products is from, the most exact first."""
    measured = ["table"] if "matmul.forward.efficiency" in system.tables else []
    by_size = ["form"] if coefficient(system, "matmul.forward.level") is not None else []
    return ", ".join(measured + by_size) or "one figure"
