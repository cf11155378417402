"""Every malformed input that is tested, in one list."""

from __future__ import annotations

from dataclasses import replace

from tests.errors import command_line, configurations, libraries, models, searches, strategies, systems, writing

GROUPS = {
    "command line": command_line,
    "writing": writing,
    "models": models,
    "libraries": libraries,
    "strategies": strategies,
    "systems": systems,
    "configurations": configurations,
    "searches": searches,
}
CASES = [replace(case, name=f"{group}: {case.name}") for group, module in GROUPS.items() for case in module.CASES]
