"""What SimuMax and symsim say of one operator, side by side.

``tests/data/operators_simumax.json`` holds SimuMax's side; symsim's is read from the operators' own
rules, before any other tensor that happens to live at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sympy

from symsim.compiler.expand import expand
from symsim.compiler.phases import phase
from symsim.language.library import library_for
from symsim.loading.question import Question, question
from symsim.records.graph import PHASES, Operator, Tensor, Unit
from symsim.symbols import symbol

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    c["name"]: c for c in json.loads((Path(__file__).parent.parent / "data" / "operators_simumax.json").read_text())
}

Names = str | tuple[str, ...]

DENSE: dict[str, Names] = {
    "layernorm_input": "pre_norm.rmsnorm",
    "attention.linear_qkv": "attention.qkv",
    "attention.attention": "attention.context.o",
    "attention.linear_out": "attention.output",
    "pre_mlp_layernorm": "pre_norm.rmsnorm_2",
    "mlp.linear_fc1": "mlp.up",
    "mlp.activation_layer": "mlp.act",
    "mlp.linear_fc2": "mlp.down",
}
LATENT: dict[str, Names] = {
    **DENSE,
    "attention.linear_q_down_proj": "latent_attention.q_down",
    "attention.q_layernorm": "latent_attention.q_latent",
    "attention.linear_q_up_proj": "latent_attention.q",
    "attention.linear_kv_down_proj": "latent_attention.kv_down",
    "attention.kv_layernorm": "latent_attention.kv_latent",
    "attention.linear_kv_up_proj": "latent_attention.kv",
    "attention.core_attention": "latent_attention.context.o",
    "attention.linear_out_proj": "latent_attention.output",
    "mlp.shared_expert.linear_fc1": "moe.shared.up",
    "mlp.shared_expert.activation_layer": "moe.shared.act",
    "mlp.shared_expert.linear_fc2": "moe.shared.down",
    "mlp.router": "moe.probs",
    "mlp.permutation": ("moe.copies", "moe.received", "moe.routed"),
    "mlp.group_linear1": "moe.experts_mlp.up",
    "mlp.expert_activation_layer": "moe.experts_mlp.act",
    "mlp.group_linear2": "moe.experts_mlp.down",
    "mlp.unpermutation": ("moe.left", "moe.returned", "moe.combined"),
}
ENDS = {"embedding": "word_embedding", "layernorm": "rmsnorm", "linear_out": "vocabulary_linear"}
"""By kind, because families name the operators of head and embedding differently."""


@dataclass(frozen=True)
class Counts:
    """FLOPs of the three phases; bytes saved; bytes that are there while it runs and are not saved before."""

    flops: tuple[int, int, int]
    saved: int
    forward: int
    backward: int


@dataclass(frozen=True)
class Pair:
    """One operator of SimuMax: its counts, those of symsim's operators, and what a difference may depend on."""

    where: str
    operators: tuple[Operator, ...]
    simumax: Counts
    symsim: Counts
    plan: Plan

    @property
    def place(self) -> str:
        """SimuMax's name in its unit; a quantised layer is one operator with its quantiser here."""
        return self.where.split(" ")[1].removesuffix(".linear")

    @property
    def kind(self) -> str:
        """The kind in symsim's library, of the last where there are several."""
        return self.operators[-1].kind


@dataclass(frozen=True)
class Plan:
    """A configuration as symsim reads it."""

    asked: Question
    units: dict[str, Unit]
    values: dict[sympy.Expr, sympy.Expr]

    def number(self, amount: Any) -> int:
        """An amount of a formula at the sizes of this configuration."""
        found = sympy.sympify(amount)
        while found.free_symbols:
            found = found.xreplace(self.values)
        return int(found.doit())

    def bytes(self, *tensors: Tensor) -> int:
        return sum(self.number(t.bytes) for t in dict.fromkeys(tensors))

    def structure(self, name: str) -> object:
        return self.asked.plan.structure[name]

    def __getitem__(self, name: str) -> int:
        """A size of the strategy or a dimension of the model."""
        return self.number(symbol(name)) if symbol(name) in self.values else int(self.asked.model.dimensions[name])


@cache
def plan(name: str) -> Plan:
    row = CONFIGURATIONS[name]
    asked = question(row["model"], row["strategy"], None, tuple(row["settings"]))
    graph, named, _ = expand(asked.model, library_for(asked.model), asked.plan.structure)
    units = {"embedding": graph.prologue, "head": graph.after.head}
    for slot in graph.slots:
        moe = any(o.kind == "router" for o in slot.unit.operators)
        units["moe" if moe else "dense"] = slot.unit
    values = {symbol(n): sympy.sympify(v) for n, v in asked.plan.sizes.items()}
    return Plan(asked, units, {**values, **{symbol(n): e for n, (e, _) in named.entries.items()}})


def pairs(name: str) -> Iterator[Pair]:
    """Operators that both sides have, in SimuMax's order."""
    found = plan(name)
    for unit_name, rows in CONFIGURATIONS[name]["units"].items():
        unit = found.units[unit_name]
        for where, flops, saved, forward, backward in rows:
            if where.endswith(("quntizer", "quantizer")):
                continue
            operators = _operators(unit, unit_name, where.removesuffix(".linear"))
            simumax = Counts(tuple(flops), saved, forward, backward)
            yield Pair(f"{unit_name} {where}", operators, simumax, counts(operators, unit, found), found)


def _operators(unit: Unit, unit_name: str, where: str) -> tuple[Operator, ...]:
    if unit_name in ("embedding", "head"):
        kind = ENDS.get(where, "cross_entropy")
        return (next(o for o in unit.operators if o.kind.endswith(kind)),)
    wanted = LATENT[where]
    by_name = {o.name: o for o in unit.operators}
    return tuple(by_name[name] for name in ((wanted,) if isinstance(wanted, str) else wanted))


def counts(operators: tuple[Operator, ...], unit: Unit, found: Plan) -> Counts:
    """What several operators work and save together; temporary bytes of the one that has the most."""
    each = [_counts(o, unit, found) for o in operators]
    a, b, c = (sum(n) for n in zip(*(e.flops for e in each), strict=True))
    saved = sum(e.saved for e in each)
    return Counts((a, b, c), saved, max(e.forward for e in each), max(e.backward for e in each))


def _counts(operator: Operator, unit: Unit, found: Plan) -> Counts:
    phased = phase(unit, frozenset(), False)
    work = operator.work
    kernels = [sum((k.flops for k in work[p].kernels), sympy.Integer(0)) for p in PHASES]
    own = [t for t in phased.kept if phased.holder[t] == operator.name]
    fresh = [t for t in operator.saves if t not in operator.inputs]
    forward = found.bytes(*operator.inputs, *operator.outputs, *fresh) + found.number(work["forward"].workspace)
    flowing = [t for t in operator.inputs if t.element != "int64" and t not in operator.passes]
    backward = found.bytes(*flowing, *operator.outputs)
    backward += found.number(work["input_grad"].workspace + work["weight_grad"].workspace)
    a, b, c = (found.number(k) for k in kernels)
    return Counts((a, b, c), found.bytes(*own), forward, backward)
