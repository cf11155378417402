"""The compiler: its passes in order. Reading ``compile_cost`` is reading the whole of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy
from sympy import Expr

from symsim.compiler import device, document_packing, memory, offload, optimizer_step, schedule, sharding, work
from symsim.compiler.efficiency import Efficiencies
from symsim.compiler.expand import Definitions, expand
from symsim.compiler.in_flight import SPLIT_BACKWARD, schedule_rules
from symsim.compiler.ledger import Ledger, free_names
from symsim.compiler.legality_rules import divides, make_rule
from symsim.compiler.moments import moments as by_moment
from symsim.compiler.operator_details import details as by_operator
from symsim.compiler.operator_times import Pricing, weight_grad_time
from symsim.compiler.operator_times import operator_times as times_of_operators
from symsim.compiler.operator_times import pass_times as times_of_passes
from symsim.compiler.optimizer import optimizer_states
from symsim.compiler.phases import check_regions
from symsim.compiler.placement import check_layout
from symsim.compiler.profile import Profile, profile_of
from symsim.compiler.reuse import Passes
from symsim.compiler.simplify import bounds_of
from symsim.compiler.stages import Stages, stages
from symsim.compiler.time_limits import limits as by_limit
from symsim.compiler.training_run import training_run
from symsim.compiler.units import held_units
from symsim.compiler.work import sent_stream
from symsim.functions import less, remainder
from symsim.language.library import Library, library_for
from symsim.records.cost import CostModel, Definition, Rule, Segment
from symsim.records.graph import Graph
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
    passes: Passes | None = None,
    assumed: dict[Expr, bool] | None = None,
) -> CostModel:
    """Compile a model under structural choices into named formulas over sizes and machine figures.

    ``kept`` names dimensions that stay symbols instead of their numbers; ``details`` adds what each
    operator contributes, ``moments`` also what is alive at each moment that may be the peak, and what of a step
    each operator takes. ``passes`` of the same model and ``kept`` that ran before run again only where this
    structure makes a difference to them. ``assumed`` takes what the numbers behind kept dimensions decided, as
    conditions, each with whether it held: the formulas are those of all numbers that decide the same.

    Raises:
        InputError: the model's text does not fit together, or a choice has no formula.
    """
    COMPILATIONS.append(model.name)
    run = partial((passes or Passes()).run, structure=structure, ledger=(ledger := Ledger()))
    with timed("expand"):
        library = run(library_of_model, given=(model,))
        graph, named, rules = (
            run(expanded, given=(model, library, kept))
            if assumed is None
            else expand(model, library, structure, kept, assumed)
        )
    check_regions(graph, structure)
    check_layout(graph.layers, graph.layers_of_head, structure)
    with timed("stages"):
        run(sizes, given=(named,))
        profile = run(framework, given=(library,))
        held = run(held_by_stages, given=(graph, profile))
        units = run(units_of, given=(held,))
    with timed("memory"):
        entering = graph.after.head.input
        stream = entering.bytes if entering is not None else sympy.Integer(0)
        optimizer = run(states_of_optimizer, given=(library,))
        run(parameters, given=(held, graph, _dimension(model, "vocab", kept)))
        run(model_states, given=(held, profile, optimizer))
        run(activations, given=(units, held, stream, rules, profile))
        run(device_memory, given=(profile,))
    with timed("work"):
        run(flops, given=(units,))
        run(documents, given=())
        sent = run(stream_sent, given=(stream, profile))
        run(messages, given=(units, sent, held))
        forms = run(efficiencies, given=(library,))
        shares, kinds = run(operator_times, given=(units, profile, forms))
        run(pass_times, given=(units, kinds, profile, forms))
        run(host_link, given=())
    with timed("schedule"):
        run(pipeline_time, given=(sent, stream, held, graph.layers_of_head))
        run(step_tail, given=(profile, optimizer, held))
        run(rates, given=())
    if details or moments:
        run(each_operator, given=(units,))
    if moments:
        run(each_moment, given=(units, held, stream))
        run(each_limit, given=(shares, profile))
    segments = tuple(s for s in ledger.segments if s.definitions)
    all_rules = (*run(mesh_rules, given=(held,)), *held.rules, *rules)
    return CostModel(
        model.name,
        ledger.definitions,
        all_rules,
        inputs_of(ledger.definitions, all_rules, segments),
        profile.figures,
        segments,
        named.following,
    )


def regions(model: Model, structure: Structure) -> frozenset[str]:
    """Names of the regions that a strategy may recompute."""
    graph, _, _ = expand(model, library_for(model), structure, frozenset())
    return graph.regions


# The passes: each takes a structure, the ledger and what earlier ones made.


def library_of_model(structure: Structure, ledger: Ledger, model: Model) -> Library:
    return library_for(model)


def expanded(structure: Structure, ledger: Ledger, model: Model, library: Library, kept: frozenset[str]) -> Any:
    return expand(model, library, structure, kept)


def sizes(structure: Structure, ledger: Ledger, named: Definitions) -> None:
    """Sizes that follow from the strategy's: dp, edp, m, and what the library defines."""
    world, tp, cp, pp = (symbol(n) for n in ("world", "tp", "cp", "pp"))
    ledger.define("dp", world / (tp * cp * pp), "data-parallel size", "", "sizes")
    ledger.define("edp", world / (symbol("ep") * symbol("etp") * pp), "data-parallel size of the experts", "", "sizes")
    ledger.define("m", symbol("gbs") / (symbol("mbs") * symbol("dp")), "micro-batches per step", "", "sizes")
    for name, (expression, meaning) in named.entries.items():
        ledger.define(name, expression, meaning, "", "sizes")


