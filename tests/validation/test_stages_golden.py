"""What a stage holds, saves and needs at its peak beside SimuMax's figures of the same stage.

Equal but for listed differences, each a formula. Peaks are compared for dense models: there that
model's own analysis of per-rank logs names what it leaves out, and symsim has every term of it. For
experts it has no temporaries of permutation; test_measured_memory compares those with logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from symsim.analysis.evaluate import Answer, answer
from symsim.loading.question import question
from tests.validation.operator_counts import CONFIGURATIONS, Pair, pairs, plan
from tests.validation.operator_differences import listed, own, quantised, scores, weights, x

STAGES = [(name, stage) for name, c in CONFIGURATIONS.items() for stage in c["stages"]]
OWN_SETS = ("g10", "g12", "g13")
"""Sets of recomputed operators that are SimuMax's own: no region of Megatron's is the same."""
LINEAR = ("linear", "column_linear", "row_linear", "grouped_column_linear", "grouped_row_linear")


def per_stage(chosen: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "stage"), chosen, ids=str)


@cache
def evaluated(name: str, te_version: bool = True) -> Answer:
    row = CONFIGURATIONS[name]
    words = [w for w in row["strategy"].split(",") if te_version or not w.startswith("te_version")]
    asked = question(row["model"], ",".join(words), None, tuple(row["settings"]))
    return answer(asked.model, asked.plan, None)


def of(name: str, stage: str, what: str, te_version: bool = True) -> Any:
    found = evaluated(name, te_version)
    index = {"first": 0, "middle": 1, "last": found.stages - 1}[stage]
    return found.of_stage(what)[index]


def last(name: str, stage: str) -> bool:
    return stage == "last" or plan(name)["pp"] == 1


def simumax(name: str, stage: str) -> dict[str, Any]:
    found: dict[str, Any] = CONFIGURATIONS[name]["stages"][stage]
    return found


def held(name: str, stage: str) -> Iterator[tuple[Pair, int]]:
    """Operators of a stage and how often they are there."""
    layers = simumax(name, stage)["layers"]
    ends = {"embedding": int(stage == "first"), "head": int(last(name, stage))}
    for pair in pairs(name):
        yield pair, {**layers, **ends}.get(pair.where.split(" ")[0], 0)


def buffer(name: str, wanted: str) -> int:
    """Bytes of a buffer as the library states it."""
    found = plan(name)
    operators = (o for unit in found.units.values() for o in unit.operators)
    return next(found.bytes(b) for o in operators for b in o.buffers if b.name.endswith(f".{wanted}"))


def gemm_workspaces(name: str, stage: str) -> int:
    """What GEMM libraries keep: TransformerEngine on one stream and on four more for experts, torch for the head."""
    if "te_version" not in CONFIGURATIONS[name]["strategy"]:
        return 0
    streams = 1 + 4 * ("moe" in simumax(name, stage)["layers"])
    return streams * buffer(name, "te_workspace") + last(name, stage) * buffer(name, "torch_workspace")


@per_stage(STAGES)
def test_states_of_every_stage(name: str, stage: str) -> None:
    """fp8: SimuMax holds a linear layer's weight in 1 byte; here it is bf16 beside two quantised copies."""
    theirs = simumax(name, stage)["bytes"]
    elements = sum(n * weights(p) for p, n in held(name, stage) if p.kind in LINEAR and quantised(p))
    assert of(name, stage, "weights") == theirs["dense_weight"] + theirs["moe_weight"] + (2 + 1 + 1 - 1) * elements
    assert of(name, stage, "gradients") == theirs["dense_grad"] + theirs["moe_grad"]
    assert of(name, stage, "optimizer") == theirs["dense_state"] + theirs["moe_state"]


@per_stage([(n, s) for n, s in STAGES if "te_version" in CONFIGURATIONS[n]["strategy"]])
def test_dummy_weight_gradients_of_every_stage(name: str, stage: str) -> None:
    """All that a version of TransformerEngine adds: its dummy gradients, each shape once, and GEMM workspaces."""
    ours = of(name, stage, "buffers") - of(name, stage, "buffers", te_version=False)
    assert ours == simumax(name, stage)["bytes"]["te_dummy_wgrad"] + gemm_workspaces(name, stage)


