"""What would make a plan faster, as a person reads it: the best change, the time that is not hidden, all changes."""

from __future__ import annotations

from typing import Any

from symsim.analysis.memory_fit import CAPACITY, MEASURES
from symsim.report.repair import change_text, marks, print_near_limit
from symsim.report.tables import print_table
from symsim.report.terminal_text import say
from symsim.report.time_explanation import WHOLE
from symsim.units import bytes_text, seconds_text

SHOWN_SINGLE, SHOWN_PAIRS, SHOWN_UNFIT = 12, 5, 5
"""Changes that are listed."""

FIT = frozenset(f"{measure} <= {CAPACITY}" for measure in MEASURES.values() if measure is not None)
"""Requirements that a plan fits the machine, by their texts."""

Item = dict[str, Any]


def print_speedups(speedups: Item) -> None:
    """The best change in a line; what is not hidden; with --faster the changes, the pairs, and what does not fit."""
    _best(speedups)
    if speedups["unhidden"]:
        print()
        _unhidden(speedups["unhidden"])
    if not speedups["thorough"]:
        return
    if speedups["single"]:
        print()
        _changes("one change", speedups["single"], SHOWN_SINGLE)
    if speedups["pairs"]:
        print()
        _changes("two changes", speedups["pairs"], SHOWN_PAIRS)
    if speedups["unfit"]:
        print()
        _changes("faster, but not possible", speedups["unfit"], SHOWN_UNFIT)


def _best(speedups: Item) -> None:
    every = [*speedups["single"], *speedups["pairs"]]
    alike = [r for r in every if not r["changes_numbers"]]
    if alike:
        best = min(alike, key=lambda r: r["slower"])
        say("faster", f"{change_text(best['change'])}: {_costs(best)}")
    else:
        say("faster", f"none of the {speedups['tried']} changes tried makes the step shorter")
    others = [r for r in every if r["changes_numbers"]]
    if others:
        best = min(others, key=lambda r: r["slower"])
        say("", f"with other numbers in training, {change_text(best['change'])}: {_costs(best)}")
    if not speedups["thorough"]:
        say("", f"of {speedups['tried']} changes of sizes and overlap; --faster tries all choices, and pairs")


def _costs(repair: Item) -> str:
    step = f"step {seconds_text(repair['iteration_s'])} ({_percent(repair['slower'])})"
    return f"{step}, peak {bytes_text(repair['peak_bytes'])}"


def _unhidden(items: list[Item]) -> None:
    rows = [
        [
            f"{WHOLE.get(item['item'], item['item'])}{_overlap(item)}",
            seconds_text(item["seconds"]),
            f"{item['share']:.1%}",
            "" if item["answer"] is None else change_text(item["answer"]["change"]),
            "" if item["answer"] is None else _percent(item["answer"]["slower"]),
        ]
        for item in items
    ]
    print_table(["not hidden", "seconds", "share", "shorter with", "step time"], rows)


def _overlap(item: Item) -> str:
    """Whether the answer is to hide what the plan does not."""
    change = {} if item["answer"] is None else item["answer"]["change"]
    return ", not overlapped" if any(n.startswith("overlap_") for n in change) else ""


def _changes(heading: str, found: list[Item], most: int) -> None:
    shown = found[:most] if len(found) > most + 1 else found
    held = all(r["device_bytes"] is not None for r in shown)
    rows = [
        [
            change_text(r["change"]),
            seconds_text(r["iteration_s"]),
            _percent(r["slower"]),
            bytes_text(r["peak_bytes"]),
            *([bytes_text(r["device_bytes"])] if held else []),
            "; ".join([*map(_broken, r["lacking"]), *marks(r)]),
        ]
        for r in shown
    ]
    marked = any(row[-1] for row in rows)
    headings = [heading, "step", "step time", "peak", *["device"] * held, *[""] * marked]
    print_table(headings, rows if marked else [row[:-1] for row in rows])
    print_near_limit(shown)
    if len(shown) < len(found):
        print(f"and {len(found) - len(shown)} more, slower")


def _broken(text: str) -> str:
    """What a change breaks: the memory of the machine, or a requirement."""
    return "does not fit" if text in FIT else f"{text} is broken"


def _percent(slower: float) -> str:
    return f"{round(slower, 3) + 0.0:+.1%}"
