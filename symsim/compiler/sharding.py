"""Who holds which part of weights, gradients and optimizer states, and what is whole only for a moment.

Sources: Rajbhandari et al. 2020 (ZeRO); PyTorch, torch/distributed/fsdp (fully_shard) for the layer
that is gathered ahead; DeepSpeed, runtime/zero (stage_1_and_2.py, stage3.py) for gradients that are
reduced in every backward pass; Megatron-Core, optimizer/cpu_offloading for states on the host;
TransformerEngine, module/base.py (get_weight_workspace) for quantised copies that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import sympy
from sympy import Expr, Integer

from symsim.compiler.dealt_parameters import dealt, fullest
from symsim.compiler.ledger import Ledger
from symsim.compiler.network import BY_INSTANCE, BY_SHARD, sent_bytes
from symsim.compiler.optimizer import States, kind_of
from symsim.compiler.profile import Profile
from symsim.compiler.simplify import terms, tidy, total, undominated
from symsim.compiler.stages import Part, Stages
from symsim.compiler.units import Held
from symsim.elements import QUANTISED_PRECISIONS, STATE_CHOICES, element_bytes
from symsim.functions import less, maximum, minimum
from symsim.records.graph import Message, Weight
from symsim.records.strategy import FP8_COPIES, Structure
from symsim.symbols import symbol

COPIES = 2
"""Of a block-scaled weight: one by rows for the forward pass, one by columns for the input gradient, as blocks lie
along the dimension that is summed."""


def copies(structure: Structure) -> Expr:
    """How many copies of a quantised weight a rank holds.

    With one scale for a tensor that is a fact of the machine: whether its GEMMs read a weight in both layouts.
    Source: TransformerEngine, common/transformer_engine.cpp (nvte_is_non_tn_fp8_gemm_supported) and
    pytorch/csrc/quantizer.cpp (Float8Quantizer::create_tensor).
    """
    return symbol(FP8_COPIES) if structure["precision"] == "fp8" else Integer(COPIES)


INSTANCES = "num_distributed_optimizer_instances"
FRACTION = "optimizer_offload_fraction"


@dataclass(frozen=True, slots=True)
class Group:
    """The dense or the expert parameters of a rank: ``elements`` of them, of which ``trained`` have gradients and
    optimizer states; ``ranks`` hold replicas, a shard is spread over ``shard`` of these. Where these are not all,
    ``parts`` are the axes of those that share a set of shards and of those that hold the same one."""

    name: str
    elements: Expr
    trained: Expr
    expert: bool
    axis: str
    ranks: Expr
    shard: Expr
    parts: tuple[str, str] | None

    def own(self, part: Part) -> list[Weight]:
        return [w for o in part.unit.operators for w in o.weights if w.expert is self.expert]

    def own_trained(self, part: Part) -> list[Weight]:
        return [w for w in self.own(part) if w.trained]

    @property
    def trained_name(self) -> str:
        """The name of what is trained of it: of all of it, where nothing is frozen."""
        return str(self.trained) if self.trained.is_Symbol else self.name


def groups(structure: Structure, ledger: Ledger) -> list[Group]:
    """Dense parameters, sharded over dp·cp, and those of experts, over edp."""
    found = [("P", False, "dp", symbol("dp") * symbol("cp")), ("P_expert", True, "edp", symbol("edp"))]
    return [
        Group(
            name,
            symbol(name),
            trained_elements(name, ledger),
            expert,
            axis,
            ranks,
            _shard(ranks, structure),
            _parts(axis, structure),
        )
        for name, expert, axis, ranks in found
        if name in ledger
    ]


def _shard(ranks: Expr, structure: Structure) -> Expr:
    """Over how many of the ranks that hold replicas one set of shards is spread.

    Source of instances: Megatron-Core 0.16.1, parallel_state.py (intra_partial_data_parallel_size and
    intra_partial_expert_data_parallel_size).
    """
    if INSTANCES in structure.symbols:
        return ranks / symbol(INSTANCES)
    return minimum(symbol("zero_shard"), ranks) if "zero_shard" in structure.symbols else ranks


def _parts(axis: str, structure: Structure) -> tuple[str, str] | None:
    for choice, (within, across) in ((INSTANCES, BY_INSTANCE), ("zero_shard", BY_SHARD)):
        if choice in structure.symbols:
            return f"{axis}{within}", f"{axis}{across}"
    return None


def reducing_messages(group: Group, gradients: Expr, structure: Structure) -> list[Message]:
    """What reduces ``gradients`` bytes once. Shards smaller than the group leave replicas, over which the gradient of a
    shard is reduced once more."""
    if structure["zero"] == 0:
        return [Message("all_reduce", gradients, group.axis)]
    if group.parts is None:
        return [Message("reduce_scatter", gradients, group.axis)]
    within, across = group.parts
    return [Message("reduce_scatter", gradients, within), Message("all_reduce", gradients / group.shard, across)]


def gathering_message(group: Group, weights: Expr) -> Message:
    """What gathers ``weights`` bytes of shards once."""
    return Message("all_gather", weights, group.axis if group.parts is None else group.parts[0])


def trained_elements(name: str, ledger: Ledger) -> Expr:
    """Elements of ``P`` or ``P_expert`` that are trained: all, unless some are frozen; 0 where there are none."""
    return ledger.value(f"{name}_trained") if f"{name}_trained" in ledger else ledger.value(name)


def held_elements(stages: Stages, group: Group, amount: Callable[[Weight], Expr], trained: bool = False) -> Expr:
    """An amount of each weight of a group, or of those that are ``trained``, summed over the stage; a tied one counts
    where the embedding is not."""
    out: Expr = Integer(0)
    for part in stages.parts:
        own = group.own_trained(part) if trained else group.own(part)
        out += part.count * tidy(total(amount(w) for w in own if not w.tied))
        out += part.untied * tidy(total(amount(w) for w in own if w.tied))
    return out


def states(stages: Stages, structure: Structure, profile: Profile, optimizer: States, ledger: Ledger) -> None:
    """Weights, gradients and optimizer states; each parameter group has its own sharding."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    for group in groups(structure, ledger):
        _parts_that_are_sent(stages, group, structure, ledger)
    grad = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16"))
    found = groups(structure, ledger)
    parts: dict[str, Expr] = {"weights": Integer(0), "gradients": Integer(0), "optimizer": Integer(0)}
    for group in found:
        weight = _weights(stages, group, structure, profile, optimizer, ledger)
        state = _optimizer(stages, group, optimizer, ledger)
        for name, amount, stage in (
            ("weights", weight, 3),
            ("gradients", grad * group.trained, 2),
            ("optimizer", state, 1),
        ):
            parts[name] += amount / (group.shard if zero >= stage else 1)
    if keeps_ends_whole(structure):
        parts["weights"] += _whole_ends(stages, found, structure, ledger)
    if dealt(structure):
        parts["optimizer"] = _dealt_states(stages, found, optimizer, parts["optimizer"], ledger)
    away = offloaded(structure) & {"weights", "optimizer"}
    if gradients_away(profile, structure):
        away |= {"gradients"}
    for name, meaning in (("weights", "weights"), ("gradients", "gradient buffer"), ("optimizer", "optimizer states")):
        on_host = Integer(0) if name not in away else away_share(structure) if name == "optimizer" else Integer(1)
        if name in away - {"gradients"}:
            ledger.define(f"host.{name}", on_host * parts[name], f"{meaning} in host memory", "bytes", "memory")
        ledger.define(name, (1 - on_host) * parts[name], meaning, "bytes", "memory")
    whole = symbol("weights") + symbol("gradients") + symbol("optimizer")
    ledger.define("states", whole, "weights, gradients and optimizer states", "bytes", "memory")
    copies = _main_gradients(found, structure, profile, ledger)
    if copies != 0:
        meaning = "fp32 copies of gradients, from the step to the next one"
        ledger.define("main_gradients", copies, meaning, "bytes", "memory")


