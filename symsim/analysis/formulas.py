"""Which named formulas answer a question: the wanted ones, and all that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from symsim.diagnostics import error, nearest
from symsim.loading.question import Question
from symsim.records.cost import RUN_PARTS, CostModel, Definition
from symsim.symbols import VOCABULARY, symbol

if TYPE_CHECKING:
    from sympy import Expr

SHOWN = ("memory", "params", "flops", "communication", "time", "run", "all")
DEPTHS = ("total", "stage", "layer", "operator", "moment")


def formulas(
    asked: Question,
    show: str,
    per: str | None = None,
    keep: frozenset[str] = frozenset(),
    put: Mapping[str, int] = {},
    whole: bool = True,
) -> tuple[Definition, ...]:
    """The definitions that answer ``show`` (memory, params, …) at a depth (total, stage, layer, operator, moment).

    The depth of moments is that of operators, and for memory also what is alive at each moment.
    Dimensions in ``keep`` stay symbols; sizes in ``put`` are put in as numbers. Unless ``whole``, what a
    depth does not reach is left as names: the times of single operators are hundreds.

    Raises:
        InputError: ``keep`` names something that is no dimension of the model.
    """
    from symsim.compiler.pipeline import compile_cost

    kept = _kept(asked, keep)
    details = per in ("layer", "operator", "moment")
    cost = compile_cost(asked.model, asked.plan.structure, kept, details, moments=per == "moment")
    wanted = _wanted(cost, show, per or ("total" if show == "time" else "stage"), asked)
    hidden = HIDDEN.get(per or "total", frozenset())
    if show == "run":
        hidden = frozenset(d.part for d in cost.definitions if d.part not in RUN_PARTS)
    chosen = _closure(cost, wanted, frozenset() if whole else hidden)
    if asked.system is not None:
        chosen = (*_figures(asked, cost, chosen), *chosen)
    return tuple(_put(d, put) for d in chosen if d.name not in put)


def _kept(asked: Question, keep: frozenset[str]) -> frozenset[str]:
    sizes = {n for n, v in asked.model.dimensions.items() if isinstance(v, int) and not isinstance(v, bool)}
    if keep == {"all"}:
        return frozenset(n for n in sizes if asked.model.dimensions[n] != 0)
    for name in sorted(keep - sizes):
        message = f"--keep: '{name}' is not a size of {asked.model.name}"
        raise error("E340", message, None, nearest(name, sizes))
    return keep


_TOTALS: Mapping[str, tuple[str, ...]] = {
    "memory": ("memory.peak", "memory.host"),
    "params": ("parameters", "active_parameters", "trained_parameters"),
    "flops": (
        "flops.forward_per_token",
        "flops.model_per_iteration",
        "flops.causal_per_iteration",
        "flops.hardware_per_iteration",
    ),
    "communication": (),
    "time": (
        "time.iteration",
        "throughput.tokens_per_s_per_gpu",
        "cost.gpu_hours",
        "throughput.mfu",
        "throughput.hfu",
        "throughput.model_flops_per_gpu_causal",
        "offload.bandwidth",
    ),
}
_STAGES: Mapping[str, tuple[str, ...]] = {
    "memory": ("weights", "gradients", "optimizer", "activations", "workspace", "peak", "host"),
    "params": ("P", "P_trained", "P_expert", "P_expert_trained"),
    "flops": ("flops.stage",),
    "communication": (),
    "time": ("F", "B", "t", "offload.bandwidth"),
}
_LAYERS: Mapping[str, tuple[str, ...]] = {
    "memory": ("A", "w"),
    "params": ("params.one",),
    "flops": ("flops.one",),
    "communication": (),
    "time": ("one",),
}


_DEVICE = ("memory.device", "memory.used")
"""Parts of memory that need a machine; they are shown where one is given."""


def _wanted(cost: CostModel, show: str, per: str, asked: Question) -> list[str]:
    """All but ``all``, and a run only where the strategy has its tokens."""
    everything = SHOWN[:-1] if "tokens" in asked.plan.sizes else SHOWN[:-2]
    parts = everything if show == "all" else (show,)
    names = [d.name for d in cost.definitions]
    out = [d.name for d in cost.definitions if d.part == "sizes"] if show == "all" else []
    for part in parts:
        if part == "run":
            out += [d.name for d in cost.definitions if d.part in RUN_PARTS]
        elif per in ("operator", "moment"):
            out += [d.name for d in cost.definitions if d.part.partition(".")[0] == part and d.part not in _DEVICE]
        elif per == "layer":
            out += [n for n in names if any(n == s or n.startswith((f"{s}_", f"{s}.")) for s in _LAYERS[part])]
        elif per == "stage":
            out += [n for n in _STAGES[part] if n in names]
        else:
            out += [n for n in _TOTALS[part] if n in names]
        if part == "memory" and asked.system is not None and per != "layer":
            out += [d.name for d in cost.definitions if d.part in _DEVICE]
        if part == "communication":
            out += [n for n in names if n.startswith("sent.") and _deep_enough(n, per)]
            out += [n for n in ("offload.bytes", "offload.step") if n in names and per != "layer"]
    return list(dict.fromkeys(out))


def _deep_enough(name: str, per: str) -> bool:
    if "@" in name or ".one" in name:
        return per in ("operator", "moment") or (per == "layer" and "@" not in name)
    return per != "layer"


HIDDEN: Mapping[str, frozenset[str]] = {
    "total": frozenset({"time.layer", "time.operator"}),
    "stage": frozenset({"time.layer", "time.operator"}),
    "layer": frozenset({"time.operator"}),
}
"""Parts that a depth leaves as names; the next depths open them up."""


def _closure(cost: CostModel, wanted: Iterable[str], hidden: frozenset[str]) -> tuple[Definition, ...]:
    """The wanted definitions and those they use, in the order of the cost model; none of a hidden part."""
    by_name = {d.name: d for d in cost.definitions if d.part not in hidden}
    needed: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name in needed or name not in by_name:
            continue
        needed.add(name)
        pending += [str(s) for s in by_name[name].expression.free_symbols]
    return tuple(d for d in cost.definitions if d.name in needed)


def _figures(asked: Question, cost: CostModel, chosen: tuple[Definition, ...]) -> list[Definition]:
    """The machine's figures that the formulas use, as definitions of their own."""
    from symsim.machine.bind import bind

    assert asked.system is not None
    used = {str(s) for d in chosen for s in d.expression.free_symbols}
    machine = bind(asked.system, tuple(n for n in cost.inputs if n in used), framework=cost.figures)
    units = {n: f.unit for n, f in asked.system.figures.items()}
    return [
        Definition(name, _number(value), _meaning(name, asked.system.name), units.get(name, ""), "run", "machine")
        for name, value in machine.values.items()
    ]


def _meaning(name: str, system: str) -> str:
    entry = VOCABULARY.get(name)
    return entry.meaning if entry is not None else f"of {system}"


def _number(value: float) -> Expr:
    from sympy import Float, Integer

    return Integer(int(value)) if value == int(value) else Float(value)


def _put(definition: Definition, put: Mapping[str, int]) -> Definition:
    if not put:
        return definition
    numbers = {symbol(n): v for n, v in put.items()}
    expression = definition.expression.subs(numbers, simultaneous=True)
    return Definition(
        definition.name, expression, definition.meaning, definition.unit, definition.scope, definition.part
    )
