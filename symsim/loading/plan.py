"""A strategy applied to a model: every choice settled, structure and sizes separated, rules checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from symsim.diagnostics import Place, error
from symsim.elements import QUANTISED_PRECISIONS, STATE_CHOICES
from symsim.language.layout import parse_layout
from symsim.language.strategies import Strategy
from symsim.loading import megatron_rules
from symsim.records.model import Model
from symsim.records.strategy import ASSUMED_FIGURES, CHOICES, SIZE_SYMBOLS, Structure, Value

DERIVED_NAMES = ("dp", "edp", "microbatches")


@dataclass(frozen=True, slots=True)
class Plan:
    """``values`` has every name of a strategy; ``structure`` selects the compiled formulas;
    ``sizes`` are the numbers of their symbols."""

    values: Mapping[str, Value | None]
    structure: Structure
    sizes: Mapping[str, int | Fraction]
    places: Mapping[str, Place]


def plan(strategy: Strategy, needs_sizes: bool = True, model: Model | None = None) -> Plan:
    """Settle a strategy.

    Without ``needs_sizes`` the sizes that a formula keeps as symbols may be missing. The ``model`` says whether there
    are fewer key-value heads than tensor-parallel ranks.

    Raises:
        InputError: a search space where one plan is wanted; missing or contradictory sizes.
    """
    if strategy.among:
        names = ", ".join(strategy.among)
        place = strategy.places[next(iter(strategy.among))]
        raise error(
            "E320",
            f"this strategy is a space to search: {names} has a set of values",
            place,
            "give one value, for example with --set " + f"{next(iter(strategy.among))}=…",
        )
    values: dict[str, Value | None] = {n: strategy.values.get(n, c.default) for n, c in CHOICES.items()}
    if values["layout"] is not None:
        _settle_layout(values, strategy)
    _settle_schedule(values, strategy)
    _settle_precision(values, strategy)
    megatron_rules.settle(values, strategy.places)
    _settle_trained(values, strategy)
    _settle_lengths(values, strategy)
    if model is not None and "tp" in strategy.values:
        values["repeat_kv_heads"] = fewer_kv_heads(model, _int(values, "tp"))
    away = values["offload"]
    if values["recompute"] == "per_op_sac" and isinstance(away, frozenset) and away - {"optimizer", "weights"}:
        message = "what regions save has no formula yet with recompute = per_op_sac, and offload names regions"
        raise error("E321", message, strategy.places["offload"], "offload = {optimizer, weights}, or recompute regions")
    if values["offload"] == "full":
        hint = "name what leaves the GPU: offload = {core_attn, optimizer}"
        raise error("E324", "offload takes names, not full", strategy.places["offload"], hint)
    if values["zero_shard"] is not None and values["zero"] == 0:
        message = "zero_shard has no meaning with zero = 0"
        raise error("E324", message, strategy.places["zero_shard"], "use zero = 1, 2 or 3")
    if (values["cp_a2a"] is not None) is not (values["cp_comm"] == "a2a_ring"):
        given = "cp_a2a" if values["cp_a2a"] is not None else "cp_comm"
        message = f"cp_a2a is the all-to-all part of cp_comm = a2a_ring, and cp_comm is {values['cp_comm']}"
        if given == "cp_comm":
            message = "cp_comm = a2a_ring needs cp_a2a, the ranks of its all-to-all part"
        hint = "for example cp_comm = a2a_ring, cp_a2a = 2: a divisor of cp and of the key-value heads of a rank"
        raise error("E324", message, strategy.places[given], hint)
    megatron_rules.check(values, strategy.places)
    if needs_sizes:
        _step_size(values, strategy)
    return Plan(values, structure_of(values), _sizes(values), strategy.places)


def _settle_layout(values: dict[str, Value | None], strategy: Strategy) -> None:
    """The stages of a layout say how many chunks a rank has, or how many ranks there are.

    Raises:
        InputError: a number of stages that is no multiple of the ranks.
    """
    stages = parse_layout(str(values["layout"])).stages
    place = strategy.places["layout"]
    passes = 2 if values["schedule"] == "zb_v" else 1
    if "pp" not in strategy.values:
        values["pp"], left = divmod(stages, passes if values["vp"] == 1 else _int(values, "vp"))
        if left:
            message = f"layout has {stages} stages, an odd number for the two chunks of each rank"
            message = (
                message if values["vp"] == 1 else f"layout has {stages} stages, no multiple of vp = {values['vp']}"
            )
            raise error("E317", message, place, "end stages with | until their number fits")
    ranks = _int(values, "pp")
    if stages % (ranks * passes):
        message = f"layout has {stages} stages, no multiple of the {ranks * passes} of pp = {ranks}"
        raise error("E317", message, place, "end stages with | until their number fits")
    turns = stages // ranks
    if "vp" in strategy.values and values["vp"] != turns and values["schedule"] != "zb_v":
        message = f"layout has {stages} stages, not pp·vp = {ranks * _int(values, 'vp')}"
        raise error("E317", message, place, f"vp = {turns}, or leave vp out")
    values["vp"] = turns


def _settle_schedule(values: dict[str, Value | None], strategy: Strategy) -> None:
    """Virtual chunks mean interleaving, and interleaving one chunk is 1F1B; ZB-V has two chunks.

    Raises:
        InputError: choices that have no meaning together.
    """
    chunks, schedule = values["vp"], values["schedule"]
    if schedule in ("1f1b", "interleaved"):
        values["schedule"] = "interleaved" if chunks != 1 else "1f1b"
    elif schedule == "zb_v" and chunks in (1, 2):
        values["vp"] = 2
    elif chunks != 1:
        count = "two chunks" if schedule == "zb_v" else "one chunk"
        message = f"schedule = {schedule} has {count} per rank, not vp = {chunks}"
        place = strategy.places["layout" if values["layout"] is not None else "vp"]
        raise error("E324", message, place, "leave vp out, or take schedule = interleaved")
    if values["microbatch_group"] is not None and values["schedule"] != "interleaved":
        message = "microbatch_group has no meaning without virtual chunks"
        raise error("E324", message, strategy.places["microbatch_group"], "add vp = …, or leave it out")
    if values["recompute"] in ("full", "per_op_sac") and values["schedule"] in ("zb_v", "dualpipe"):
        message = f"recompute = {values['recompute']} has no formula yet with schedule = {values['schedule']}"
        hint = "what waits for weight gradients would exceed what is saved: recompute regions, or use zb_h1 or zb_h2"
        raise error("E321", message, strategy.places["recompute"], hint)
    _settle_ends(values, strategy)
    if values["recompute_layers"] is not None and values["recompute"] != "full":
        message = "recompute_layers says how many layers of recompute = full"
        raise error("E324", message, strategy.places["recompute_layers"], "add recompute = full")
    if values["recompute_method"] == "uniform" and values["recompute"] != "full":
        message = "recompute_method says how layers of recompute = full are grouped"
        raise error("E324", message, strategy.places["recompute_method"], "add recompute = full")


def _settle_ends(values: dict[str, Value | None], strategy: Strategy) -> None:
    """One rule places the layers, as in Megatron-Core.

    Raises:
        InputError: two rules at once, or one that says nothing under the schedule.
    """
    ends = [n for n in ("first_stage_layers", "last_stage_layers") if values[n] is not None]
    counted = [n for n in ("embedding_in_split", "loss_in_split") if values[n]]
    rules = [*(ends[:1]), *(counted[:1]), *(["layout"] if values["layout"] is not None else [])]
    if len(rules) > 1:
        message = f"{rules[0]} and {rules[1]} are two ways to place the layers"
        raise error("E324", message, strategy.places[rules[1]], "leave one of them out")
    if ends and values["schedule"] in ("zb_v", "dualpipe"):
        message = f"{ends[0]} has no meaning with schedule = {values['schedule']}, which puts both ends on one rank"
        raise error("E324", message, strategy.places[ends[0]], "leave it out, or place every layer by layout")


def fewer_kv_heads(model: Model, tp: int) -> bool:
    """Whether some layer has fewer key-value heads than there are tensor-parallel ranks."""
    return any(0 < heads < tp for heads in model.sizes("kv_heads"))


def _settle_precision(values: dict[str, Value | None], strategy: Strategy) -> None:
    """Raises InputError for types that have no meaning with the precision or the optimizer."""
    if values["fp8_params"] and values["precision"] not in QUANTISED_PRECISIONS:
        message = f"fp8_params has no meaning with precision = {values['precision']}"
        raise error("E324", message, strategy.places["fp8_params"], "use precision = fp8, mxfp8 or nvfp4")
    if values["main_params_dtype"] == "remainder" and values["precision"] in ("fp16", "fp32"):
        message = f"a remainder is what bf16 weights leave of fp32, and precision = {values['precision']}"
        raise error("E324", message, strategy.places["main_params_dtype"], "use main_params_dtype = fp32")
    if values["main_params_dtype"] == "remainder" and values["fp8_params"]:
        message = "a remainder is what bf16 weights leave of fp32, and fp8_params keeps none"
        raise error("E324", message, strategy.places["main_params_dtype"], "use main_params_dtype = fp32")
    for name in STATE_CHOICES:
        if values[name] != CHOICES[name].default and values["optimizer"] != "adam":
            message = f"{name} is of optimizer = adam, not {values['optimizer']}"
            raise error("E324", message, strategy.places[name], f"leave {name} out, or take optimizer = adam")


def _settle_trained(values: dict[str, Value | None], strategy: Strategy) -> None:
    """With adapters the weights are frozen unless they are named.

    Raises:
        InputError: nothing is trained, or adapters with weights that are all trained.
    """
    if values["lora_rank"] is None:
        if values["lora_targets"] != "all":
            message = "lora_targets says which linear layers have adapters of lora_rank"
            raise error("E324", message, strategy.places["lora_targets"], "add lora_rank = 16, or leave it out")
        if values["trainable"] == "none":
            hint = "name what is trained: trainable = {attention}; or give adapters: lora_rank = 16"
            raise error("E324", "trainable = none leaves nothing to train", strategy.places["trainable"], hint)
    elif values["trainable"] == "all":
        if "trainable" in strategy.values:
            message = "lora_rank adds adapters to weights that are frozen, and trainable is all"
            hint = "leave trainable out, or name what else is trained"
            raise error("E324", message, strategy.places["trainable"], hint)
        values["trainable"] = "none"


def _settle_lengths(values: dict[str, Value | None], strategy: Strategy) -> None:
    """Raises InputError for choices that say how documents are put into sequences where there are none, or where the
    attention's kernel takes one document for a sequence."""
    if values["lengths"] is None:
        for name in ("packed", "packing_fill"):
            if values[name] != CHOICES[name].default:
                message = f"{name} says how documents of lengths are put into sequences"
                raise error(
                    "E324", message, strategy.places[name], "add lengths = [repeat 3 512, 2048], or leave it out"
                )
    elif not values["packed"]:
        if values["packing_fill"] != 1:
            message = "packing_fill is the share of packed sequences that documents fill, and packed is false"
            raise error(
                "E324", message, strategy.places["packing_fill"], "leave it out: it follows from lengths and seq"
            )
    elif values["attention"] == "unfused":
        message = "packed documents need an attention that knows where they end, and attention is unfused"
        raise error("E324", message, strategy.places["lengths"], "use attention = flash, or packed = false")


