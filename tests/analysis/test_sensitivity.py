"""What `sensitivity` says is the slope, the step and the switch of the same formulas that `eval` evaluates."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.explain_time import explained_time
from symsim.analysis.quantities import parsed
from symsim.analysis.sensitivities.sensitivity import Partial, Sensitivity, sensitivity
from symsim.analysis.sensitivities.sensitivity_json import document
from symsim.analysis.sensitivities.sensitivity_names import unstated
from symsim.analysis.sensitivities.switches import Switch
from symsim.diagnostics import InputError
from symsim.language.systems import load_system
from symsim.loading.question import Question, question
from tests.properties.test_sensitivity import with_figure

PLAN = "world=128,tp=8,pp=4,gbs=128,seq=8192"


@cache
def found(*names: str, of: str = "time.iteration", plan: str = PLAN, system: str | None = "h100_sxm") -> Sensitivity:
    return sensitivity(question("llama3_70b", plan, system), parsed(of), names or None)


def one(*names: str, of: str = "time.iteration", plan: str = PLAN, system: str | None = "h100_sxm") -> Partial:
    return found(*names, of=of, plan=plan, system=system).partials[0]


def evaluated(plan: str, of: str = "time.iteration", *settings: str) -> float:
    asked = question("llama3_70b", plan, "h100_sxm", settings)
    return float(answer(asked.model, asked.plan, machine_of(asked)).values[of])


def test_a_step_of_a_size_is_the_plan_with_that_size() -> None:
    below, above = one("pp").below, one("pp").above
    assert below is not None and above is not None
    assert (below.value, above.value) == (2, 8)
    assert below.of == evaluated(PLAN.replace("pp=4", "pp=2"))
    assert above.of == evaluated(PLAN.replace("pp=4", "pp=8"))
    assert above.change == above.of / evaluated(PLAN) - 1 and above.difference == above.of - evaluated(PLAN)


def test_a_step_may_have_another_structure() -> None:
    """With one chunk a rank the schedule is 1F1B."""
    below = one("vp", plan=f"{PLAN},vp=2").below
    assert below is not None
    assert (below.value, below.of) == (1, evaluated(PLAN))


def test_sizes_without_a_legal_neighbour_have_no_step() -> None:
    """64 heads and 8 key-value heads: tp is at most 8."""
    tp = one("tp")
    assert tp.above is None and tp.below is not None and tp.below.value == 4


def test_a_step_that_does_not_fit_into_memory_says_so() -> None:
    below = one("tp", plan="world=32,tp=8,pp=4,gbs=32,seq=8192,zero=0").below
    assert below is not None and below.fits is False
    assert one("tp", of="memory.peak", system=None).below.fits is None  # type: ignore[union-attr]


def test_a_step_of_a_figure_is_the_machine_with_that_figure() -> None:
    bandwidth = one("nvlink.bandwidth")
    assert bandwidth.name == "link.bandwidth" and bandwidth.above is not None
    assert bandwidth.above.of == pytest.approx(
        evaluated(PLAN, "time.iteration", "nvlink.bandwidth=495 GB/s"), rel=1e-12
    )


def test_a_fraction_stays_below_one() -> None:
    sustained = one("matmul.sustained").above
    assert sustained is not None and sustained.value == 1


def test_a_figure_that_counts_moves_by_one() -> None:
    span = one("gpus_per_node")
    assert span.below is not None and span.above is not None
    assert (span.below.value, span.above.value) == (7, 9)


def test_a_figure_moves_all_that_it_answers_for() -> None:
    """One latency for all collectives of a tier is the sum of their own, where the file states only the one."""
    asked = question("llama3_70b", PLAN, "h100_sxm")
    assert asked.system is not None
    own = {n: f for n, f in asked.system.figures.items() if n.startswith("link.") and n.endswith(".latency")}
    kept = {n: f for n, f in asked.system.figures.items() if n not in own}
    shared = replace(next(iter(own.values())), value=2e-6)
    single = replace(asked, system=replace(asked.system, figures={**kept, "link.latency": shared}))
    several = replace(asked, system=replace(asked.system, figures={**kept, **dict.fromkeys(own, shared)}))
    whole = sensitivity(single, names=["link.latency"]).partials[0].derivative
    parts = sum(p.derivative for p in sensitivity(several, names=sorted(own)).partials)
    assert whole == pytest.approx(parts, rel=1e-12) and whole > 0


def test_elasticities_of_a_product_add_up() -> None:
    """GPU seconds follow world one per cent more than the time does."""
    assert one("world", of="time.iteration * world").elasticity == pytest.approx(
        (one("world").elasticity or 0) + 1, rel=1e-12
    )


def test_micro_batches_take_gbs_along_where_they_are_given() -> None:
    """Twice mbs is twice gbs then, and dp has no part in how long a step takes but for its messages."""
    plan = "world=128,tp=8,pp=4,microbatches=32,seq=8192"
    sizes = {p.name: p for p in found("sizes", plan=plan).partials}
    assert "gbs" not in sizes and "microbatches" in sizes
    tokens = "throughput.tokens_per_s * time.iteration"
    for name in ("mbs", "microbatches", "world", "seq"):
        assert one(name, of=tokens, plan=plan).elasticity == pytest.approx(1, rel=1e-12)
    assert one("tp", of=tokens, plan=plan).elasticity == pytest.approx(-1, rel=1e-12)
    assert one("microbatches", plan=plan).elasticity == pytest.approx(one("gbs").elasticity or 0, rel=1e-12)
    above = sizes["mbs"].above
    assert above is not None and above.of == evaluated(plan.replace("seq", "mbs=2,seq"))
    with pytest.raises(InputError, match="'gbs' follows from microbatches"):
        found("gbs", plan=plan)


def test_a_dimension_moves_alone() -> None:
    """Parameters of one more layer, and the plan's own formula at the next legal number of them."""
    layers = one("layers", of="parameters", system=None)
    each = 855_638_016 + 16_384
    assert layers.kind == "dimension" and layers.derivative == each
    assert layers.above is not None and layers.below is not None
    assert (layers.below.value, layers.above.value) == (76, 84)
    assert layers.above.difference == 4 * each


