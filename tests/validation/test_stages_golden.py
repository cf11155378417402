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
from symsim.analysis.load import question
from tests.validation.operator_counts import CONFIGURATIONS, Pair, pairs, plan
from tests.validation.operator_differences import listed, own, scores, surplus, weights, x

STAGES = [(name, stage) for name, c in CONFIGURATIONS.items() for stage in c["stages"]]
OWN_SETS = ("g10", "g12", "g13")
"""Sets of recomputed operators that are SimuMax's own: no region of Megatron's is the same."""
LINEAR = ("linear", "column_linear", "row_linear", "grouped_column_linear", "grouped_row_linear")
MIB = 2**20


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


@per_stage(STAGES)
def test_states_of_every_stage(name: str, stage: str) -> None:
    """fp8: SimuMax holds weights of linear layers in 1 byte; Megatron keeps them in bf16, and casts."""
    theirs = simumax(name, stage)["bytes"]
    quantised = plan(name).structure("precision") == "fp8"
    one_byte = sum(n * weights(p) for p, n in held(name, stage) if p.operator.kind in LINEAR) if quantised else 0
    assert of(name, stage, "weights") == theirs["dense_weight"] + theirs["moe_weight"] + one_byte
    assert of(name, stage, "gradients") == theirs["dense_grad"] + theirs["moe_grad"]
    assert of(name, stage, "optimizer") == theirs["dense_state"] + theirs["moe_state"]


@per_stage([(n, s) for n, s in STAGES if "te_version" in CONFIGURATIONS[n]["strategy"]])
def test_dummy_weight_gradients_of_every_stage(name: str, stage: str) -> None:
    """Beside what GEMM libraries keep: TransformerEngine's own, and torch's for head and router.

    Shapes are told apart as formulas: those of shared experts and of experts as wide as they are the
    same only where tp = etp, and are held twice here.
    """
    ours = of(name, stage, "buffers") - of(name, stage, "buffers", te_version=False)
    dimensions, moe = plan(name).asked.model.dimensions, "moe" in simumax(name, stage)["layers"]
    torch_too = last(name, stage) or moe
    twice = 0
    if moe and dimensions["shared_ffn"] == dimensions["expert_ffn"]:
        twice = 2 * 3 * int(dimensions["hidden"]) * int(dimensions["expert_ffn"])
    assert ours == simumax(name, stage)["bytes"]["te_dummy_wgrad"] + (34 + 15 * torch_too) * MIB + twice


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
        case "g15" if place == "mlp.group_linear2":
            return difference + surplus(pair, x(pair))  # Its input is not kept on either side.
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
    """The logits' gradient, the weight gradient's or the loss: what SimuMax has, its operator's difference included."""
    ends = {p.operator.kind: p for p in pairs(name) if p.where.startswith("head ")}
    logits = ends["vocabulary_linear"]
    if "fused_cross_entropy" in ends:
        return logits.symsim.backward - ends["fused_cross_entropy"].symsim.saved
    return ends["cross_entropy"].symsim.forward - ends["cross_entropy"].symsim.saved


@per_stage([(n, s) for n, s in STAGES if "dense" in CONFIGURATIONS[n]["stages"][s]["layers"]
            and "moe" not in CONFIGURATIONS[n]["units"] and not n.startswith((*OWN_SETS, "g14"))])  # fmt: skip
def test_peak_of_every_dense_stage(name: str, stage: str) -> None:
    """SimuMax's peak and what 11.1 says it leaves out: an fp32 log-sum-exp, buffers of libraries, the head's shards."""
    found, theirs = plan(name), simumax(name, stage)
    at = PEAK_IN_A_LAYER.get((name, stage))
    rise = rise_in_a_layer(name, stage, at) if at else rise_at_the_end(name)
    saved = sum(n * recomputed(name, pair) for pair, n in held(name, stage))
    norm = next(p for p, _ in held(name, stage) if p.operator.kind == "rmsnorm")
    angles = 4 * found["seq"] // found["cp"] * found["head_dim"]
    libraries = (34 + 15 * last(name, stage)) * MIB if "te_version" in CONFIGURATIONS[name]["strategy"] else 0
    whole_sequence = found["tp"] > 1 and found.structure("sequence_parallel") is True and last(name, stage)
    gathered = x(norm) * found["tp"] if whole_sequence else 0
    sent_back = x(norm) if stage != "first" else 0
    states = sum(theirs["bytes"].values())
    in_flight = 1 if last(name, stage) else {"first": found["pp"], "middle": found["pp"] - 1}[stage]
    activations = in_flight * (theirs["saved"] + saved)
    assert of(name, stage, "peak") == states + activations + rise + angles + libraries + gathered + sent_back
