"""Each operator's FLOPs, saved and temporary bytes beside SimuMax's, in twenty configurations.

They are equal but for the differences of ``operator_differences``. A difference is a formula with
its reason, so that every number of the other model is tested for equality: symsim's is SimuMax's
and the difference.
"""

from __future__ import annotations

import pytest

from tests.validation.operator_counts import CONFIGURATIONS, pairs
from tests.validation.operator_differences import EVERY, What, listed

every = pytest.mark.parametrize("name", CONFIGURATIONS)
without_recomputation = pytest.mark.parametrize("name", [n for n, c in CONFIGURATIONS.items() if not c["recompute"]])


def unexplained(name: str, what: What) -> list[str]:
    """Operators of a configuration whose numbers are not SimuMax's and the listed differences."""
    found = []
    for pair in pairs(name):
        difference = sum(d.amount(pair) for d in listed(pair) if d.what == what)
        ours, theirs = getattr(pair.symsim, what), getattr(pair.simumax, what)
        if ours != theirs + difference:
            found.append(f"{pair.where}: {ours} ≠ {theirs} {difference:+}")
    return found


@without_recomputation
def test_saved_bytes_of_every_operator(name: str) -> None:
    """Recomputing configurations are compared by stage: there SimuMax states some operators with nothing saved."""
    assert unexplained(name, "saved") == []


@every
def test_temporary_bytes_of_every_operator_going_forward(name: str) -> None:
    assert unexplained(name, "forward") == []


@every
def test_temporary_bytes_of_every_operator_going_backward(name: str) -> None:
    assert unexplained(name, "backward") == []


@every
def test_flops_of_every_operator_and_phase(name: str) -> None:
    """Flash attention runs backward in one kernel, all in the gradient of its inputs."""
    for pair in pairs(name):
        difference = sum(d.amount(pair) for d in listed(pair) if d.what == "flops")
        attention = pair.kind == "flash_attention"
        phases = (0, difference, 0) if attention else (difference,) * 3
        expected = tuple(f + d for f, d in zip(pair.simumax.flops, phases, strict=True))
        assert pair.symsim.flops == expected, pair.where


def test_every_listed_difference_is_met_somewhere() -> None:
    met = {d for name in CONFIGURATIONS for pair in pairs(name) for d in listed(pair) if d.amount(pair) != 0}
    assert [d for d in EVERY if d not in met] == []
