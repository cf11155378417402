"""What a machine may state: the names of figures, their units and ranges, and the columns of tables."""

from __future__ import annotations

from fractions import Fraction

from symsim.diagnostics import Place, error, nearest
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate, number, out_of_bounds
from symsim.language.tables import MAX_EFFICIENCY
from symsim.records.graph import PHASES
from symsim.records.system import Table

LINKS = ("nvlink", "pcie", "infinity_fabric", "ici", "neuronlink")
"""Names of the fast link inside an island; all are ``link`` in formulas."""

TIERS = ("link", "network")
"""Where messages travel: within an island, and between islands."""

NEEDED = {
    "gpus_per_node": "gpus_per_node = 8",
    "memory.capacity": "memory { capacity = 80 GiB }",
    "hbm.bandwidth": "hbm { bandwidth = 3.35 TB/s }",
    "matmul.bf16": "matmul { bf16 = 989 TFLOP/s }",
    "link.bandwidth": "nvlink { bandwidth = 450 GB/s }",
    "link.span": "nvlink { span = 8 }",
    "network.bandwidth": "network { bandwidth = 50 GB/s }",
}
"""What every machine must state, with an example of how it is written."""

_PRECISIONS = ("bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4")
PEAKS = tuple(f"matmul.{precision}" for precision in _PRECISIONS)
"""Peaks of matrix products; of each but bf16 a file may say that there is ``none``."""
_COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "dispatch", "send_receive")
_OF_COLLECTIVE = {
    "link": ("efficiency", "latency", "fixed", "fill", "shared"),
    "network": ("efficiency", "latency", "fixed", "fill", "contention"),
}
"""Figures that each collective may have of its own, by tier."""
_MEASURED = tuple(dict.fromkeys(figure for tier in _OF_COLLECTIVE.values() for figure in tier))
"""Figures that a table may give."""
_OF = {
    "gpu": ("power", "flash_attn", "flash_attn_deterministic"),
    "memory": ("capacity", "context", "communicator", "fragmentation"),
    "hbm": ("bandwidth", "efficiency", "latency"),
    "matmul": (
        *_PRECISIONS,
        "efficiency",
        "sustained",
        "fp8_relative_efficiency",
        "fp8_copies",
        "te_workspace",
        "torch_workspace",
    ),
    "link": ("bandwidth", "span", "sharp", "overlap_slowdown", *_OF_COLLECTIVE["link"]),
    "network": ("bandwidth", "overlap_slowdown", "straggler", *_OF_COLLECTIVE["network"]),
    "host": ("bandwidth", "capacity"),
    "framework": ("launch", "turn", "traffic", "step"),
}
UNMEASURED = "unmeasured"
"""The figure by which a step may be off because the machine's kernels and messages are borrowed from others."""
OF_MACHINE = ("gpus_per_node", "sms", UNMEASURED)
"""Figures of the machine as a whole: their names have no point."""
UNSTATED = "no source states it; without a fit it has no effect"
"""The source of a fitted figure that a machine's file did not have."""

_OF_KERNELS = ("efficiency", "sustained")
"""What a class of kernels, or of traffic, may have."""

_UNIT_OF = {
    "bandwidth": "B/s",
    **dict.fromkeys(("latency", "fixed", "fill", "launch", "turn", "step"), "s"),
    **dict.fromkeys(("capacity", "context", "communicator", "te_workspace", "torch_workspace"), "B"),
    **dict.fromkeys(_PRECISIONS, "FLOP/s"),
    "power": "W",
}
_EXAMPLE_OF = {"B/s": "50 GB/s", "s": "5 us", "B": "80 GiB", "FLOP/s": "989 TFLOP/s", "W": "700 W", "": "0.8"}
_WHOLE = ("gpus_per_node", "span", "fp8_copies", "flash_attn", "flash_attn_deterministic")
_MAY_BE_ZERO = (
    *("latency", "fixed", "fill", "shared", "contention", "sharp", "context", "communicator", "fragmentation"),
    *("overlap_slowdown", "straggler", "launch", "turn", "step", "flash_attn", "flash_attn_deterministic"),
)
_SHARES = ("misaligned", "shared", "sharp", "overlap_slowdown", UNMEASURED)
"""Figures that are a part of a whole."""
MAX_FIGURE = 10**30

