"""Named constants that may be fitted to measurements: where each starts, how far it may go, what reads it.

A constant belongs to a machine (a figure of its system file) or to a framework (a fact of its profile
that only times depend on: ``framework.PROFILE.NAME`` is its ``time.NAME``); never to a model, a case or
a layout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache

from symsim.compiler.profile import BASE, FIGURE, TIMED
from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.emit.partial_evaluation import FigureOfInput
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate
from symsim.language.figures import UNSTATED, canonical, check_name, figure_value, optional, unit_of
from symsim.language.library import library_of
from symsim.language.parser import parse_expression
from symsim.language.tables import MAX_EFFICIENCY
from symsim.loading.question import Question
from symsim.machine.bind import FALLBACKS, figure_of_input, figure_of_table
from symsim.records.system import System

OVERRIDDEN = "--set"
"""Source of a figure that a case states for itself; a fit leaves it alone."""

FRACTIONS = ("efficiency", "level", "sustained", "sharp", "shared", "misaligned")
"""Figures that are a part of a whole."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A positive number that is searched for, in logarithms.

    ``stated`` is what its source has, whatever an earlier fit made of it: fitting twice to the same
    measurements must not count them twice. ``start`` is where the search begins and the centre of the
    prior, usually ``stated``; ``width`` the standard deviation of the prior of log(value/start);
    ``highest`` a bound or infinite.
    """

    name: str
    start: float
    stated: float
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

_WIDTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


def constants(system: System, wanted: Sequence[str], width: float) -> tuple[Constant, ...]:
    """The constants that names such as ``hbm.efficiency``, ``network.straggler=0.02:100%`` mean.

    ``nvlink.*.latency:together`` means several with one factor. ``width`` is the prior's relative
    standard deviation where a name states none. A constant that is meant twice is as the last name says.

    Raises:
        InputError: a name that is no figure or fact, is a table, or is 0 where no start is given.
    """
    found: dict[str, Constant] = {}
    problems: list[Diagnostic] = []
    for text in wanted:
        head, *stated = (part.strip() for part in text.split(":"))
        name, equal, start = (part.strip() for part in head.partition("="))
        try:
            own = _width(name, [s for s in stated if s != TOGETHER], width)
            for one in _meant(system, name):
                found.pop(one, None)
                constant = _constant(system, one, own, start if equal else None)
                found[one] = replace(constant, factor=name if TOGETHER in stated else one)
        except InputError as problem:
            problems += problem.diagnostics
    if problems:
        raise InputError(problems)
    return tuple(found.values())


def _width(name: str, stated: Sequence[str], otherwise: float) -> float:
    found = [_WIDTH.fullmatch(text) for text in stated]
    if len(found) > 1 or any(f is None or float(f[1]) <= 0 for f in found):
        hint = f"after a name give a percentage above 0, or {TOGETHER}: {name}:50%"
        raise error("E604", f"'{':'.join(stated)}' is not a width", None, hint)
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


def _constant(system: System, name: str, width: float, start: str | None) -> Constant:
    """One constant; ``start`` as it was written, in units of the figure."""
    if name.startswith(FIGURE) and name.count(".") > 1:
        stated, unit, source = _fact(name)
    elif name in system.figures:
        figure = system.figures[name]
        stated, unit, source = figure.value if figure.before is None else figure.before, figure.unit, figure.source
    elif optional(name):
        check_name(name, Place(Source("<--fit>", name), 1, 1, len(name)))
        neutral = 1.0 if name.endswith("sustained") else FALLBACKS.get(name, 0.0)
        stated, unit, source = neutral, unit_of(name), UNSTATED
    else:
        table = name in system.tables or any(t.startswith(name.rpartition(".")[0] + ".") for t in system.tables)
        message = f"'{name}' is a table of {system.name}" if table else f"{system.name} states no figure '{name}'"
        hint = "measured entries are not fitted" if table else nearest(name, system.figures)
        raise error("E604", message, None, hint or f"it has {', '.join(system.figures)}")
    value = stated if start is None else figure_value(name, parse_expression(Source("<--fit>", start)))[0]
    if value <= 0:
        hint = (
            f"its logarithm is searched: give a value to start from, such as {name}={_EXAMPLES.get(unit, '0.01')}:100%"
        )
        raise error("E604", f"'{name}' is 0 and cannot be fitted from there", None, hint)
    return Constant(name, value, stated, unit, source, width, highest(name, value))


_EXAMPLES = {"s": "5us", "B/s": "10GB/s", "": "0.01"}


def _fact(name: str) -> tuple[float, str, str]:
    """What a profile states, its unit, and its source."""
    profile, _, fact = name.removeprefix(FIGURE).partition(".")
    profiles = library_of().profiles
    if profile not in profiles:
        raise error("E604", f"no framework is called '{profile}'", None, nearest(profile, profiles))
    stated = {f.name.removeprefix(TIMED): f for f in profiles[profile].facts if f.name.startswith(TIMED)}
    if fact not in stated:
        hint = nearest(fact, stated) or f"add it to the profile first; what it does not state is {BASE}'s"
        raise error("E604", f"profile {profile} states no '{TIMED}{fact}'", None, hint)
    found = stated[fact]
    value = evaluate(found.value if found.calibrated is None else found.calibrated.before, Plain({}))
    return float(value), unit_of(fact), found.source or "not stated"


def fact_of(name: str) -> tree.Fact | None:
    """The entry of the library behind ``framework.PROFILE.NAME``."""
    if not name.startswith(FIGURE) or name.count(".") < 2:
        return None
    profile, _, fact = name.removeprefix(FIGURE).partition(".")
    return next(f for f in library_of().profiles[profile].facts if f.name == TIMED + fact)


def facts_as_stated(profile: str) -> dict[str, float]:
    """What formulas call the fitted facts of a framework, with the values that they had before."""
    own = {f.name: f for f in library_of().profiles[profile].facts}
    facts = {**{f.name: f for f in library_of().profiles[BASE].facts}, **own}
    return {
        FIGURE + f.name.removeprefix(TIMED): float(evaluate(f.calibrated.before, Plain({})))
        for f in facts.values()
        if f.calibrated is not None
    }


def highest(name: str, value: float) -> float:
    """The largest value of a figure. A fraction stays below 1, unless masked work is credited and may pass it."""
    if not name.endswith(FRACTIONS):
        return math.inf
    return 1.0 if value <= 1 and not name.startswith("attention.") else MAX_EFFICIENCY


def constant_of_input(asked: Question, fitted: frozenset[str]) -> FigureOfInput:
    """Which fitted constant answers for an input or a table of a question's formulas."""
    system = asked.system
    assert system is not None
    profile = str(asked.plan.values["framework"])

    def found(name: str, is_table: bool) -> str | None:
        if name in fitted and name not in system.figures and name not in system.tables:
            return name
        candidate = figure_of_table(system, name) if is_table else figure_of_input(system, name)
        if candidate is not None and system.figures[candidate].source == OVERRIDDEN:
            return None
        if candidate is None and not is_table:
            candidate = name
            if name.startswith(FIGURE) and name not in fitted:
                fact = name.removeprefix(FIGURE)
                candidate = f"{FIGURE}{profile if TIMED + fact in _facts(profile) else BASE}.{fact}"
            elif name.endswith(".sustained") and name not in fitted:
                candidate = "matmul.sustained"
        return candidate if candidate in fitted else None

    return found


@cache
def _facts(profile: str) -> frozenset[str]:
    return frozenset(f.name for f in library_of().profiles[profile].facts)
