"""Write a strategy as a person would: a line for each choice, comments above, notes below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from symsim.language.quoting import one_line, quoted
from symsim.records.strategy import CHOICES, Value


def strategy_text(
    name: str, title: str, values: Mapping[str, Value], comments: Sequence[str] = (), notes: Sequence[str] = ()
) -> str:
    """``strategy NAME "title"`` and its choices, in the order in which strategies list them."""
    order = {choice: k for k, choice in enumerate(CHOICES)}
    lines = [f"# {one_line(comment)}" for comment in comments]
    lines.append(f"strategy {name}" + (f" {quoted(title)}" if title else ""))
    lines += [f"{n} = {choice_text(n, values[n])}" for n in sorted(values, key=lambda n: order.get(n, len(order)))]
    lines += [f"note {quoted(note)}" for note in notes]
    return "\n".join(lines) + "\n"


def choice_text(name: str, value: Value) -> str:
    """A value as a strategy file has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case frozenset():
            return f"{{{', '.join(sorted(value))}}}" if value else "none"
        case str() if name in CHOICES and CHOICES[name].kind == "text":
            return quoted(value)
    return str(value)
