"""The compiler: its passes in order. Reading ``compile_cost`` is reading the whole of it."""

from __future__ import annotations

import sympy
from sympy import Expr

from symsim.compiler import device, memory, offload, schedule, sharding, step, times, work
from symsim.compiler.details import details as by_operator
from symsim.compiler.efficiency import Efficiencies
from symsim.compiler.expand import Definitions, expand
from symsim.compiler.in_flight import SPLIT_BACKWARD, schedule_rules
from symsim.compiler.ledger import Ledger, inputs_of
from symsim.compiler.limits import limits as by_limit
from symsim.compiler.moments import moments as by_moment
from symsim.compiler.optimizer import optimizer_states
from symsim.compiler.phases import check_regions
from symsim.compiler.placement import check_layout
from symsim.compiler.profile import profile_of
from symsim.compiler.rules import divides
from symsim.compiler.simplify import bounds_of
from symsim.compiler.stages import stages, tied_elements
from symsim.compiler.times import Pricing
from symsim.compiler.units import held_units
from symsim.compiler.work import sent_stream
from symsim.language.library import library_for
from symsim.records.cost import CostModel, Rule
from symsim.records.model import Model
from symsim.records.strategy import Structure
from symsim.symbols import symbol
from symsim.timing import timed

COMPILATIONS: list[str] = []
"""Title of every compilation of this process, for tests that count them."""


def compile_cost(
    model: Model,
    structure: Structure,
    kept: frozenset[str] = frozenset(),
    details: bool = False,
    moments: bool = False,
    assumed: dict[Expr, bool] | None = None,
) -> CostModel:
    """Compile a model under structural choices into named formulas over sizes and machine figures.

    ``kept`` names dimensions that stay symbols instead of their numbers; ``details`` adds what each
    operator contributes, ``moments`` also what is alive at each moment that may be the peak, and what of a step
    each operator takes. ``assumed`` takes what the numbers behind kept dimensions decided, as conditions, each with
    whether it held: the formulas are those of all numbers that decide the same.

    Raises:
        InputError: the model's text does not fit together, or a choice has no formula.
    """
    COMPILATIONS.append(model.name)
    ledger = Ledger()
    with timed("expand"):
        library = library_for(model)
        graph, named, rules = expand(model, library, structure, kept, assumed)
    check_regions(graph, structure)
    check_layout(graph.layers, int(model.dimensions.get("mtp_layers", 0)), structure)
    with timed("stages"):
        _sizes(named, ledger)
        profile = profile_of(library, structure)
        held = stages(graph, structure, profile, ledger)
        units = held_units(held, structure)
    with timed("memory"):
        stream = graph.epilogue.input.bytes if graph.epilogue.input is not None else sympy.Integer(0)
        vocab = _dimension(model, "vocab", kept)
        optimizer = optimizer_states(library, structure)
        memory.parameters(held, ledger)
        work.model_totals(graph, vocab, ledger)
        sharding.states(held, structure, profile, optimizer, ledger)
        memory.activations(units, held, stream, bounds_of(rules), structure, profile, ledger)
        offload.host(structure, ledger)
        device.device(profile, ledger)
    with timed("work"):
        work.hardware_flops(units, ledger)
        sent = sent_stream(stream, structure, profile)
        work.messages(units, sent, structure, ledger)
        shares = times.operator_times(units, Pricing(structure, profile, Efficiencies(library), ledger))
        if structure["schedule"] in SPLIT_BACKWARD:
            times.weight_grad_time(units, ledger)
        offload.bandwidth(ledger)
    with timed("schedule"):
        schedule.schedule(structure, sent, stream, ledger)
        step.tail(structure, profile, optimizer.traffic(structure), tied_elements(held), ledger)
        schedule.iteration(ledger)
        schedule.throughput(str(structure["precision"]), ledger)
    if details or moments:
        by_operator(units, structure, ledger)
    if moments:
        sent, met = memory.sent_gradient(held, stream), memory.handed(held, stream, structure)
        by_moment(units, sent, met, held.may_be_empty, ledger)
        by_limit(shares, structure, profile, ledger)
    all_rules = (*_mesh_rules(structure), *schedule_rules(structure, held.alike != 1), *held.rules, *rules)
    inputs = inputs_of(ledger.definitions, tuple(r.amount for r in all_rules))
    figures = profile.figures
    return CostModel(model.name, ledger.definitions, all_rules, inputs, figures, named.following)


def regions(model: Model, structure: Structure) -> frozenset[str]:
    """Names of the regions that a strategy may recompute."""
    graph, _, _ = expand(model, library_for(model), structure, frozenset())
    return graph.regions


def _sizes(named: Definitions, ledger: Ledger) -> None:
    """Sizes that follow from the strategy's: dp, edp, m, and what the library defines."""
    world, tp, cp, pp = (symbol(n) for n in ("world", "tp", "cp", "pp"))
    ledger.define("dp", world / (tp * cp * pp), "data-parallel size", "", "sizes")
    ledger.define("edp", world / (symbol("ep") * symbol("etp") * pp), "data-parallel size of the experts", "", "sizes")
    ledger.define("m", symbol("gbs") / (symbol("mbs") * symbol("dp")), "micro-batches per step", "", "sizes")
    for name, (expression, meaning) in named.entries.items():
        ledger.define(name, expression, meaning, "", "sizes")


def _mesh_rules(structure: Structure) -> tuple[Rule, ...]:
    """What every plan must meet, whatever the model."""
    world, tp, cp, pp, ep, etp = (symbol(n) for n in ("world", "tp", "cp", "pp", "ep", "etp"))
    mbs, gbs, seq = symbol("mbs"), symbol("gbs"), symbol("seq")
    rules = [
        divides(tp * cp * pp, world, "world is a multiple of tp·cp·pp"),
        divides(ep * etp * pp, world, "world is a multiple of ep·etp·pp"),
        divides(mbs * world / (tp * cp * pp), gbs, "gbs is a multiple of mbs·dp"),
    ]
    if structure["sequence_parallel"]:
        rules.append(divides(cp * tp, seq, "context and sequence parallelism spread the tokens of a sequence"))
    else:
        rules.append(divides(cp, seq, "context parallelism spreads the tokens of a sequence"))
    if "zero_shard" in structure.symbols:
        message = "zero_shard divides the ranks of the data-parallel group, dp·cp"
        rules.append(divides(symbol("zero_shard"), world / (tp * pp), message))
    return tuple(rules)


def _dimension(model: Model, name: str, kept: frozenset[str]) -> Expr:
    value = model.dimensions[name]
    return symbol(name) if name in kept else sympy.Integer(int(value))