def _main_gradients(found: list[Group], structure: Structure, profile: Profile, ledger: Ledger) -> Expr:
    """The optimizer's own gradients in fp32, where their buffer is narrower: made for a step, freed before the next.

    Adam with states of other types reads the narrow ones. Source: Megatron-Core 0.16.1, optimizer/optimizer.py,
    _copy_model_grads_to_main_grads and zero_grad; optimizer/distrib_optimizer.py, use_precision_aware_optimizer.
    """
    aware = any(structure[n] != "fp32" for n in STATE_CHOICES)
    if (
        structure["grad_dtype"] == "fp32"
        or not profile["main_gradients"]
        or aware
        or "optimizer" in offloaded(structure)
    ):
        return Integer(0)
    return 4 * sympy.Add(*(step_share(group, structure, ledger) for group in found))


def keeps_ends_whole(structure: Structure) -> bool:
    """Whether weights outside of layers are not given up again once they are gathered.

    Source: Megatron-Core 0.16.1, distributed/fsdp/mcore_fsdp_adapter.py (fsdp_unit_modules) and
    megatron_fsdp/megatron_fsdp.py (_post_forward, _post_backward_release_module).
    """
    return bool(structure["use_megatron_fsdp"]) and structure["zero"] == 3


def _whole_ends(stages: Stages, found: list[Group], structure: Structure, ledger: Ledger) -> Expr:
    amount: Expr = Integer(0)
    for group in found:
        for part in (p for p in stages.parts if not p.is_layer):
            plain, tied = (tidy(total(w.elements for w in group.own(part) if w.tied is t)) for t in (False, True))
            amount += less(1, group.shard) * (part.count * plain + part.untied * tied)
    meaning = "weights outside of layers, which stay gathered"
    return ledger.define("whole_ends", _weight_bytes(structure) * amount, meaning, "bytes", "memory")


