"""A pytest plugin: hypothesis takes the same examples each time, and does not look for the smallest that fails."""

from __future__ import annotations

from hypothesis import Phase, settings


def pytest_configure() -> None:
    settings.register_profile(
        "mutating", settings.default, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
    )
    settings.load_profile("mutating")
