"""A plan that breaks rules: what is said of it, and the nearest sizes that keep them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from math import ceil

from symsim.diagnostics import Diagnostic, InputError
from symsim.emit.program import CheckedRule
from symsim.loading.plan import Plan, counts_microbatches
from symsim.records.rule_message import with_values


def _in_given_sizes(rule: CheckedRule, settled: Plan) -> CheckedRule:
    """A rule on gbs is one on micro-batches where they are given; the sizes that make one of the other cancel."""
    if "gbs" not in rule.names or not counts_microbatches(settled):
        return rule
    others = (n for n in rule.names if n not in ("gbs", "world", "tp", "cp", "mbs"))
    return replace(rule, names=("microbatches", *others))


Fits = Callable[[CheckedRule, str, int], bool]
"""Whether a rule holds with one name changed to a value."""


def impossible(rules: Sequence[CheckedRule], settled: Plan, fits: Fits) -> InputError:
    """Every broken rule, with the nearest values by which the plan would keep it and the others.

    Where no such value keeps all ``rules``, values that fix the broken one are given. A rule on more
    sizes is left out where what fixes a rule on fewer of them fixes it too.
    """
    rules = [_in_given_sizes(rule, settled) for rule in rules]
    broken = [rule for rule in rules if not fits(rule, "pp", int(settled.sizes["pp"]))]
    kept = [rule for rule in rules if rule not in broken]
    fixing = {rule: _nearest_fixes(rule, broken, kept, settled, fits) for rule in broken}
    problems: list[Diagnostic] = []
    said: list[str] = []
    reasons: list[tuple[tuple[str, ...], str]] = []
    for rule in broken:
        basic = [q for q in broken if set(q.names) < set(rule.names)]
        if any(fits(rule, name, value) for q in basic for name, values in fixing[q].items() for value in values):
            continue
        named = [n for n in rule.names if n in settled.places] or [n for n in rule.names if n in settled.sizes]
        wrong = with_values(rule.message, settled.sizes)
        if wrong in said or ((reason := wrong.partition(": ")[2]) and (rule.names, reason) in reasons):
            continue
        said.append(wrong)
        reasons.append((rule.names, reason))
        untold = (n for n in named if n in settled.sizes and not re.search(rf"(?<![\w·]){n} = ", wrong))
        values = ", ".join(f"{n} = {settled.sizes[n]}" for n in untold)
        message = f"this plan is not possible: {wrong}" + (f"; here {values}" if values else "")
        hints = [f"{name} = {' or '.join(map(str, legal))}" for name, legal in fixing[rule].items() if legal]
        hint = "; or ".join(hints[:3]) or "no value near these is possible: change several of them"
        given = [n for n in (*fixing[rule], *named) if n in settled.places]
        problems.append(Diagnostic("E330", message, settled.places[given[0]] if given else None, hint))
    return InputError(problems)


MAX_TRIED = 4096
"""How far around a size legal values are looked for."""


def _nearest_fixes(
    rule: CheckedRule, broken: list[CheckedRule], kept: list[CheckedRule], settled: Plan, fits: Fits
) -> dict[str, list[int]]:
    """Name → legal values nearby, for the names of a rule that the strategy gives, most useful first."""
    names = [n for n in rule.names if n in settled.sizes]
    found: dict[str, list[int]] = {}
    for name in [n for n in names if n in settled.places] or names:
        together = [q for q in broken if name in q.names]
        touched = [q for q in kept if name in q.names]
        choices = ([*together, *touched], [rule, *touched])
        found[name] = next((v for c in choices if (v := _nearest_legal(c, name, settled, fits))), [])
    if any(found.values()):
        return {name: values for name, values in found.items() if values}
    for name in found:
        together = [q for q in broken if name in q.names]
        found[name] = _nearest_legal(together, name, settled, fits) or _nearest_legal([rule], name, settled, fits)
    return {name: values for name, values in found.items() if values}


def _nearest_legal(rules: list[CheckedRule], name: str, settled: Plan, fits: Fits) -> list[int]:
    """The next value below and above at which the rules hold."""
    return nearest_legal(settled.sizes[name], lambda v: all(fits(rule, name, v) for rule in rules))


def nearest_legal(current: int | Fraction, legal: Callable[[int], bool]) -> list[int]:
    """The next legal value below, if any, and the next above; far off, powers of two and doublings are tried."""

    def first(values: Iterable[int]) -> list[int]:
        return [v for v in [next((v for v in values if legal(v)), 0)] if v]

    here = int(current)
    below = range(ceil(current) - 1, max(0, here - MAX_TRIED), -1)
    powers = (2**k for k in range(here.bit_length() - 1, -1, -1))
    doubled = (here * 2**k for k in range(1, 5))
    return first(chain(below, powers)) + first(chain(range(here + 1, here + MAX_TRIED), doubled))