def _dealt_states(stages: Stages, found: list[Group], optimizer: States, whole: Expr, ledger: Ledger) -> Expr:
    """What the fullest rank has of all states, ``whole``; ``deal.share`` is its part of them."""
    most = fullest(stages, found, optimizer, ledger)
    meaning = "part of the optimizer states of the stage that its fullest rank has"
    ledger.define("deal.share", most / maximum(whole, 1), meaning, "", "memory")
    return most


def step_share(group: Group, structure: Structure, ledger: Ledger) -> Expr:
    """Elements of a group of which one rank makes the optimizer step: the fullest rank, where parameters are dealt."""
    if dealt(structure):
        return ledger.value("deal.share") * group.trained
    return group.trained / (group.shard if structure["zero"] != 0 else 1)


def gathers_after_step(structure: Structure) -> bool:
    """Whether a rank steps a part of its parameters alone, and gets the others from those that step them."""
    return structure["zero"] != 0 or dealt(structure)


def _parts_that_are_sent(stages: Stages, group: Group, structure: Structure, ledger: Ledger) -> None:
    """Where some weights are frozen: of the elements those that are gathered again for the backward pass, and how many
    travel quantised."""
    quantised = bool(structure["fp8_params"]) and structure["precision"] == "fp8"
    if structure["zero"] == 3 and not all(p.unit.has_backward for p in stages.parts if group.own(p)):
        with_backward = replace(stages, parts=tuple(p for p in stages.parts if p.unit.has_backward))
        for name, amount, meaning in (
            (f"{group.name}_backward", lambda w: w.elements, "of them in units with a backward pass"),
            (f"{group.name}_backward_quantised", _quantised_elements, "of them operands of quantised GEMMs"),
        ):
            if quantised or not name.endswith("quantised"):
                ledger.define(name, held_elements(with_backward, group, amount), meaning, "elements", "params")
    if quantised and structure["zero"] != 3 and group.trained != group.elements:
        elements = held_elements(stages, group, _quantised_elements, trained=True)
        name = f"{group.name}_trained_quantised"
        ledger.define(name, elements, "trained operands of quantised GEMMs", "elements", "params")


