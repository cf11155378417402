"""What the program that ran a measured case decides for itself, where the published row leaves it out.

``accuracy/stacks.csv`` has a row for each choice, with its source. A program is told by the framework that the case's
``stack`` names.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from typing import Any

from symsim import resources


def choices_of_stack(case: Mapping[str, Any]) -> dict[str, str]:
    """Choices by their names, as a strategy has them, that the case's strategy does not make itself."""
    stack = case.get("stack")
    framework = stack.get("framework") if isinstance(stack, Mapping) else None
    strategy = case["strategy"]
    return {
        row["choice"]: row["value"]
        for row in _table()
        if row["framework"] == framework and strategy.get(row["choice"]) is None
    }


@cache
def _table() -> tuple[dict[str, str], ...]:
    path = resources.root() / "accuracy" / "stacks.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    return tuple(csv.DictReader(line for line in lines if not line.startswith("#")))