def _step_size(values: dict[str, Value | None], strategy: Strategy) -> None:
    """gbs from microbatches, or microbatches from gbs; world and seq must be given."""
    missing = [n for n in ("world", "seq") if values[n] is None]
    if values["gbs"] is None and values["microbatches"] is None:
        missing.append("gbs")
    if missing:
        first = next(iter(strategy.places.values()), None)
        raise error(
            "E322",
            f"the strategy does not say {', '.join(missing)}",
            first,
            "add " + ", ".join(f"{n} = …" for n in missing),
        )
    ranks = _int(values, "tp") * _int(values, "cp") * _int(values, "pp")
    dp = Fraction(_int(values, "world"), ranks)
    if values["microbatches"] is not None:
        step = _int(values, "microbatches") * _int(values, "mbs") * dp
        if values["gbs"] is not None and step != values["gbs"]:
            raise error(
                "E323",
                f"gbs = {values['gbs']} and microbatches·mbs·dp = {step} contradict each other",
                strategy.places["gbs"],
                "give one of them; the other follows",
            )
        values["gbs"] = step if step.denominator != 1 else step.numerator
    else:
        count = Fraction(_int(values, "gbs")) / (_int(values, "mbs") * dp)
        values["microbatches"] = count.numerator if count.denominator == 1 else count