COEFFICIENTS = {"level": None, "ramp_*": 0.0, "wave": 0.0, "tile_*": 1.0, "sms": 1.0, "misaligned": 1.0}
"""Names that the form of an efficiency may use (``ramp_k``, ``tile_m``), with values that leave the level as it is."""


def is_coefficient(name: str) -> bool:
    return _pattern(name) in COEFFICIENTS


def is_whole(name: str) -> bool:
    """Whether a figure counts something: it has no value between whole numbers."""
    last = name.rpartition(".")[2]
    return last in _WHOLE or last == "sms" or last.startswith("tile_")


def neutral(name: str) -> float | None:
    """What a coefficient is where the machine does not state it; a level has no such value."""
    return COEFFICIENTS[_pattern(name)]


def _pattern(name: str) -> str:
    kind, bar, rest = name.partition("_")
    return f"{kind}_*" if bar and rest else name


_COLUMNS = {
    "matmul": ("m", "k", "n"),
    "grouped_matmul": ("groups", "m", "k", "n"),
    "attention": ("batch", "seq", "heads", "kv_heads", "qk_dim", "v_dim"),
    **dict.fromkeys(_COLLECTIVES, ("ranks",)),
}
"""Dimensions by which formulas look a table up, in order; a class of kernels that a user adds has its own."""


def optional(name: str) -> bool:
    """Whether a machine that does not state a figure may still be given it: no effect is taken otherwise."""
    of_others = (
        name == "gpu.power"
        or name.startswith("framework.")
        or name.endswith((".sustained", ".overlap_slowdown", ".straggler"))
    )
    return of_others or of_messages(name)


def unit_of(name: str) -> str:
    """The base unit of a figure; empty where it has none."""
    return _UNIT_OF.get(name.rpartition(".")[2], "")


def canonical(name: str) -> str:
    """``nvlink.bandwidth``, ``ici.bandwidth`` and so on are ``link.bandwidth`` in formulas."""
    first, dot, rest = name.partition(".")
    return f"link{dot}{rest}" if first in LINKS else name


def of_messages(name: str) -> bool:
    """Is this a figure of the link or the network, or of one collective there?"""
    first, *middle, last = name.split(".") if "." in name else ("", name)
    if first not in TIERS or len(middle) > 1:
        return False
    return last in _OF_COLLECTIVE[first] and middle[0] in _COLLECTIVES if middle else last in _OF[first]


def check_name(name: str, place: Place) -> None:
    """Refuse a name that no formula can use.

    A class of kernels or of traffic that a user's operators name may have an efficiency; every other
    figure has its place.
    """
    first, *middle, last = name.split(".") if "." in name else ("", name)
    if first in TIERS:
        known = of_messages(name)
    elif first in _OF and first != "matmul":
        known = not middle and last in _OF[first]
    else:
        known = name in OF_MACHINE or (bool(first) and not middle and last in _OF_KERNELS)
        known = known or (first in _OF and not middle and last in _OF[first])
        phase = not middle or (len(middle) == 1 and middle[0] in PHASES)
        known = known or (bool(first) and is_coefficient(last) and phase)
    if not known:
        names = [f"{group}.{figure}" for group, figures in _OF.items() for figure in figures]
        hint = nearest(name, [*names, "gpus_per_node"]) or _within(first)
        raise error("E423", f"unknown figure '{name}'", place, hint)


def _within(first: str) -> str:
    if first in _OF:
        return f"'{first}' has {', '.join(_OF[first])}"
    return f"figures are written in groups: {', '.join(_OF)}; a class of kernels has an efficiency"


