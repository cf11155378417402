"""The answers of ``solve`` as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symsim.report.repair import NEAR_LIMIT
from symsim.report.tables import print_table, print_verdict
from symsim.report.terminal_text import print_wrapped
from symsim.units import bytes_text, decimal_text, group_digits, seconds_text

SHOWN = 40
"""Most crossings that are listed; ``--json`` has all."""


def print_solution(result: dict[str, Any]) -> None:
    """The document ``symsim.solve/1``."""
    name, value = result["for"], result["value"]
    print_verdict(result)
    print(f"{result['model']} · {result['strategy']} · {result['system'] or 'no machine'}")
    print()
    match result["outcome"]:
        case "found":
            print(f"{result['sought']} {name}  {number_text(value, result['unit'])}")
        case "everything":
            print_wrapped(_everything(result))
        case _:
            print_wrapped(_nothing(result))
    _print_constraints(result)
    _print_reasons(result)


def _everything(result: dict[str, Any]) -> str:
    end = number_text(result["to" if result["sought"] == "largest" else "from"], result["unit"])
    why = "the conditions hold" if result["depends"] else "the conditions do not depend on it and hold"
    way = "up to" if result["sought"] == "largest" else "down to"
    return f"there is no {result['sought']} {result['for']}: {why} at every legal value {way} {end}"


def _nothing(result: dict[str, Any]) -> str:
    low, high = (number_text(result[end], result["unit"]) for end in ("from", "to"))
    name = result["for"]
    if result["next"] is None:
        return f"no {name} from {low} to {high} makes a legal plan"
    if not result["depends"]:
        return f"no {name} satisfies: the conditions do not depend on it"
    return f"no legal {name} from {low} to {high} satisfies; of the present value and the ends the nearest is"


def _print_constraints(result: dict[str, Any]) -> None:
    """Both sides of each condition at the answer and at the next legal value."""
    columns = [(result["value"], result["constraints"])] if result["constraints"] else []
    if result["outcome"] == "everything":
        columns = []
    neighbour = result["next"]
    if neighbour is not None and (result["whole"] or not columns):
        columns.append((neighbour["value"], neighbour["constraints"]))
    if not columns:
        return
    rows = []
    for value, constraints in columns:
        for checked in constraints:
            rows.append(
                [
                    number_text(value, result["unit"], 12),
                    checked["text"],
                    _side(checked["left"], checked["unit"]),
                    _side(checked["right"], checked["unit"]),
                    "holds" if checked["holds"] else _missing(checked),
                ]
            )
    print()
    print_table([result["for"], "condition", "left", "right", ""], rows)


def _side(value: float | None, unit: str) -> str:
    return "" if value is None else number_text(value, unit)


def _missing(checked: dict[str, Any]) -> str:
    left, right = checked["left"], checked["right"]
    if left is None or right is None:
        return "fails"
    return f"fails by {number_text(abs(left - right), checked['unit'])}"


def _print_reasons(result: dict[str, Any]) -> None:
    lines: list[tuple[str, str]] = []
    if result["outcome"] == "found":
        lines.append(("method", _method(result)))
        lines.append(("proof", _proof(result)))
        if result["next"] is None and result["whole"]:
            lines.append(("next", f"no further value of {result['for']} makes a legal plan"))
        if result["fails_within_at"] is not None:
            inside = number_text(result["fails_within_at"], result["unit"])
            lines.append(("note", f"not everything within satisfies: {result['for']} = {inside} does not"))
        lines.append(("plan", result["set"]))
        plan = result["plan"]
        sizes = "  ".join(f"{n} {plan[n]}" for n in ("world", "dp", "tp", "pp", "mbs", "gbs", "microbatches", "seq"))
        lines.append(("", sizes))
        held = f"peak {bytes_text(plan['memory_peak_bytes'])}"
        if plan["memory_device_bytes"] is not None:
            held += f", device {bytes_text(plan['memory_device_bytes'])}"
        held += f" ({NEAR_LIMIT})" if plan["near_limit"] else ""
        step = f", step {seconds_text(plan['time_iteration_s'])}" if plan["time_iteration_s"] is not None else ""
        lines.append(("", held + step))
    if lines:
        print()
    for label, text in lines:
        print_wrapped(f"{label:<7} {text}".rstrip(), 8)


def _proof(result: dict[str, Any]) -> str:
    tried = group_digits(result["candidates"], ",")
    if not result["whole"]:
        return f"{tried} ranges looked at, the others excluded by bounds of the formulas; beyond it a condition fails"
    left_out = result["ranges_left_out"]
    return f"{tried} values tried" + (f", {left_out} ranges excluded by bounds of the formulas" if left_out else "")


def _method(result: dict[str, Any]) -> str:
    closed = result["closed_form"]
    if closed is None:
        return "bracketing on the compiled formulas"
    name, unit = result["for"], next(c["unit"] for c in result["constraints"] if c["text"] == closed["constraint"])
    left, right = (rational_text(closed[side], name, unit) for side in ("left", "right"))
    return f"closed form: {left} = {right} at {name} = {number_text(closed['root'], result['unit'])}"


def rational_text(side: dict[str, Any], name: str, unit: str) -> str:
    """``20.44 GB + 22.7 GB·mbs``; ``9.8 s + 1.2e10/network.bandwidth``."""
    above, below = side["above"], side["below"]
    power = len(below) - 1
    if any(below[:-1]):
        return f"({_terms(above, 0, name, '')})/({_terms(below, 0, name, '')})"
    return _terms(above, power, name, unit)


def _terms(coefficients: Sequence[float], shift: int, name: str, unit: str) -> str:
    out: list[str] = []
    for power, coefficient in enumerate(coefficients, -shift):
        if coefficient:
            own = unit if power >= 0 or unit == "" else ""
            amount = number_text(abs(coefficient), own) if own else f"{abs(coefficient):.6g}"
            factor = "" if power == 0 else name + ("" if abs(power) == 1 else f"^{abs(power)}")
            term = amount if not factor else f"{amount}·{factor}" if power > 0 else f"{amount}/{factor}"
            if coefficient == 1 and power > 0:
                term = factor
            sign = "− " if coefficient < 0 else "+ " if out else ""
            out.append(sign + term)
    return " ".join(out) or "0"


def number_text(value: float, unit: str, digits: int = 6) -> str:
    """A number in a sensible unit; a whole number with all of its digits."""
    if unit == "B":
        return bytes_text(value) if abs(value) >= 1024 or float(value).is_integer() else f"{value:.4g} B"
    if unit == "s":
        return seconds_text(value)
    if unit:
        return decimal_text(value, unit)
    if float(value).is_integer() and abs(value) < 1e15:
        return group_digits(int(value), ",")
    return f"{value:.{digits}g}"


def print_break_even(result: dict[str, Any]) -> None:
    """The document ``symsim.break_even/1``."""
    first, second = result["strategies"]
    if first == second:
        first, second = f"first ({first})", f"second ({second})"
    names = {"first": first, "second": second, "equal": "neither"}
    name, unit, quantity = result["for"], result["unit"], result["quantity"]
    print(f"{result['model']} · {first} against {second} · {result['system'] or 'no machine'}")
    low, high = (number_text(result[end], unit) for end in ("from", "to"))
    if result["less_at_first"] is None:
        print_wrapped(f"no {name} from {low} to {high} makes both plans legal")
        return
    if not result["crossings"]:
        less = result["less_at_first"]
        verdict = "both are equal" if less == "equal" else f"{names[less]} has less {quantity}"
        print_wrapped(f"no break-even: {verdict} at every {name} from {low} to {high} at which both are legal")
    for crossing in result["crossings"][:SHOWN]:
        below, above = (number_text(crossing[end], unit) for end in ("below", "above"))
        where = (
            f"at {name} = {below}"
            if crossing["below"] == crossing["above"]
            else f"between {name} = {below} and {above}"
        )
        sides = f"less {quantity} below: {names[crossing['less_below']]}, above: {names[crossing['less_above']]}"
        print_wrapped(f"break-even {where} ({crossing['method']}); {sides}")
    if len(result["crossings"]) > SHOWN:
        print(f"and {len(result['crossings']) - SHOWN} more")
    print()
    rows = [
        [
            number_text(row["value"], unit),
            *(number_text(row[side], result["quantity_unit"]) for side in ("first", "second")),
        ]
        for row in result["values"][: 2 * SHOWN]
    ]
    print_table([name, f"{quantity}, {first}", second], rows)