def _quantised_elements(weight: Weight) -> Expr:
    return weight.elements if weight.quantised else Integer(0)


def stepped(structure: Structure, ledger: Ledger) -> tuple[Expr, Expr]:
    """Bytes of the gradients and of the weights of which a rank makes the optimizer step."""
    grad = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16"))
    elements = sympy.Add(*(step_share(g, structure, ledger) for g in groups(structure, ledger)))
    return grad * elements, _weight_bytes(structure) * elements


def offloaded(structure: Structure) -> frozenset[str]:
    """Names that the strategy keeps in host memory: regions, ``optimizer``, ``weights``."""
    chosen = structure["offload"]
    return chosen if isinstance(chosen, frozenset) else frozenset()


def away_share(structure: Structure) -> Expr:
    """The part of offloaded optimizer states that is in host memory, but for the parameter in which it ends.

    Source: Megatron-Core 0.16.1, optimizer/cpu_offloading/hybrid_optimizer.py (_get_sub_optimizer_param_groups).
    """
    return symbol(FRACTION) if FRACTION in structure.symbols else Integer(1)


def gradients_away(profile: Profile, structure: Structure) -> bool:
    """Whether the shards of the gradients are in host memory, with the optimizer states that they are for."""
    sharded = int(structure["zero"]) >= 2  # type: ignore[arg-type]
    return bool(profile["gradients_offload"]) and sharded and "optimizer" in offloaded(structure)


def _weight_bytes(structure: Structure) -> Expr:
    return sympy.sympify(element_bytes("activation", str(structure["precision"])))


def _operand_bytes(structure: Structure) -> Expr:
    """Bytes of one element of a quantised weight, 0 in 16 bits and above."""
    precision = str(structure["precision"])
    quantised = precision in QUANTISED_PRECISIONS
    return sympy.sympify(element_bytes("operand", precision)) if quantised else Integer(0)


def _weights(
    stages: Stages, group: Group, structure: Structure, profile: Profile, optimizer: States, ledger: Ledger
) -> Expr:
    """Bytes of a group's weights before they are sharded.

    None where the shards are those of the optimizer's master copy, if it has one that is whole.

    Quantised copies stay from micro-batch to micro-batch, unless weights are gathered anew for each;
    with ``fp8_params`` they are all there is.
    """
    plain, operand = _weight_bytes(structure), _operand_bytes(structure)
    if profile["master_is_weight"] and structure["zero"] == 3 and optimizer.has_master():
        return plain * (group.elements - group.trained)
    whole = plain * group.elements
    if operand == 0 or (passing(structure) and not structure["fp8_params"]):
        return whole
    elements = held_elements(stages, group, _quantised_elements)
    name = f"{group.name}_quantised"
    quantised = ledger.define(name, elements, "of them operands of quantised GEMMs", "elements", "params")
    if structure["fp8_params"]:
        return (
            plain * (group.elements - quantised)
            + (1 if passing(structure) else copies(structure)) * operand * quantised
        )
    return whole + copies(structure) * operand * quantised