def test_a_size_of_one_has_the_slope_above_it() -> None:
    cp = one("cp", plan=PLAN)
    assert cp.left == cp.right == cp.derivative and cp.below is None


def test_names_of_a_group_that_do_not_matter_are_left_out() -> None:
    names = {p.name for p in found().partials}
    assert "matmul.fp8" not in names and "ep" not in names and "network.all_reduce.fixed" not in names
    assert {"matmul.bf16", "tp", "framework.traffic"} <= names
    assert one("matmul.fp8").derivative == 0


def test_the_largest_elasticity_comes_first() -> None:
    steep = [abs(p.elasticity or 0) for p in found().partials]
    assert steep == sorted(steep, reverse=True)


# kinks


@cache
def at_the_ridge() -> Question:
    """A machine whose mlp.up takes as long for its arithmetic as for its memory traffic, to the last digits."""
    asked = question("llama3_70b", PLAN, "h100_sxm")
    machine = machine_of(asked, moments=True)
    assert machine is not None and asked.system is not None
    time = explained_time(asked, answer(asked.model, asked.plan, machine, moments=True), machine)
    item = next(i for i in time["items"] if (i["operator"], i["kind"], i["turn"]) == ("mlp.up", "matmul", "forward"))
    peak = asked.system.figures["matmul.bf16"].value * item["next"]["times"]
    return replace(asked, system=with_figure(asked.system, "matmul.bf16", peak))


def test_on_the_ridge_of_a_roofline_both_sides_are_told() -> None:
    asked = at_the_ridge()
    assert asked.system is not None
    (peak,) = sensitivity(asked, names=["matmul.bf16"]).partials
    arithmetic = "the side of matmul.bf16, matmul.sustained, mlp.up.forward.efficiency"
    traffic = "the side of hbm.bandwidth, hbm.efficiency, hbm.latency"
    assert peak.switches == (Switch("mlp.up.forward", arithmetic, traffic),)
    assert peak.at_a_kink and abs(peak.left) > abs(peak.right)

    def time(factor: float) -> float:
        there = with_figure(asked.system, "matmul.bf16", peak.value * factor)  # type: ignore[arg-type]
        other = replace(asked, system=there)
        return float(answer(other.model, other.plan, machine_of(other)).values["time.iteration"])

    assert peak.left == pytest.approx((time(1) - time(1 - 1e-6)) / (1e-6 * peak.value), rel=1e-5)
    assert peak.right == pytest.approx((time(1 + 1e-6) - time(1)) / (1e-6 * peak.value), rel=1e-5)


def test_what_slows_the_other_side_switches_the_other_way() -> None:
    (bandwidth,) = sensitivity(at_the_ridge(), names=["hbm.bandwidth"]).partials
    (switch,) = bandwidth.switches
    assert "hbm.bandwidth" in switch.below and "matmul.bf16" in switch.above


def test_a_machine_beside_the_ridge_is_smooth() -> None:
    asked = at_the_ridge()
    assert asked.system is not None
    peak = asked.system.figures["matmul.bf16"].value
    there = replace(asked, system=with_figure(asked.system, "matmul.bf16", peak * 1.000001))
    (partial,) = sensitivity(there, names=["matmul.bf16"]).partials
    assert not partial.at_a_kink and partial.switches == ()


