"""What is written for another tool and read again is the same plan."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.interop.frameworks.random_plans import TOOLS, assert_same_plan, random_plan, refusal


def plans(tool: str, number: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """So many plans that the tool can express; at least one in eight of those drawn is one."""
    random = Random(seed)
    found: list[tuple[str, tuple[str, ...]]] = []
    for _ in range(8 * number):
        drawn = random_plan(tool, random)
        if refusal(tool, *drawn) == "":
            found.append(drawn)
        if len(found) == number:
            return found
    raise AssertionError(f"{len(found)} of {8 * number} plans can be written")


@pytest.mark.parametrize("tool", TOOLS)
def test_some_random_plans_come_back(tool: str, tmp_path: Path) -> None:
    for model, settings in plans(tool, 20, 1):
        assert_same_plan(tool, model, settings, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_random_plans_come_back(tool: str, tmp_path: Path) -> None:
    for model, settings in plans(tool, 500, 2):
        assert_same_plan(tool, model, settings, tmp_path)
