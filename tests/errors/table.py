"""Every malformed input that is tested, in one list."""

from __future__ import annotations

from dataclasses import replace

from tests.errors import (
    command_line,
    configurations,
    foreign_files,
    libraries,
    models,
    searches,
    strategies,
    systems,
    writing,
)

GROUPS = {
    "command line": command_line,
    "writing": writing,
    "models": models,
    "libraries": libraries,
    "strategies": strategies,
    "systems": systems,
    "configurations": configurations,
    "foreign files": foreign_files,
    "searches": searches,
}
CASES = [replace(case, name=f"{group}: {case.name}") for group, module in GROUPS.items() for case in module.CASES]