def _optimizer(stages: Stages, group: Group, optimizer: States, ledger: Ledger) -> Expr:
    """Bytes of a group's optimizer states before they are sharded.

    Kinds of weights that are held alike count together; the last of them is what the others leave.
    """
    alike: dict[Expr, list[str]] = {}
    for kind in ("matrix", "embedding", "vector"):
        alike.setdefault(sympy.sympify(optimizer.bytes_each(kind)), []).append(kind)
    amount, rest = Integer(0), group.trained
    for size, kinds in list(alike.items())[:-1]:
        elements = held_elements(stages, group, partial(_elements_of, kinds), trained=True)
        meaning = f"of them in {' and '.join(_PLURAL[k] for k in kinds)}"
        counted = ledger.define(f"{group.trained_name}_{kinds[0]}", elements, meaning, "elements", "params")
        amount, rest = amount + size * counted, rest - counted
    amount += list(alike)[-1] * rest
    factored = held_elements(stages, group, optimizer.bytes_whole, trained=True)
    if factored != 0:
        name = f"factors{group.name.removeprefix('P')}"
        amount += ledger.define(name, factored, "states by row and by column", "bytes", "memory")
    return amount


def _elements_of(kinds: list[str], weight: Weight) -> Expr:
    return weight.elements if kind_of(weight) in kinds else Integer(0)


_PLURAL = {"matrix": "matrices of layers", "embedding": "embeddings and head", "vector": "vectors"}


def passing(structure: Structure) -> bool:
    """Whether the weights of a unit are whole on a rank only while it runs."""
    return structure["zero"] == 3 or "weights" in offloaded(structure)


def gathered(held: Held, structure: Structure, ledger: Ledger) -> Expr:
    """Weights that are whole while a unit runs: its own, and the next layer's if it is gathered ahead."""
    if not passing(structure) or (keeps_ends_whole(structure) and not held.part.is_layer):
        return Integer(0)
    ahead = bool(structure["overlap_param_gather"]) and held.part.is_layer
    operand = _operand_bytes(structure)
    amount: Expr = Integer(0)
    for group in groups(structure, ledger):
        own = group.own(held.part)
        in_bf16 = (w.elements for w in own if not (w.quantised and structure["fp8_params"]))
        plain = (1 + ahead) * _weight_bytes(structure) * tidy(total(in_bf16))
        quantised = copies(structure) * operand * tidy(total(w.elements for w in own if w.quantised))
        whole = Integer(1) if "weights" in offloaded(structure) else less(1, group.shard)
        amount += whole * plain + quantised
    what = f"weights of {'two ' + held.title + 's' if ahead else 'one ' + held.title}, gathered while it runs"
    return ledger.define(f"gathered{held.suffix}", amount, what, "bytes", "memory")


def reducing(held: Held, profile: Profile, structure: Structure, ledger: Ledger) -> Expr:
    """Gradients that are whole until they are reduced: a unit's, and the layer's before if that overlaps.

    A framework that reduces buckets holds, besides the bucket, a copy of it in the order of the ranks, and the gradient
    of the weight that is on its way there.
    """
    if int(structure["zero"]) < 2:  # type: ignore[arg-type]
        return Integer(0)
    if profile["gradient_bucket"]:
        return _reducing_bucket(held, profile, structure, ledger)
    with_previous = bool(structure["overlap_grad_reduce"]) and held.part.is_layer
    size = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16")) * (1 + with_previous)
    amount: Expr = Integer(0)
    for group in groups(structure, ledger):
        amount += less(1, group.shard) * size * tidy(total(w.elements for w in group.own_trained(held.part)))
    what = f"gradients of {f'two {held.title}s' if with_previous else f'one {held.title}'}, before they are reduced"
    return ledger.define(f"reducing{held.suffix}", amount, what, "bytes", "memory")


def _reducing_bucket(held: Held, profile: Profile, structure: Structure, ledger: Ledger) -> Expr:
    """Source: DeepSpeed, runtime/comm/coalesced_collectives.py (reduce_scatter_coalesced)."""
    found = groups(structure, ledger)
    own = (w for group in found for w in group.own_trained(held.part))
    weights = dict(enumerate(terms(w.elements) for w in own))
    if not weights:
        return Integer(0)
    largest = [tidy(elements) for elements in undominated(weights, {}).values()]
    copied = minimum(sympy.sympify(profile["gradient_bucket"]), sympy.Add(*(group.trained for group in found)))
    one = maximum(*largest) if len(largest) > 1 else largest[0]
    what = f"gradients on their way into and out of the bucket while one {held.title} runs"
    return ledger.define(f"reducing{held.suffix}", _weight_bytes(structure) * (copied + one), what, "bytes", "memory")


