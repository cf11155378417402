"""The names that an answer may be asked to be sensitive to, and what of the formulas each of them moves.

A figure of the machine moves all that it answers for. A size moves itself, and where the strategy gives
micro-batches also ``gbs``, which follows from them. A dimension of the model moves alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symsim.analysis.sensitivities.buying import RATE_UNITS
from symsim.compiler.profile import FIGURE
from symsim.diagnostics import InputError, error, nearest
from symsim.emit.partial_evaluation import FigureOfInput
from symsim.emit.program import Program
from symsim.language.figures import TIERS, canonical, is_whole, optional, unit_of
from symsim.loading.plan import DERIVED_NAMES, counts_microbatches
from symsim.loading.question import Question
from symsim.machine.bind import FALLBACKS, LINK_FALLBACKS, figure_of_input, figure_of_table, measured
from symsim.records.strategy import CHOICES
from symsim.records.system import System

GROUPS = ("machine", "framework", "sizes")
"""Names that stand for several: all of them that matter. Figures that count something are asked for by name."""

_KIND_OF = {**dict.fromkeys(RATE_UNITS, "rate"), "s": "duration", "B": "capacity"}
_FOLLOWING = {*DERIVED_NAMES, "m"}


@dataclass(frozen=True, slots=True)
class Direction:
    """One name; ``moves``: inputs of the program by figures, and how fast each moves with it.

    ``kind`` is ``rate``, ``duration``, ``capacity`` or ``factor`` for a figure of the machine by its unit, or
    ``framework``, ``size`` or ``dimension``.
    """

    name: str
    kind: str
    value: float
    unit: str
    moves: Mapping[str, float] = field(hash=False)
    asked: bool
    """Named by itself, and so answered even where it does not matter."""

    @property
    def least(self) -> float:
        """The smallest value that it can have."""
        return 1.0 if self.kind in ("size", "dimension") else 0.0


def dimensions_among(asked: Question, names: Iterable[str] | None) -> frozenset[str]:
    """The dimensions of the model among names: the formulas must keep them."""
    return frozenset(n for n in names or () if _is_size(asked, n))


def figures_by_input(system: System | None, names: Iterable[str]) -> FigureOfInput:
    """Which figure of a machine answers for an input or a table; for ``names`` that it does not state, they do."""
    named = {canonical(n) for n in names}

    def found(name: str, is_table: bool) -> str | None:
        if system is None:
            return None
        figure = figure_of_table(system, name) if is_table else figure_of_input(system, name)
        unstated = is_table and name in named and _is_unstated(system, name)
        return name if figure is None and unstated else figure

    return found


def unstated(system: System | None, names: Iterable[str]) -> dict[str, float]:
    """Tables of links among ``names`` that a machine does not state, with the figure that is taken for them."""
    return {n: measured(system, n)[1] for n in map(canonical, names) if system is not None and _is_unstated(system, n)}


def _is_unstated(system: System, name: str) -> bool:
    tier, last = name.partition(".")[0], name.rpartition(".")[2]
    known = tier in TIERS and name.count(".") == 2 and last in LINK_FALLBACKS and name not in system.tables
    return known and figure_of_table(system, name) is None and not measured(system, name)[0]


def directions(
    asked: Question, program: Program, values: Mapping[str, float], names: Sequence[str] | None
) -> tuple[Direction, ...]:
    """What ``names`` mean, each once; without names all figures of machine and framework, and all sizes.

    ``program`` is the one by figures, ``values`` has its inputs.

    Raises:
        InputError: names that are no number of this question; all of them at once.
    """
    if names is not None and not names:
        raise error("E355", "no name is given", None, f"{', '.join(GROUPS)}, or names such as hbm.bandwidth and tp")
    found: dict[str, Direction] = {}
    problems: list[InputError] = []
    for name in GROUPS if names is None else names:
        try:
            several = _group(asked, program, values, name) if name in GROUPS else [_one(asked, program, values, name)]
        except InputError as problem:
            problems.append(problem)
        else:
            found |= {v.name: v for v in several if v.asked or v.name not in found}
    if problems:
        raise InputError(d for problem in problems for d in problem.diagnostics)
    return tuple(found.values())


def _group(asked: Question, program: Program, values: Mapping[str, float], group: str) -> list[Direction]:
    if group == "sizes":
        return [_size(asked, n, False) for n in _sizes(asked, program)]
    figures = asked.system.figures if asked.system is not None else {}
    if group == "machine":
        if asked.system is None:
            raise error("E315", "'machine' needs a machine, and none is given", None, "name a machine with -y")
        wanted = [n for n in program.inputs if n in figures and not n.startswith(FIGURE) and not is_whole(n)]
    else:
        wanted = [n for n in program.inputs if n.startswith(FIGURE) and n in values]
    return [_figure(asked, n, values[n], False) for n in wanted]


def _one(asked: Question, program: Program, values: Mapping[str, float], name: str) -> Direction:
    name = canonical(name)
    if name in _sizes(asked, program):
        return _size(asked, name, True)
    if name in ("gbs", "microbatches") or name in _FOLLOWING:
        raise _follows(asked, name)
    figures = asked.system.figures if asked.system is not None else {}
    if name in figures:
        return _figure(asked, name, figures[name].value, True)
    if "." in name and asked.system is None:
        message = f"'{name}' belongs to a machine, and none is given"
        raise error("E315", message, None, "name a machine with -y, or leave this out")
    if name in program.inputs and name in values and "." in name:
        return _figure(asked, name, values[name], True)
    if _is_size(asked, name):
        return Direction(name, "dimension", float(asked.model.largest(name)), "", {name: 1.0}, True)
    raise _no_number(asked, program, name)


def _figure(asked: Question, name: str, value: float, by_name: bool) -> Direction:
    figures = asked.system.figures if asked.system is not None else {}
    unit = figures[name].unit if name in figures else unit_of(name)
    kind = "framework" if name.startswith(FIGURE) else _KIND_OF.get(unit, "factor")
    return Direction(name, kind, value, unit, {name: 1.0}, by_name)


def _sizes(asked: Question, program: Program) -> list[str]:
    """Sizes that the strategy decides and the formulas have."""
    given = [n for n in asked.plan.sizes if n in CHOICES and n in program.inputs and n not in ("gbs", "microbatches")]
    step = "microbatches" if counts_microbatches(asked.plan) else "gbs"
    return [*given, step] if "gbs" in program.inputs and step in asked.plan.sizes else given


def _size(asked: Question, name: str, by_name: bool) -> Direction:
    sizes = asked.plan.sizes
    moves: dict[str, float] = {} if name == "microbatches" else {name: 1.0}
    if counts_microbatches(asked.plan):
        # gbs = microbatches · mbs · world / (tp · cp · pp)
        power = {"microbatches": 1, "mbs": 1, "world": 1, "tp": -1, "cp": -1, "pp": -1}.get(name, 0)
        moves |= {"gbs": power * float(sizes["gbs"]) / float(sizes[name])} if power else {}
    return Direction(name, "size", float(sizes[name]), "", moves, by_name)


def _is_size(asked: Question, name: str) -> bool:
    value = asked.model.dimensions.get(name)
    return isinstance(value, int) and not isinstance(value, bool) and value != 0


def _follows(asked: Question, name: str) -> InputError:
    given = "microbatches" if counts_microbatches(asked.plan) else "gbs"
    sources = {
        "gbs": "microbatches, mbs and world/(tp·cp·pp)",
        "dp": "world, tp, cp and pp",
        "edp": "world, ep, etp and pp",
    }.get(name, "gbs, mbs and world/(tp·cp·pp)")
    hint = f"ask for {given}" if name in ("gbs", "microbatches", "m") else "ask for one of those"
    return error("E356", f"'{name}' follows from {sources}: it does not vary by itself", None, hint)


def _no_number(asked: Question, program: Program, name: str) -> InputError:
    system = asked.system
    if system is not None and name in system.tables:
        message = f"'{name}' is a table of {system.name}"
        return error("E355", message, None, "a measured table has no slope")
    if name in CHOICES:
        choice = CHOICES[name]
        if choice.structural:
            hint = "it selects the formulas; symsim eval with --set compares two of them"
            return error("E355", f"'{name}' is a choice, not a number", None, hint)
        value = asked.plan.values.get(name)
        message = f"'{name}' is not a quantity of these formulas: " + (
            "the strategy does not give it" if value is None else f"they have its value, {value}, as a number"
        )
        return error("E355", message, None, f"give it another value with --set {name}=…")
    if name in asked.model.dimensions:
        message = f"'{name}' is not a size of {asked.model.name}, it is {asked.model.dimensions[name]}"
        return error("E355", message, None, "dimensions that are positive numbers can vary")
    if name in program.outputs:
        return error("E355", f"'{name}' is a result of the formulas", None, f"ask for it with --of {name}")
    if system is not None and (optional(name) or name in FALLBACKS):
        message = f"no formula of this plan uses '{name}'"
        return error("E355", message, None, f"and {system.name} does not state it: it has no effect here")
    dimensions = [n for n in asked.model.dimensions if _is_size(asked, n)]
    known = [*GROUPS, *_sizes(asked, program), *dimensions, *program.inputs]
    hint = nearest(name, [n for n in known if n not in _FOLLOWING]) or "a figure of the machine, a size, a dimension"
    return error("E355", f"nothing is called '{name}'", None, hint)