def framework(structure: Structure, ledger: Ledger, library: Library) -> Profile:
    return profile_of(library, structure)


def held_by_stages(structure: Structure, ledger: Ledger, graph: Graph, profile: Profile) -> Stages:
    return stages(graph, structure, profile, ledger)


def units_of(structure: Structure, ledger: Ledger, held: Stages) -> Any:
    return held_units(held, structure)


def states_of_optimizer(structure: Structure, ledger: Ledger, library: Library) -> Any:
    return optimizer_states(library, structure)


def parameters(structure: Structure, ledger: Ledger, held: Stages, graph: Graph, vocab: Expr) -> None:
    memory.parameters(held, ledger)
    work.model_totals(graph, vocab, ledger)


def model_states(structure: Structure, ledger: Ledger, held: Stages, profile: Profile, optimizer: Any) -> None:
    sharding.states(held, structure, profile, optimizer, ledger)


def activations(
    structure: Structure,
    ledger: Ledger,
    units: Any,
    held: Stages,
    stream: Expr,
    rules: tuple[Rule, ...],
    profile: Profile,
) -> None:
    memory.activations(units, held, stream, bounds_of(rules), structure, profile, ledger)


def device_memory(structure: Structure, ledger: Ledger, profile: Profile) -> None:
    """What is in host memory, and what a device shows besides what is allocated."""
    offload.host(structure, ledger)
    device.device(profile, ledger)


def flops(structure: Structure, ledger: Ledger, units: Any) -> None:
    work.hardware_flops(units, ledger)


def documents(structure: Structure, ledger: Ledger) -> None:
    document_packing.documents_of_a_step(structure, ledger)


def stream_sent(structure: Structure, ledger: Ledger, stream: Expr, profile: Profile) -> Any:
    return sent_stream(stream, structure, profile)


def messages(structure: Structure, ledger: Ledger, units: Any, sent: Any, held: Stages) -> None:
    work.messages(units, sent, held.predictions_to, structure, ledger)


def efficiencies(structure: Structure, ledger: Ledger, library: Library) -> Efficiencies:
    return Efficiencies(library)


def operator_times(structure: Structure, ledger: Ledger, units: Any, profile: Profile, forms: Efficiencies) -> Any:
    return times_of_operators(units, Pricing(structure, profile, forms, ledger))


def pass_times(
    structure: Structure,
    ledger: Ledger,
    units: Any,
    kinds: tuple[str, ...],
    profile: Profile,
    forms: Efficiencies,
) -> None:
    times_of_passes(units, kinds, Pricing(structure, profile, forms, ledger))
    if structure["schedule"] in SPLIT_BACKWARD:
        weight_grad_time(units, ledger)


def host_link(structure: Structure, ledger: Ledger) -> None:
    offload.bandwidth(ledger)


