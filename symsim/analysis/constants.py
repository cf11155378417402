"""Named constants that may be fitted to measurements: where each starts, how far it may go, what it stands behind.

A constant belongs to a machine (a figure of its system file) or to a framework (a numeric fact of its
profile, called ``framework.PROFILE.FACT``); never to a model, a case or a layout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache

from symsim.analysis.load import Question
from symsim.compiler.profile import BASE
from symsim.diagnostics import Diagnostic, InputError, error, nearest
from symsim.emit.specialise import FigureBehind
from symsim.language.expressions import Plain, evaluate
from symsim.language.figures import canonical
from symsim.language.library import library_of
from symsim.language.tables import MAX_EFFICIENCY
from symsim.machine.bind import figure_behind, figure_behind_table
from symsim.records.system import System

FRAMEWORK = "framework."

OVERRIDDEN = "--set"
"""Source of a figure that a case states for itself; a fit leaves it alone."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A positive number that is searched for, in logarithms.

    ``start`` is what its source states, whatever an earlier fit made of it: fitting twice to the same
    measurements must not count them twice. ``width`` is the standard deviation of the prior of
    log(value/start); ``highest`` a bound or infinite.
    """

    name: str
    start: float
    unit: str
    source: str
    width: float
    highest: float = math.inf
    factor: str = ""
    """Constants of one factor are multiplied by the same number: together they are one that is fitted."""

    @property
    def upper(self) -> float:
        """The bound as log(highest/start)."""
        return math.log(self.highest / self.start)


TOGETHER = "together"
"""Behind a pattern: all that it means get one factor."""

_WIDTH = re.compile(r"([0-9]+(?:\.[0-9]+)?) *%")


def constants(system: System, wanted: Sequence[str], width: float) -> tuple[Constant, ...]:
    """The constants that names such as ``hbm.efficiency`` or ``nvlink.*.latency:together:50%`` mean.

    ``width`` is the prior's relative standard deviation where a name states none. A constant that is
    meant twice is as the last name says.

    Raises:
        InputError: a name that is no figure or fact, is a table, or is 0.
    """
    found: dict[str, Constant] = {}
    problems: list[Diagnostic] = []
    for text in wanted:
        name, *stated = (part.strip() for part in text.split(":"))
        try:
            own = _width(name, [s for s in stated if s != TOGETHER], width)
            factor = name if TOGETHER in stated else ""
            for one in _meant(system, name):
                found.pop(one, None)
                found[one] = replace(_constant(system, one, own), factor=factor or one)
        except InputError as problem:
            problems += problem.diagnostics
    if problems:
        raise InputError(problems)
    return tuple(found.values())


def _width(name: str, stated: Sequence[str], otherwise: float) -> float:
    found = [_WIDTH.fullmatch(text) for text in stated]
    if len(found) > 1 or any(f is None or float(f[1]) <= 0 for f in found):
        hint = f"behind a name stands a percentage above 0, or {TOGETHER}: {name}:50%"
        raise error("E604", f"'{':'.join(stated)}' is no width", None, hint)
    return float(found[0][1]) / 100 if found and found[0] else otherwise


def _meant(system: System, name: str) -> list[str]:
    """The figures that a pattern means, those that are 0 left out; the name itself where it is none."""
    name = canonical(name)
    if "*" not in name:
        return [name]
    matching = [n for n, figure in system.figures.items() if fnmatchcase(n, name) and figure.value > 0]
    if not matching:
        raise error("E604", f"'{name}' means no figure of {system.name}", None, f"it has {', '.join(system.figures)}")
    return matching


def _constant(system: System, name: str, width: float) -> Constant:
    if name.startswith(FRAMEWORK):
        return _fact(name, width)
    figure = system.figures.get(name)
    if figure is None:
        table = name in system.tables or any(t.startswith(name.rpartition(".")[0] + ".") for t in system.tables)
        message = f"'{name}' is a table of {system.name}" if table else f"{system.name} states no figure '{name}'"
        hint = "measured entries are not fitted" if table else nearest(name, system.figures)
        raise error("E604", message, None, hint or f"it has {', '.join(system.figures)}")
    start = figure.value if figure.before is None else figure.before
    _check_positive(name, start)
    return Constant(name, start, figure.unit, figure.source, width, _highest(name, start, figure.unit))


def _fact(name: str, width: float) -> Constant:
    profile, _, fact = name.removeprefix(FRAMEWORK).partition(".")
    profiles = library_of().profiles
    if profile not in profiles:
        raise error("E604", f"no framework is called '{profile}'", None, nearest(profile, profiles))
    stated = {f.name: f for f in profiles[profile].facts}
    if fact not in stated:
        raise error("E604", f"profile {profile} states no fact '{fact}'", None, nearest(fact, stated))
    fitted = stated[fact].calibrated
    value = evaluate(stated[fact].value if fitted is None else fitted.before, Plain({}))
    if isinstance(value, bool | str | frozenset):
        raise error("E604", f"'{name}' is no number", None, "a flag or a word is not fitted")
    _check_positive(name, float(value))
    return Constant(name, float(value), "", stated[fact].source or "not stated", width)


def _check_positive(name: str, value: float) -> None:
    if value <= 0:
        hint = "its logarithm is searched: state a small start value in a copy of the file first"
        raise error("E604", f"'{name}' is 0 and cannot be fitted", None, hint)


def _highest(name: str, value: float, unit: str) -> float:
    """A fraction stays below 1, unless masked work is credited and may pass it."""
    if unit or not name.endswith("efficiency"):
        return math.inf
    return 1.0 if value <= 1 and not name.startswith("attention.") else MAX_EFFICIENCY


def behind(asked: Question, fitted: frozenset[str]) -> FigureBehind:
    """Which fitted constant answers for an input or a table of a question's formulas."""
    system = asked.system
    assert system is not None
    profile = str(asked.plan.values["framework"])

    def found(name: str, is_table: bool) -> str | None:
        if name.startswith(FRAMEWORK):
            fact = name.removeprefix(FRAMEWORK)
            own = profile if fact in _facts(profile) else BASE
            candidate: str | None = f"{FRAMEWORK}{own}.{fact}"
        else:
            candidate = figure_behind_table(system, name) if is_table else figure_behind(system, name)
            if candidate is not None and system.figures[candidate].source == OVERRIDDEN:
                return None
        return candidate if candidate in fitted else None

    return found


@cache
def _facts(profile: str) -> frozenset[str]:
    return frozenset(f.name for f in library_of().profiles[profile].facts)
