"""Shipped machines: they load, every figure has a source, and formulas find what they need."""

from __future__ import annotations

import pytest

from symsim import resources
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.load import question
from symsim.language.systems import load_system
from symsim.machine.bind import lookup_of

SYSTEMS = sorted(resources.shipped("systems"))
PROMISED = {
    "a100_pcie", "a100_sxm", "a100_sxm_40g", "h100_sxm", "h200_sxm", "b200", "b300", "gb200_nvl72", "gb300_nvl72",
}  # fmt: skip


def test_the_promised_machines_are_shipped() -> None:
    assert set(SYSTEMS) >= PROMISED


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_figure_states_its_source(name: str) -> None:
    system = load_system(name)
    assert [n for n, f in system.figures.items() if len(f.source) < 8 or f.source == "not stated"] == []
    assert all(table.source for table in system.tables.values())


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("model", ["llama3_8b", "mixtral_8x7b", "mamba2_2_7b"])
def test_a_step_takes_a_sane_time(name: str, model: str) -> None:
    """Between 5 % and 75 % of the peak inside one node."""
    asked = question(model, "world=4,tp=1,gbs=16,seq=4096", name)
    assert asked.system is not None
    machine = machine_of(asked)
    values = answer(asked.model, asked.plan, machine).values
    assert 0.05 < values["throughput.mfu"] < 0.75


def test_a_measured_shape_is_looked_up_and_another_takes_the_mean() -> None:
    system = load_system("b200")
    table = system.tables["matmul.forward.efficiency"]
    lookup = lookup_of(system)
    shape, value = next(iter(table.entries.items()))
    assert lookup("matmul.forward.efficiency", *shape) == value
    assert lookup("matmul.forward.efficiency", *(float(s) for s in shape)) == value
    assert lookup("matmul.forward.efficiency", 3, 5, 7) == table.mean


def test_a_link_may_be_called_by_its_own_name() -> None:
    fast = question("llama3_8b", "world=4,gbs=4,seq=1024", "h100_sxm", ("nvlink.bandwidth=900 GB/s",)).system
    assert fast is not None and fast.figures["link.bandwidth"].value == 9e11