def pipeline_time(
    structure: Structure, ledger: Ledger, sent: Any, stream: Expr, held: Stages, predictions: int
) -> None:
    schedule.schedule(structure, sent, stream, held, predictions, ledger)


def step_tail(structure: Structure, ledger: Ledger, profile: Profile, optimizer: Any, held: Stages) -> None:
    """What follows the last micro-batch, and the whole step."""
    optimizer_step.tail(held, structure, profile, optimizer.traffic(structure), ledger)
    schedule.iteration(ledger)


def rates(structure: Structure, ledger: Ledger) -> None:
    schedule.throughput(str(structure["precision"]), ledger)
    document_packing.rate_of_documents(ledger)
    training_run(ledger)


def each_operator(structure: Structure, ledger: Ledger, units: Any) -> None:
    by_operator(units, structure, ledger)


def each_moment(structure: Structure, ledger: Ledger, units: Any, held: Stages, stream: Expr) -> None:
    again, still_held = memory.sent_gradient(held, stream), memory.handed(held, stream, structure)
    by_moment(units, again, still_held, held.may_be_empty, ledger)


def each_limit(structure: Structure, ledger: Ledger, shares: Any, profile: Profile) -> None:
    by_limit(shares, structure, profile, ledger)


def inputs_of(
    definitions: tuple[Definition, ...], rules: tuple[Rule, ...], segments: tuple[Segment, ...]
) -> tuple[str, ...]:
    """The free names of a cost model: used, not defined, and not the stage index."""
    defined = {d.name for d in definitions}
    used = (*(name for segment in segments for name in segment.free), *free_names((), (r.amount for r in rules)))
    return tuple(dict.fromkeys(name for name in used if name not in defined))


def mesh_rules(structure: Structure, ledger: Ledger, held: Stages) -> tuple[Rule, ...]:
    experts = any(w.expert for part in held.parts for o in part.unit.operators for w in o.weights)
    of_documents = document_packing.rules(structure)
    return (*_mesh_rules(structure, experts), *of_documents, *schedule_rules(structure))


def _mesh_rules(structure: Structure, experts: bool) -> tuple[Rule, ...]:
    """What every plan must meet, whatever the model; ``experts``: whether it has any."""
    world, tp, cp, pp, ep, etp = (symbol(n) for n in ("world", "tp", "cp", "pp", "ep", "etp"))
    mbs, gbs, seq = symbol("mbs"), symbol("gbs"), symbol("seq")
    rules = [
        divides(tp * cp * pp, world),
        divides(ep * etp * pp, world),
        divides(mbs * world / (tp * cp * pp), gbs, "{mbs·dp} does not divide {gbs}"),
    ]
    if structure["sequence_parallel"]:
        rules.append(divides(cp * tp, seq))
    # Source: NVIDIA/Megatron-LM, megatron/training/arguments.py; Megatron-Core 0.16.1, core/utils.py
    # (get_batch_on_this_cp_rank): a causal mask leaves early parts less work, so a rank gets an early and a late one.
    halves = "{2·cp} does not divide {seq}: a context-parallel rank has an early and a late part of the sequence"
    rules.append(make_rule(less(1, cp) * remainder(seq, 2 * cp), "==", sympy.Integer(0), halves))
    if "zero_shard" in structure.symbols:
        message = "{zero_shard} does not divide {dp·cp}"
        rules.append(divides(symbol("zero_shard"), world / (tp * pp), message))
    if structure["distribute_saved_activations"]:
        message = "{tp} is less than 2: distribute_saved_activations has no ranks to share inputs"
        rules.append(make_rule(tp, ">=", sympy.Integer(2), message))
    instances = sharding.INSTANCES
    if instances in structure.symbols:
        rules.append(divides(symbol(instances), world / (tp * pp), f"{{{instances}}} does not divide {{dp·cp}}"))
        if experts:
            message = f"{{{instances}}} does not divide {{edp}}"
            rules.append(divides(symbol(instances), world / (ep * etp * pp), message))
    return tuple(rules)


def _dimension(model: Model, name: str, kept: frozenset[str]) -> Expr:
    return symbol(name) if name in kept else sympy.Integer(model.largest(name))
