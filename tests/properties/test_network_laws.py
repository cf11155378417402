"""Laws of the time of a message, on every shipped machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim import resources
from symsim.analysis.collectives import collective_time
from symsim.language.systems import load_system
from symsim.records.system import Figure, System

pytestmark = pytest.mark.slow

SYSTEMS = {name: load_system(name) for name in sorted(resources.shipped("systems"))}
RINGS = ("all_reduce", "all_gather", "reduce_scatter")
COLLECTIVES = (*RINGS, "all_to_all")
EPSILON = 1e-12

systems = st.sampled_from(sorted(SYSTEMS))
collectives = st.sampled_from(COLLECTIVES)
ranks = st.sampled_from([2, 4, 8, 16, 32, 64, 128, 512, 1024])
strides = st.sampled_from([1, 2, 4, 8, 16])
sizes = st.floats(1e3, 1e11)


def changed(system: System, change: Callable[[str, float], float]) -> System:
    """The machine with ``change(name, value)`` in place of every figure, and of every entry of its tables."""
    figures = {n: Figure(change(n, f.value), f.unit, f.source) for n, f in system.figures.items()}
    tables = {
        n: replace(t, entries={k: change(n, v) for k, v in t.entries.items()}, mean=change(n, t.mean))
        for n, t in system.tables.items()
    }
    return replace(system, figures=figures, tables=tables)


def test_the_machines_have_what_the_laws_speak_of() -> None:
    names = {name for system in SYSTEMS.values() for name in (*system.figures, *system.tables)}
    assert {"link.sharp", "network.all_gather.contention", "link.all_gather.shared", "link.all_reduce.fill"} <= names


@given(systems, collectives, strides, sizes)
def test_one_rank_sends_nothing(name: str, collective: str, stride: int, size: float) -> None:
    assert collective_time(SYSTEMS[name], collective, 1, size, stride) == 0


@settings(max_examples=200)
@given(systems, st.sampled_from([*COLLECTIVES, "send_receive"]), ranks, strides, sizes)
def test_more_bandwidth_never_makes_a_message_slower(
    name: str, collective: str, n: int, stride: int, size: float
) -> None:
    time = collective_time(SYSTEMS[name], collective, n, size, stride)
    for figure in ("link.bandwidth", "network.bandwidth"):
        faster = changed(SYSTEMS[name], lambda at, value, figure=figure: value * (2 if at == figure else 1))  # type: ignore[misc]
        assert collective_time(faster, collective, n, size, stride) <= time * (1 + EPSILON)


@settings(max_examples=200)
@given(systems, st.sampled_from([*COLLECTIVES, "send_receive"]), ranks, strides, sizes, st.floats(1, 100))
def test_time_grows_with_bytes(name: str, collective: str, n: int, stride: int, size: float, factor: float) -> None:
    system = SYSTEMS[name]
    larger = collective_time(system, collective, n, size * factor, stride)
    assert larger >= collective_time(system, collective, n, size, stride) * (1 - EPSILON)


@settings(max_examples=300)
@given(systems, ranks, strides, sizes)
def test_a_ring_takes_longer_with_more_islands(name: str, n: int, stride: int, size: float) -> None:
    """Of a fixed full buffer, over islands of 8. Within one, measured tables need not obey; trees have their own
    start-up; and racks of 72 may be fuller in a larger job."""
    system = SYSTEMS[name]
    span = system.figures["link.span"].value
    if span != 8 or n * stride <= span:
        return
    for collective in ("all_gather", "reduce_scatter"):
        few, many = (collective_time(system, collective, k, size, stride) for k in (n, 2 * n))
        assert many >= few * (1 - 1e-3)


@settings(max_examples=200)
@given(systems, st.sampled_from([*COLLECTIVES, "send_receive"]), ranks, strides, sizes, st.floats(0.1, 10))
def test_a_machine_faster_in_everything_is_faster_by_that(
    name: str, collective: str, n: int, stride: int, size: float, k: float
) -> None:
    def change(at: str, value: float) -> float:
        last = at.rpartition(".")[2]
        return value * k if last == "bandwidth" else value / k if last in ("latency", "fixed", "fill") else value

    time = collective_time(SYSTEMS[name], collective, n, size, stride)
    assert collective_time(changed(SYSTEMS[name], change), collective, n, size, stride) * k == pytest.approx(time)


@given(systems, collectives, st.sampled_from([2, 4, 8]), sizes)
def test_within_an_island_the_network_does_not_matter(name: str, collective: str, n: int, size: float) -> None:
    if n > SYSTEMS[name].figures["link.span"].value:
        return
    slow = changed(SYSTEMS[name], lambda at, value: value / 100 if at == "network.bandwidth" else value)
    here, there = (collective_time(system, collective, n, size) for system in (SYSTEMS[name], slow))
    assert here == there


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_one_island_is_one_line(collective: str) -> None:
    """``volume / rate + start-up`` as the file states it, on a machine without a switch that adds up."""
    system = SYSTEMS["a100_sxm"]

    def figure(what: str) -> float:
        return system.figures[f"link.{collective}.{what}"].value

    passes, size = 2 if collective == "all_reduce" else 1, 64e6
    rate = system.figures["link.bandwidth"].value * figure("efficiency")
    start = passes * 7 * figure("latency") + figure("fixed")
    assert collective_time(system, collective, 8, size) == pytest.approx(passes * size * 7 / 8 / rate + start)


def test_a_switch_adds_up_at_one_rate_for_any_number() -> None:
    """Many GPUs take as long as few by NVLink SHARP, but for their steps."""
    system = changed(SYSTEMS["h100_sxm"], lambda at, value: 0.0 if at.endswith(("latency", "fixed", "fill")) else value)
    assert collective_time(system, "all_reduce", 8, 1e9) == pytest.approx(collective_time(system, "all_reduce", 6, 1e9))


def test_two_islands_exchange_a_buffer_once() -> None:
    """A tree of two islands sends half of what a ring sends; four islands are no better off than by the ring."""
    slow = changed(SYSTEMS["h100_sxm"], lambda at, value: 1e9 if at == "network.bandwidth" else value)
    for islands, share in ((2, (0.5, 0.65)), (4, (0.9, 1.0))):
        tree, *ring = (collective_time(slow, c, 8 * islands, 1e9) for c in RINGS)
        assert share[0] <= tree / sum(ring) <= share[1] + EPSILON


@given(ranks, strides, sizes, st.integers(1, 16))
def test_a_token_that_crosses_once_is_never_later(n: int, stride: int, size: float, copies: int) -> None:
    """Two hops beside the same bytes sent straight to every rank."""
    like = {"link.dispatch.efficiency": "link.all_to_all", "network.dispatch.efficiency": "network.all_to_all"}
    figures = SYSTEMS["h100_sxm"].figures
    system = changed(
        SYSTEMS["h100_sxm"],
        lambda at, value: figures[f"{like[at]}.efficiency"].value if at in like else value,
    )
    once = collective_time(system, "all_to_all", n, size, stride, copies)
    assert once <= collective_time(system, "all_to_all", n, size, stride) * (1 + EPSILON)


def test_tokens_for_one_place_cross_like_any_others() -> None:
    """With a single copy nothing is saved: of two islands half of the tokens cross, whoever wants them."""
    system = SYSTEMS["h100_sxm"]
    card = system.figures["network.bandwidth"].value * system.figures["network.dispatch.efficiency"].value
    assert collective_time(system, "all_to_all", 16, 1e9, copies=1) == pytest.approx(0.5e9 / card)


def test_tokens_for_everyone_cross_once() -> None:
    """Very many copies: every rank gets every token, and each crosses to the other island once, not eight times."""
    system = SYSTEMS["h100_sxm"]
    card = system.figures["network.bandwidth"].value * system.figures["network.dispatch.efficiency"].value
    link = system.figures["link.bandwidth"].value * system.figures["link.dispatch.efficiency"].value
    expected = max(1e9 / 16 / card, 1e9 * 15 / 16 / link)
    assert collective_time(system, "all_to_all", 16, 1e9, copies=500) == pytest.approx(expected)


def test_groups_side_by_side_share_the_wires_of_a_pcie_box_only() -> None:
    pcie, switched = SYSTEMS["a100_pcie"], SYSTEMS["a100_sxm"]
    assert collective_time(pcie, "all_gather", 2, 1e9, 4) > 3 * collective_time(pcie, "all_gather", 2, 1e9, 1)
    assert collective_time(switched, "all_gather", 2, 1e9, 4) == collective_time(switched, "all_gather", 2, 1e9, 1)


def test_a_rack_of_72_takes_what_divides_evenly() -> None:
    """128 GPUs by eights lie on two racks, 64 on each: eight of sixteen ranks together, with eight cards."""
    rack = changed(
        SYSTEMS["gb200_nvl72"], lambda at, value: 0.0 if at.endswith(("latency", "fixed", "contention")) else value
    )
    cards = 8 * rack.figures["network.bandwidth"].value * rack.figures["network.all_gather.efficiency"].value
    assert collective_time(rack, "all_gather", 16, 1e9, 8) == pytest.approx(1e9 * 15 / 16 / cards)


def test_the_island_with_the_fewest_ranks_sets_the_pace() -> None:
    """20 ranks on islands of 8: seven, seven and six."""
    system = SYSTEMS["h100_sxm"]
    cards = 6 * system.figures["network.bandwidth"].value * system.figures["network.all_gather.efficiency"].value
    rate = cards / 3 ** system.figures["network.all_gather.contention"].value
    start = 19 * system.figures["network.all_gather.latency"].value
    assert collective_time(system, "all_gather", 20, 1e9) == pytest.approx(1e9 * 19 / 20 / rate + start)


def test_64_gpus_stay_within_a_rack() -> None:
    rack = SYSTEMS["gb200_nvl72"]
    slow = changed(rack, lambda at, value: value / 100 if at == "network.bandwidth" else value)
    assert collective_time(rack, "all_to_all", 64, 1e8) == collective_time(slow, "all_to_all", 64, 1e8)