def recomputed(name: str, pair: Pair) -> int:
    """What recomputation makes of an operator's difference in saved bytes."""
    difference = sum(d.amount(pair) for d in listed(pair) if d.what == "saved")
    unit, place = pair.where.split(" ")
    if unit in ("embedding", "head"):
        return difference
    match name[:3]:
        case "g09" | "g11":  # The whole layer: its input alone.
            return 0
        case "g16" if place.startswith("mlp.") and unit == "moe":  # The input of the experts' part alone.
            return 0
        case "g14" if place == "mlp.activation_layer":
            # SimuMax cuts its segments behind fc1, and keeps the input of what comes next.
            return -x(pair)
        case "g15" if place == "attention.core_attention":
            # SimuMax's segment ends with attention and holds nothing of it; it does not run again, so
            # that its log-sum-exp must be kept.
            return difference + own(pair, "lse") // 2
        case "g15" if place == "mlp.router":
            # SimuMax takes no input for a norm that is recomputed alone (Q7), and the shared experts'
            # input, which is its output; here the norm's input is kept and its output is not.
            return difference + x(pair)
        case "g15" if place == "mlp.expert_activation_layer":
            return difference - 4 * scores(pair)  # SimuMax keeps the probabilities as a part of its input.
    return difference


@per_stage([(n, s) for n, s in STAGES if not n.startswith(OWN_SETS)])
def test_saved_bytes_of_every_stage(name: str, stage: str) -> None:
    difference = sum(n * recomputed(name, pair) for pair, n in held(name, stage))
    assert of(name, stage, "S") == simumax(name, stage)["saved"] + difference


PEAK_IN_A_LAYER = {
    ("g01_b200_70b_tp1pp2", "first"): "mlp.activation_layer",
    ("g07_a100_8b_tp1pp2", "first"): "mlp.activation_layer",
    ("g19_b200_70b_16nodes_tp8pp4", "first"): "mlp.linear_fc1",
    ("g19_b200_70b_16nodes_tp8pp4", "middle"): "mlp.linear_fc1",
}
"""Where the peak of a stage without a head is; elsewhere it is in the head or the loss."""


def rise_in_a_layer(name: str, stage: str, place: str) -> int:
    """Above what is saved, going backward: its own, the gradient of the residual stream, less what is freed."""
    layer = [p for p, _ in held(name, stage) if p.where.startswith("dense ")]
    position = next(k for k, p in enumerate(layer) if p.where.endswith(place))
    freed = sum(p.symsim.saved for p in layer[position + 1 :])
    return layer[position].symsim.backward + x(layer[0]) - freed


def rise_at_the_end(name: str) -> int:
    """In the loss going forward, or in the head going backward, when what the loss saved is gone.

    A stage behind another still holds its input of the micro-batch before while it runs forward.
    """
    ends = {p.kind: p for p in pairs(name) if p.where.startswith("head ")}
    logits = ends["vocabulary_linear"]
    loss = next(p for kind, p in ends.items() if kind.endswith("cross_entropy"))
    handed = x(ends["rmsnorm"]) if plan(name)["pp"] > 1 else 0
    return max(loss.symsim.forward + handed, logits.symsim.backward) - loss.symsim.saved


@per_stage([(n, s) for n, s in STAGES if "dense" in CONFIGURATIONS[n]["stages"][s]["layers"]
            and "moe" not in CONFIGURATIONS[n]["units"] and not n.startswith((*OWN_SETS, "g14"))])  # fmt: skip
def test_peak_of_every_dense_stage(name: str, stage: str) -> None:
    """SimuMax's peak and what 11.1 says it leaves out: an fp32 log-sum-exp, buffers of libraries, the head's shards."""
    found, theirs = plan(name), simumax(name, stage)
    at = PEAK_IN_A_LAYER.get((name, stage))
    rise = rise_in_a_layer(name, stage, at) if at else rise_at_the_end(name)
    saved = sum(n * recomputed(name, pair) for pair, n in held(name, stage))
    norm = next(p for p, _ in held(name, stage) if p.kind == "rmsnorm")
    angles = 4 * found["seq"] // found["cp"] * found["head_dim"]
    whole_sequence = found["tp"] > 1 and found.structure("sequence_parallel") is True and last(name, stage)
    gathered = x(norm) * found["tp"] if whole_sequence else 0
    sent_back = x(norm) if stage != "first" else 0
    states = sum(theirs["bytes"].values())
    in_flight = 1 if last(name, stage) else {"first": found["pp"], "middle": found["pp"] - 1}[stage]
    activations = in_flight * (theirs["saved"] + saved)
    buffers = angles + gemm_workspaces(name, stage) + gathered + sent_back
    assert of(name, stage, "peak") == states + activations + rise + buffers
