"""A plan of a search as a strategy file that ``eval`` reads: every choice that is not its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from symsim.analysis.searching.contradictions import value_text
from symsim.analysis.searching.search import Found, Result
from symsim.language.expression_text import expression_text
from symsim.language.figures import canonical
from symsim.language.list_text import list_text
from symsim.language.parser import keywords
from symsim.language.quoting import one_line, quoted
from symsim.loading.plan import Plan
from symsim.records.strategy import CHOICES, Value
from symsim.units import bytes_text, seconds_text

DERIVED = ("microbatches",)
"""Choices that follow from those written."""


def strategy_text(result: Result, rank: int, name: str, command: str) -> str:
    """The file of a plan of a result, by its rank from 1; ``command`` is what found it."""
    found = result.plans[rank - 1]
    out = [f"# {one_line(line)}" for line in (*_origin(result, rank, command), _reached(found))]
    out.append(f"strategy {_identifier(name)}")
    out += _choices(found.question.plan)
    out += _overrides(found, result)
    out += [_require(text, message) for text, message in _requires(result)]
    return "\n".join(out) + "\n"


def _origin(result: Result, rank: int, command: str) -> tuple[str, str]:
    goal = f"{result.objective.goal} {expression_text(result.objective.value)}"
    which = "Best" if rank == 1 else f"Number {rank}"
    return f"{which} of {result.points:,} plans, {result.feasible:,} of them feasible: {goal}. Found by", f"  {command}"


def _reached(found: Found) -> str:
    values, system = found.answer.values, found.question.system
    peak = f"peak {bytes_text(values['memory.peak'])}"
    if system is None:
        return f"{found.question.model.name}: {peak}."
    step = f"{seconds_text(values['time.iteration'])} a step, MFU {values['throughput.mfu']:.1%}"
    capacity = bytes_text(system.figures["memory.capacity"].value)
    device = f"device {bytes_text(values['memory.device'])} of {capacity}"
    return f"{found.question.model.name} on {system.name}: {step}, {peak}, {device}."


def _identifier(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if re.match(r"[A-Za-z]", plain) and plain not in keywords("strategy") else f"plan_{plain}"


OF_A_RUN = ("tokens = ", "price = ")
"""Choices that are of a whole run, not of a plan."""


def inline_choices(settled: Plan) -> str:
    """A plan as ``-s`` takes it: ``tp=8,pp=4,…``."""
    lines = (line for line in _choices(settled) if not line.startswith(OF_A_RUN))
    return ",".join(line.replace(" = ", "=", 1) for line in lines)


def _choices(settled: Plan) -> Iterator[str]:
    for name, value in settled.values.items():
        if name not in DERIVED and value is not None and value != CHOICES[name].default:
            yield f"{name} = {_value(name, value)}"


def _value(name: str, value: Value) -> str:
    if isinstance(value, Fraction):
        return _number(value)
    return quoted(str(value)) if CHOICES[name].kind == "text" else value_text(value)


def _number(value: Fraction) -> str:
    decimal = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{decimal:f}" if Fraction(decimal) == value else f"{value.numerator} / {value.denominator}"


def _overrides(found: Found, result: Result) -> Iterator[str]:
    """What the strategy or the command changes of the model and the machine, and figures that were searched."""
    model, system = found.question.model, found.question.system
    searched = [n for n in found.choices if n not in CHOICES]
    for name in dict.fromkeys([*result.space.strategy.overrides, *searched]):
        if name in model.dimensions:
            value = model.dimensions[name]
            yield f"{name} = {list_text(value) if isinstance(value, tuple) else value_text(value)}"
        elif system is not None:
            figure = system.figures[canonical(name)]
            unit = f" {figure.unit}" if figure.unit else ""
            yield f"{name} = {Decimal(repr(figure.value)):f}{unit}"


def _requires(result: Result) -> Iterator[tuple[str, str | None]]:
    for require in result.space.strategy.requires:
        yield expression_text(require.condition), require.message


def _require(text: str, message: str | None) -> str:
    return f"require {text}" + (f" {quoted(message)}" if message else "")