@pytest.mark.parametrize(
    ("of", "left", "right", "switch"),
    [
        ("min(tp, 8)", 1, 0, Switch("the answer", "tp", "8")),
        ("max(8, 2 * tp - 8)", 0, 2, Switch("the answer", "8", "the side of tp")),
        ("tp if tp <= 8 else 16 - tp", 1, -1, Switch("the answer", "tp", "the side of tp")),
        ("max_stages((tp - 8) * f)", 1, 4, Switch("the answer", "stage 3", "stage 0")),
    ],
)
def test_kinks_of_an_expression(of: str, left: float, right: float, switch: Switch) -> None:
    """At tp = 8; 4, 3, 2 and 1 micro-batches are in flight."""
    partial = one("tp", of=of)
    assert (partial.left, partial.right, partial.switches) == (left, right, (switch,))


def test_a_step_of_the_answer_is_flat() -> None:
    partial = one("tp", of="tp if tp <= 8 else 3 * tp")
    assert (partial.left, partial.right) == (1, 1)


def test_a_table_of_links_that_a_machine_does_not_state_has_the_figure_that_is_taken_for_it() -> None:
    machine = load_system("h100_sxm")
    assert unstated(machine, ["network.all_reduce.contention", "link.all_reduce.latency", "hbm.bandwidth"]) == {
        "network.all_reduce.contention": 0.0
    }
    assert unstated(None, ["network.all_reduce.contention"]) == {}


# buying


def test_what_is_bought_is_the_machine_with_a_tenth_more() -> None:
    bought = {g.figure: g for g in found().buying}
    assert bought["matmul.bf16"].there == pytest.approx(
        evaluated(PLAN, "time.iteration", "matmul.bf16=1087.9 TFLOP/s"), rel=1e-12
    )
    latency = bought["link.all_gather.fixed"]
    assert latency.factor == 0.9
    assert latency.there == pytest.approx(
        evaluated(PLAN, "time.iteration", "nvlink.all_gather.fixed=34.2 us"), rel=1e-12
    )
    assert "memory.capacity" not in bought and "matmul.sustained" not in bought


def test_of_what_gains_nothing_only_rates_are_said() -> None:
    assert {g.unit for g in found(of="memory.peak").buying} == {"B/s", "FLOP/s"}
    assert all(g.change == 0 for g in found(of="memory.peak").buying)


def test_explain_and_sensitivity_agree_on_what_is_gained() -> None:
    asked = question("llama3_70b", PLAN, "h100_sxm")
    machine = machine_of(asked, moments=True)
    assert machine is not None
    time = explained_time(asked, answer(asked.model, asked.plan, machine, moments=True), machine)
    bought = {g.figure: g.there for g in found().buying}
    assert all(math.isclose(f["iteration_s"], bought[f["figure"]], rel_tol=1e-12) for f in time["faster"])


def test_a_capacity_is_worth_something_to_what_asks_for_it() -> None:
    first, *others = found(of="memory.capacity - memory.peak").buying
    assert first.figure == "memory.capacity" and first.there > 0
    assert all(g.there == found(of="memory.capacity - memory.peak").value for g in others[:1])


# the document


def test_numbers_of_the_document_are_plain() -> None:
    asked = question("llama3_70b", PLAN, "h100_sxm")
    result = document(asked, sensitivity(asked))
    sizes = [p for p in result["partials"] if p["kind"] == "size"]
    assert sizes and all(isinstance(p["value"], int) for p in sizes)
    assert result["unit"] == "s" and result["of"] == "time.iteration"


@pytest.mark.parametrize(
    ("of", "unit"),
    [
        ("memory.peak", "bytes"),
        ("iteration", "s"),
        ("hbm.bandwidth", "B/s"),
        ("tp * 2", ""),
        ("memory.capacity - memory.peak", "bytes"),
        ("2 * max_stages(peak) - 1 GiB", "bytes"),
        ("min(time.forward, time.backward) / 2", "s"),
        ("time.iteration * world", ""),
        ("time.iteration + memory.peak", ""),
        ("memory.peak / 1 GiB", ""),
    ],
)
def test_a_unit_that_all_names_share_is_the_answers(of: str, unit: str) -> None:
    assert found("tp", of=of).unit == unit


def test_an_impossible_plan_is_refused_as_everywhere() -> None:
    with pytest.raises(InputError) as refused:
        found(plan=PLAN.replace("tp=8", "tp=3"))
    assert refused.value.diagnostics[0].code == "E330"