def step_volumes(structure: Structure, ledger: Ledger) -> Iterable[tuple[str, Expr, str]]:
    """(name, bytes that one rank sends in a step, meaning) for gradients and parameters.

    From ``zero`` = 2 on gradients are reduced in each micro-batch, with 3 weights are gathered in its
    forward and in its backward pass.
    """
    zero = int(structure["zero"])  # type: ignore[arg-type]
    m = symbol("m")
    for group in groups(structure, ledger):
        sent = (m if zero >= 2 else 1) * _reduced(group, group.trained, structure)
        yield f"sent.{group.axis}.gradients", sent, f"gradients sent over {group.axis} in one step"
        if gathers_after_step(structure):
            yield (
                f"sent.{group.axis}.parameters",
                _spread(group, _sent_weights(group, structure, ledger)),
                f"parameters sent over {group.axis} in one step",
            )


def unit_volumes(held: Held, structure: Structure, ledger: Ledger) -> Iterable[tuple[str, Expr, str]]:
    """The same of one unit for one micro-batch, as far as each micro-batch sends it."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    for group in groups(structure, ledger):
        own = group.own(held.part)
        elements = tidy(total(w.elements for w in own))
        if elements == 0 or zero < 2:
            continue
        where = f"over {group.axis} by one {held.title} for one micro-batch"
        name = f"sent.{group.axis}.gradients.one{held.suffix}"
        trained = tidy(total(w.elements for w in own if w.trained))
        if trained != 0:
            yield name, _reduced(group, trained, structure), f"gradients sent {where}"
        if zero == 3:
            quantised = tidy(total(w.elements for w in own if w.quantised))
            times = 2 if held.part.unit.has_backward else 1
            sent = times * _spread(group, _weight_bytes_sent(elements, quantised, structure))
            yield f"sent.{group.axis}.parameters.one{held.suffix}", sent, f"parameters sent {where}"


def _reduced(group: Group, elements: Expr, structure: Structure) -> Expr:
    """Sent to reduce gradients once."""
    gradients = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16")) * elements
    return sympy.Add(*(sent_bytes(message) for message in reducing_messages(group, gradients, structure)))


def _spread(group: Group, amount: Expr) -> Expr:
    """Sent to gather ``amount`` bytes of shards."""
    return sent_bytes(gathering_message(group, amount))


def _sent_weights(group: Group, structure: Structure, ledger: Ledger) -> Expr:
    """Bytes of weights that are gathered in a step: those that the optimizer changed, once; or, of shards, all for each
    forward pass, and for each backward pass those of units that have one."""
    if structure["zero"] != 3:
        changed = symbol(f"{group.name}_trained_quantised") if group.trained != group.elements else None
        quantised = ledger.value(str(changed) if changed is not None else f"{group.name}_quantised")
        return _weight_bytes_sent(group.trained, quantised, structure)
    forward = _weight_bytes_sent(group.elements, ledger.value(f"{group.name}_quantised"), structure)
    if f"{group.name}_backward" not in ledger:
        return 2 * symbol("m") * forward
    backward = ledger.value(f"{group.name}_backward"), ledger.value(f"{group.name}_backward_quantised")
    return symbol("m") * (forward + _weight_bytes_sent(*backward, structure))


def _weight_bytes_sent(elements: Expr, quantised: Expr, structure: Structure) -> Expr:
    """Bytes of weights in a message: fp8 weights travel as they are (Megatron-Core,
    --fp8-param-gather); block-scaled ones are quantised behind the message."""
    plain = _weight_bytes(structure)
    if structure["fp8_params"] and structure["precision"] == "fp8":
        return plain * (elements - quantised) + quantised
    return plain * elements