def _int(values: Mapping[str, Value | None], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value


def structure_of(values: Mapping[str, Value | None]) -> Structure:
    """Structural choices, and which optional sizes are symbols: those that differ from their default."""
    words = tuple((n, values[n]) for n, c in CHOICES.items() if c.structural)
    symbols: set[str] = set()
    fixed: list[tuple[str, Value]] = []
    for name, choice in CHOICES.items():
        if choice.structural or choice.kind == "word" or name in SIZE_SYMBOLS or name == "microbatches":
            continue
        value = values[name]
        if value is not None and value != choice.default:
            symbols.add(name)
        if value is not None and (value == choice.default or name == "vp"):
            fixed.append((name, value))
    return Structure(words, frozenset(symbols), tuple(fixed))


def _sizes(values: Mapping[str, Value | None]) -> dict[str, int | Fraction]:
    """Sizes and numbers, and what is taken for a figure of the machine where none is named."""
    sizes = {
        n: v
        for n, v in values.items()
        if CHOICES[n].kind in ("size", "number") and isinstance(v, int | Fraction) and not isinstance(v, bool)
    }
    return {**sizes, **ASSUMED_FIGURES}


def with_size(settled: Plan, name: str, value: int) -> dict[str, int | Fraction]:
    """The sizes of a plan with one of them changed; gbs follows where micro-batches are given in its place."""
    sizes: dict[str, int | Fraction] = {**settled.sizes, name: value}
    if counts_microbatches(settled):
        ranks = Fraction(sizes["world"]) / (sizes["tp"] * sizes["cp"] * sizes["pp"])
        step = sizes["microbatches"] * sizes["mbs"] * ranks
        sizes["gbs"] = step.numerator if step.denominator == 1 else step
    return sizes


def counts_microbatches(settled: Plan) -> bool:
    """Whether the strategy gives micro-batches, from which gbs follows."""
    return "microbatches" in settled.places and "gbs" not in settled.places
