"""Shipped machines: they load, every figure has a source, and formulas find what they need."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from symsim import resources
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.fitting.error_bar import error_bar, shipped
from symsim.diagnostics import InputError
from symsim.language.figures import UNMEASURED
from symsim.language.systems import load_system
from symsim.loading.question import question
from symsim.machine.bind import bind, lookup_of
from symsim.records.strategy import CHOICES

SYSTEMS = sorted(resources.shipped("systems"))
PROMISED = {
    "a100_pcie", "a100_sxm", "a100_sxm_40g", "h100_sxm", "h200_sxm", "b200", "b300", "gb200_nvl72", "gb300_nvl72",
    "vr200_nvl72", "mi300x", "mi325x", "mi355x", "h20_sxm", "h800_sxm", "a800_sxm", "gh200", "l40s", "rtx_pro_6000",
    "trainium2", "tpu_v5p", "tpu_v6e", "tpu_v7",
}  # fmt: skip


def test_the_promised_machines_are_shipped() -> None:
    assert set(SYSTEMS) >= PROMISED


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_figure_states_its_source(name: str) -> None:
    system = load_system(name)
    assert [n for n, f in system.figures.items() if len(f.source) < 8 or f.source == "not stated"] == []
    assert all(table.source for table in system.tables.values())
    assert [n for n, source in system.lacking.items() if len(source) < 8 or source == "not stated"] == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_island_is_whole_nodes(name: str) -> None:
    figures = load_system(name).figures
    assert figures["link.span"].value % figures["gpus_per_node"].value == 0


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_precision_has_a_peak_or_an_error_that_says_why_not(name: str) -> None:
    system = load_system(name)
    for precision in CHOICES["precision"].words:
        peak = f"matmul.{precision}"
        if peak in system.figures:
            assert bind(system, (peak,)).values[peak] > 0
            continue
        with pytest.raises(InputError) as caught:
            bind(system, (peak,))
        (said,) = caught.value.diagnostics
        lacking = peak in system.lacking
        assert said.code == "E430"
        assert (f"{system.title} has no {precision}" if lacking else f"does not say '{peak}'") in said.message
        assert system.lacking.get(peak, "choose another precision") in (said.hint or "")
        assert ("choose bf16" in (said.hint or "")) == lacking


TABLE = shipped()
MEASURED = {run.traits.words[0] for run in TABLE.runs} if TABLE is not None else set()
"""Machines on which a step was timed."""


@pytest.mark.parametrize("name", sorted(set(SYSTEMS) - MEASURED))
def test_the_answer_of_a_machine_without_a_timed_step_says_so(name: str) -> None:
    bar = error_bar(question("llama3_8b", "world=8,gbs=8,seq=4096", name))
    assert bar is not None and bar.incomparable == f"no measured run on {name}"


@pytest.mark.parametrize("name", [n for n in SYSTEMS if UNMEASURED in load_system(n).figures])
def test_borrowed_kernels_widen_the_bar_by_what_the_file_says(name: str) -> None:
    asked = question("llama3_8b", "world=8,gbs=8,seq=4096", name)
    assert asked.system is not None
    figures = {n: f for n, f in asked.system.figures.items() if n != UNMEASURED}
    bar, without = error_bar(asked), error_bar(replace(asked, system=replace(asked.system, figures=figures)))
    assert bar is not None and without is not None
    assert bar.pct == pytest.approx(math.hypot(without.pct, 100 * asked.system.figures[UNMEASURED].value))
    assert any("borrowed" in text for text in bar.widened_by)


@pytest.mark.parametrize("name", sorted(set(SYSTEMS) - MEASURED - {"h200_sxm"}))
def test_the_text_of_an_unmeasured_machine_says_what_was_never_measured(name: str) -> None:
    remarks = [
        line for line in resources.shipped("systems")[name].read_text(encoding="utf-8").split("\n") if line[:1] == "#"
    ]
    assert any("measured" in line for line in remarks)


WIRED = {"gh200": 3, "mi300x": 7, "mi325x": 7, "mi355x": 7}
"""GPUs wired all to all, without a switch: the peers of one."""


@pytest.mark.parametrize("name", WIRED)
def test_a_group_without_a_switch_uses_the_wires_between_its_members(name: str) -> None:
    system, peers = load_system(name), WIRED[name]
    table = system.tables["link.all_gather.efficiency"].entries
    for ranks in range(2, peers + 2):
        assert table[(ranks,)] == pytest.approx(table[(peers + 1,)] * (ranks - 1) / peers, rel=1e-3)
    assert min(share for (ranks,), share in table.items() if ranks > peers) == table[(peers + 1,)]


AXES = {"tpu_v5p": 3, "tpu_v6e": 2, "tpu_v7": 3, "trainium2": 2}
"""Axes of the torus of chips."""


@pytest.mark.parametrize("name", AXES)
def test_a_group_in_a_torus_uses_the_links_of_the_axes_it_lies_on(name: str) -> None:
    """One axis for two chips, all of them for the whole island, and never fewer for more chips."""
    system = load_system(name)
    table = system.tables["link.all_gather.efficiency"].entries
    shares = [share for _, share in sorted(table.items())]
    island = (int(system.figures["link.span"].value),)
    assert table[(2,)] == pytest.approx(table[island] / AXES[name], rel=1e-3)
    assert shares == sorted(shares) and max(shares) == table[island] <= 1


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("model", ["llama3_8b", "mixtral_8x7b", "mamba2_2_7b"])
def test_a_step_takes_a_sane_time(name: str, model: str) -> None:
    """Between 5 % and 75 % of the peak inside one node."""
    asked = question(model, "world=4,tp=1,gbs=16,seq=4096", name)
    assert asked.system is not None
    machine = machine_of(asked)
    values = answer(asked.model, asked.plan, machine).values
    assert 0.05 < values["throughput.mfu"] < 0.75


def test_a_measured_shape_is_looked_up_and_another_is_left_to_the_form() -> None:
    system = load_system("b200")
    table = system.tables["matmul.forward.efficiency"]
    lookup = lookup_of(system)
    shape, value = next(iter(table.entries.items()))
    assert lookup("matmul.forward.efficiency", *shape) == value
    assert lookup("matmul.forward.efficiency", *(float(s) for s in shape)) == value
    assert lookup("matmul.forward.efficiency", 3, 5, 7) == 0


def test_a_link_may_be_called_by_its_own_name() -> None:
    fast = question("llama3_8b", "world=4,gbs=4,seq=1024", "h100_sxm", ("nvlink.bandwidth=900 GB/s",)).system
    assert fast is not None and fast.figures["link.bandwidth"].value == 9e11


@pytest.mark.parametrize(
    ("given", "meant"), [("vera_rubin", "vr200_nvl72"), ("Ironwood", "tpu_v7"), ("trillium", "tpu_v6e")]
)
def test_a_machine_may_be_said_by_a_word_of_its_title(given: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"no system is called '{given}'") as caught:
        load_system(given)
    assert caught.value.diagnostics[0].hint == f"did you mean '{meant}'?"


@pytest.mark.parametrize("given", ["nvidia", "x", "none of these"])
def test_a_word_of_many_titles_or_of_none_is_no_machine(given: str) -> None:
    with pytest.raises(InputError) as caught:
        load_system(given)
    assert "did you mean" not in (caught.value.diagnostics[0].hint or "")


def test_a_peak_that_a_machine_lacks_may_be_set() -> None:
    asked = question("llama3_8b", "world=1,gbs=1,seq=1024,precision=fp8", "a100_sxm", ("matmul.fp8=600 TFLOP/s",))
    assert machine_of(asked).values["matmul.fp8"] == 6e14


def test_how_far_a_machine_may_be_off_may_be_set() -> None:
    plan = "world=8,gbs=8,seq=4096"
    bars = [error_bar(question("llama3_8b", plan, "h100_sxm", s)) for s in ((), ("unmeasured=0.3",))]
    assert bars[0] is not None and bars[1] is not None
    assert bars[1].pct > 30 > bars[0].pct
