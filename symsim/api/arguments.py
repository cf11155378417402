"""Arguments of another kind than a function takes: what to call instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from symsim.diagnostics import error

if TYPE_CHECKING:
    from symsim.api.plans import Plan


def check_plan(value: Any, function: str, argument: str = "plan") -> Plan:
    """``value``, if it is a plan.

    Raises:
        InputError: it is a text, or something else; the hint says how a plan is made.
    """
    from symsim.api.plans import Plan

    if isinstance(value, Plan):
        return value
    if isinstance(value, str):
        made = f"symsim.load({value!r}, STRATEGY, SYSTEM)"
        hint = f"symsim.{function}({made})" if argument == "plan" else made
        raise error("E385", f"{function} takes a plan, not the text '{value}'", None, hint)
    hint = "a plan is made by symsim.load(model, strategy, system)"
    raise error("E385", f"{function} takes a plan, not {_kind(value)}", None, hint)


def check_names(function: str, **named: Any) -> None:
    """Raises InputError where a plan is given in place of a name or a path."""
    from symsim.api.plans import Plan

    for argument, value in named.items():
        if isinstance(value, Plan):
            own = {"model": value.model, "strategy": value.strategy, "system": value.system}[argument]
            hint = f"give a name, such as {own!r}; plan.changed(…) is the plan with other settings"
            raise error("E385", f"{argument} is a name, a path or a text, not a plan", None, hint)
        if value is not None and not isinstance(value, str | dict) and not hasattr(value, "__fspath__"):
            hint = f"for example symsim.{function}('llama3_70b', 'tp8_pp4', 'h100_sxm')"
            if not hasattr(value, "keys"):
                raise error("E385", f"{argument} is a name, a path or a text, not {_kind(value)}", None, hint)


def _kind(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


TIMED = ("time.", "throughput.", "cost.")
"""Beginnings of outputs that need a machine."""

LONGEST = 80


def unknown_name(name: object, known: Iterable[str], what: str, timed: bool = True) -> KeyError:
    """A KeyError that says which name was meant; where nothing is ``timed``, that time needs a machine."""
    text = str(name)[:LONGEST]
    if not timed and text.startswith(TIMED):
        return KeyError(f"{what} '{text}' needs a machine: symsim.load(model, strategy, system)")
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=0.6)
    return KeyError(f"no {what} is called '{text}'" + (f": did you mean '{close[0]}'?" if close else ""))