def figure_value(name: str, node: tree.Expression) -> tuple[float, str]:
    """A figure in its base unit, and that unit.

    Raises:
        InputError: another unit, or a value that no machine has.
    """
    last = name.rsplit(".", 1)[-1]
    wanted = unit_of(name)
    value = number(evaluate(node, Plain({})), node.place, Plain({}))
    unit = _unit(node)
    example = f"for example {_EXAMPLE_OF[wanted]}"
    if unit != wanted and not (value == 0 and not unit):
        written = {None: "units that do not fit together", "": "no unit"}.get(unit, f"'{unit}'")
        raise error("E424", f"'{name}' is measured in {wanted or 'no unit'}, not {written}", node.place, example)
    may_be_zero = _may_be_zero(last)
    if value < 0 or (value == 0 and not may_be_zero):
        message = f"'{name}' must be positive" + (" or zero" if may_be_zero else "")
        raise error("E425", message, node.place, example)
    if last == "wave" and value > 1:
        raise error("E425", f"'{name}' is at most 1: all of the last wave", node.place, "for example 0.5")
    if is_whole(name) and not isinstance(value, int):
        raise error("E425", f"'{name}' must be a whole number", node.place, "for example 8")
    if value > MAX_FIGURE:
        raise out_of_bounds("figure", node.place)
    if last.endswith("efficiency") or last == "level":
        _check_efficiency(value, node.place)
    if last in _SHARES:
        _check_share(name, value, node.place)
    return float(value), wanted


def _may_be_zero(last: str) -> bool:
    return last in _MAY_BE_ZERO or (is_coefficient(last) and neutral(last) == 0)


def is_possible(name: str, value: float) -> bool:
    """Whether a machine may state so much, in the figure's base unit: the bounds of :func:`figure_value`."""
    last = name.rpartition(".")[2]
    if not 0 <= value <= MAX_FIGURE or (value == 0 and not _may_be_zero(last)):
        return False
    if last.endswith("efficiency") or last == "level":
        return value <= MAX_EFFICIENCY
    return value <= 1 or (last not in _SHARES and last != "wave")


def _check_share(name: str, value: int | Fraction | float, place: Place) -> None:
    if value > 1:
        raise error("E425", f"'{name}' is a share of a whole, and {float(value):g} is more", place, "at most 1")


def _check_efficiency(value: int | Fraction | float, place: Place) -> None:
    if value > MAX_EFFICIENCY:
        hint = f"an efficiency is a fraction of the peak, such as 0.75, and at most {MAX_EFFICIENCY}"
        raise error("E426", f"an efficiency of {float(value):g} is not possible", place, hint)


def check_table(name: str, table: Table, place: Place) -> None:
    """Refuse a table that formulas could not look anything up in."""
    *groups, last = name.split(".")
    wanted = _COLUMNS.get(groups[-1]) if groups else None
    if wanted is not None and table.dimensions != wanted:
        message = f"the table of '{name}' has the dimensions {', '.join(table.dimensions)}"
        raise error("E429", message, place, f"its columns are [phase,] {', '.join(wanted)} and the value")
    if last.endswith("efficiency"):
        _check_efficiency(max(table.entries.values()), place)
    if last in _SHARES:
        _check_share(name, max(table.entries.values()), place)


def check_measurable(name: str, place: Place) -> None:
    if name.rsplit(".", 1)[-1] not in _MEASURED:
        hint = f"a table gives {', '.join(_MEASURED[:-1])} or {_MEASURED[-1]}"
        raise error("E427", f"'{name}' cannot be a table", place, hint)


def _unit(node: tree.Expression) -> str | None:
    """The base unit of an expression; ``None`` where units do not fit together."""
    match node:
        case tree.Number(unit=unit):
            return unit or ""
        case tree.Unary(operand=operand):
            return _unit(operand)
        case tree.Binary(operator=operator, left=left, right=right):
            above, other = _unit(left), _unit(right)
            if operator in ("+", "-") or above is None or other is None:
                return above if above == other else None
            if operator == "*" and not (above and other):
                return above or other
            if operator == "/" and (not other or above == other):
                return "" if other else above
            return "" if not above and not other else None
    return ""
