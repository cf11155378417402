"""Where symsim counts an operator's FLOPs or bytes otherwise than SimuMax, how much, and why.

Q6, Q13 and 11.1 are the places of a published reading of that model's quirks: double-counted norm
outputs, a log-sum-exp of 2 bytes, and what its per-rank memory leaves out on B200.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Literal

from tests.validation.operator_counts import Pair

What = Literal["saved", "forward", "backward", "flops"]

OUTPUT_PROJECTIONS = ("attention.linear_out", "attention.linear_out_proj")
"""Their input is the output of attention, and is held there."""
SECOND_READERS = (*OUTPUT_PROJECTIONS, "attention.linear_kv_down_proj")
"""Their input is held by an operator before, in symsim; in SimuMax by the last of these only."""


@dataclass(frozen=True)
class Difference:
    """What symsim's count of an operator has more than SimuMax's, in bytes or FLOPs."""

    kind: str
    what: What
    reason: str
    amount: Callable[[Pair], int]


def x(pair: Pair) -> int:
    """Bytes of an operator's first input on one rank: a shard of the sequence where it is one."""
    return pair.plan.bytes(pair.operator.inputs[0])


def y(pair: Pair) -> int:
    return pair.plan.bytes(pair.operator.outputs[0])


def inputs(pair: Pair) -> int:
    return pair.plan.bytes(*pair.operator.inputs)


def own(pair: Pair, name: str) -> int:
    """Bytes of a tensor that the operator saves of its own."""
    return pair.plan.bytes(*(t for t in pair.operator.saves if t.name.endswith(f".{name}")))


def rows(pair: Pair) -> int:
    return pair.plan.number(pair.operator.inputs[0].shape[0])


def weights(pair: Pair) -> int:
    return sum(pair.plan.number(w.elements) for w in pair.operator.weights)


def gathered(pair: Pair) -> int:
    """1 where sequence parallelism spreads the sequence, so that it is gathered and scattered."""
    return int(pair.plan["tp"] > 1 and pair.plan.structure("sequence_parallel") is True)


def whole(amount: int, pair: Pair) -> int:
    """The whole sequence's bytes from a shard's."""
    return amount * pair.plan["tp"]


def exchanged(pair: Pair) -> bool:
    """Context parallelism by all-to-all: in SimuMax a part of attention, here operators of their own."""
    return pair.plan["cp"] > 1


def quantised(pair: Pair) -> bool:
    return pair.plan.structure("precision") == "fp8"


def weighs_early(pair: Pair) -> bool:
    return pair.plan.structure("moe_probs_in_activation") is True


def scores(pair: Pair) -> int:
    """Token-expert pairs of the router."""
    return pair.plan["T"] * pair.plan["experts"]


def router_weights(pair: Pair) -> int:
    return pair.plan["hidden"] * pair.plan["experts"]


def surplus_rows(pair: Pair) -> int:
    """Rows that SimuMax adds so that every expert of the model gets the same whole number of them."""
    copies, experts = pair.plan["T"] * pair.plan["topk"], pair.plan["experts"]
    return ceil(copies / experts) * experts - copies


def surplus(pair: Pair, amount: int) -> int:
    """What those rows are of an amount of bytes of all copies."""
    return surplus_rows(pair) * amount // (pair.plan["T"] * pair.plan["topk"])


def combined(pair: Pair) -> int:
    """SimuMax's combine: the copies and the tokens; the larger of them where nothing is weighed."""
    copies = x(pair) + surplus(pair, x(pair))
    return max(copies, y(pair)) if weighs_early(pair) else copies + y(pair)


def query_features_beyond_values(pair: Pair) -> int:
    plan = pair.plan
    return plan["nope_dim"] + plan["rope_dim"] - plan["value_dim"] if "kv_rank" in plan.asked.model.dimensions else 0


ENDS = (
    Difference("word_embedding", "saved", "the ids are kept for the backward pass, as int64", x),
    Difference("word_embedding", "forward", "ids are int64, not int32", lambda p: x(p) // 2),
    Difference("word_embedding", "backward", "the gradient that arrives", y),
    Difference("word_embedding", "backward", "the table's own gradient is left out: it lives when all that the "
               "micro-batch saved is gone", lambda p: -2 * weights(p)),
    Difference("vocabulary_linear", "forward", "what is gathered lies in a buffer that stays allocated (11.1)",
               lambda p: gathered(p) * (x(p) - whole(x(p), p))),
    Difference("vocabulary_linear", "backward", "the shard beside the gradient that is scattered (11.1)",
               lambda p: gathered(p) * x(p)),
    Difference("cross_entropy", "forward", "the loss of each token", y),
    Difference("cross_entropy", "backward", "the gradient of the logits, a tensor beside the softmax that is kept, and "
               "of each token's loss; SimuMax has none", lambda p: x(p) + y(p)),
    Difference("fused_cross_entropy", "forward", "a loss and a gradient of each token in place of one number; the "
               "statistics of all ranks, 12 bytes a row and rank, are left out",
               lambda p: y(p) - (12 * whole(rows(p), p) if p.plan["tp"] > 1 else 0)),
    Difference("fused_cross_entropy", "backward", "the gradient of each token's loss", y),
)  # fmt: skip

LAYERS = (
    Difference("rmsnorm", "backward", "two bytes of statistics a row are left out", lambda p: -2 * rows(p)),
    Difference("column_linear", "forward", "the shard beside what is gathered", lambda p: gathered(p) * x(p)),
    Difference("column_linear", "backward", "the gathered input beside its gradient, and the gradient's shard",
               lambda p: gathered(p) * (whole(x(p), p) + x(p))),
    Difference("row_linear", "forward", "the shard beside what is scattered", lambda p: gathered(p) * y(p)),
    Difference("row_linear", "backward", "the shard beside what is gathered", lambda p: gathered(p) * y(p)),
    Difference("output projection", "saved", "attention holds its own output", lambda p: -x(p)),
    Difference("flash_attention", "saved", "its output is held here; SimuMax has it here with fp8",
               lambda p: 0 if quantised(p) else y(p)),
    Difference("flash_attention", "saved", "the log-sum-exp is fp32, not 2 bytes (Q13)", lambda p: own(p, "lse") // 2),
    Difference("flash_attention", "flops", "the scores made again are of q and k: 3·qk + 2·v a pair, not 5 of the mean",
               lambda p: p.plan["T"] * p.plan["seq"] * p.plan["heads"] // p.plan["tp"]
               * query_features_beyond_values(p)),
)  # fmt: skip

ATTENTION_ALONE = (
    Difference("flash_attention", "forward", "the log-sum-exp is fp32, not 2 bytes (Q13)",
               lambda p: own(p, "lse") // 2),
    Difference("flash_attention", "backward", "q, k, v and the log-sum-exp are among what is saved: SimuMax has them "
               "a second time", lambda p: -inputs(p) - own(p, "lse") // 2),
    Difference("flash_attention", "backward", "the output that SimuMax takes off where it is kept apart",
               lambda p: y(p) if quantised(p) else 0),
)  # fmt: skip

EXCHANGE = (
    Difference("flash_attention", "forward", "SimuMax's exchange of heads: two of q, k, v and four outputs; here it is "
               "an operator, and attention has one of each, the exchanged output and the log-sum-exp",
               lambda p: own(p, "o_exchanged") + own(p, "lse") - inputs(p) - 3 * y(p)),
    Difference("flash_attention", "backward", "SimuMax's exchange of heads: four of q, k, v and two outputs; attention "
               "has one of each", lambda p: -3 * inputs(p) - y(p)),
)  # fmt: skip

EXPERTS = (
    Difference("router", "saved", "shared experts hold its input already (Q6)", lambda p: -x(p)),
    Difference("router", "saved", "the scores, fp32", lambda p: 4 * scores(p)),
    Difference("router", "forward", "scores and probabilities are fp32; its weight is not temporary",
               lambda p: (4 + 4 - 2) * scores(p) - 2 * router_weights(p)),
    Difference("router", "backward", "the gradient of probabilities is fp32; its weight is not temporary",
               lambda p: (4 - 2) * scores(p) - 2 * router_weights(p)),
    Difference("dispatch", "saved", "one fp32 number a token and expert: the other is the router's",
               lambda p: -4 * scores(p)),
    Difference("dispatch", "forward", "input, probabilities, routing, copies, what arrives: none in SimuMax (11.1)",
               lambda p: x(p) + 8 * scores(p) + 2 * y(p)),
    Difference("dispatch", "backward", "the gradients of all but the routing: none in SimuMax (11.1)",
               lambda p: x(p) + 4 * scores(p) + 2 * y(p)),
    Difference("combine", "forward", "both orders of the copies, and the probabilities",
               lambda p: 2 * x(p) + y(p) + 4 * scores(p) - combined(p)),
    Difference("combine", "forward", "the copies that are weighed are kept",
               lambda p: 0 if weighs_early(p) else x(p)),
    Difference("combine", "backward", "both orders of the copies and the gradient of the probabilities (11.1)",
               lambda p: 2 * x(p) + y(p) + 4 * scores(p) - (0 if weighs_early(p) else combined(p))),
    Difference("combine", "saved", "no surplus rows", lambda p: 0 if weighs_early(p) else -surplus(p, x(p))),
    *(Difference("expert activation", what, "the probabilities and their gradient, fp32, are the router's own",
                 lambda p: -8 * scores(p) if weighs_early(p) else 0) for what in ("forward", "backward")),
    *(Difference(kind, what, "no surplus rows", amount)
      for kind in ("grouped_column_linear", "grouped_row_linear", "expert activation")
      for what, amount in (("saved", lambda p: -surplus(p, x(p))),
                           ("forward", lambda p: -surplus(p, x(p) + y(p))),
                           ("backward", lambda p: -surplus(p, x(p) + y(p))))),
    *(Difference(kind, "flops", "no surplus rows",
                 lambda p: -2 * surplus_rows(p) * weights(p) * p.plan["ep"] // p.plan["experts"])
      for kind in ("grouped_column_linear", "grouped_row_linear")),
)  # fmt: skip

# symsim has no quantised tensors: what enters a linear layer has 2 bytes an element, not 1.
QUANTISED = (
    *(Difference(kind, what, "2 bytes an element of the input, not 1", lambda p: x(p) // 2)
      for kind in ("linear", "column_linear", "row_linear") for what in ("forward", "backward")),
    *(Difference(kind, what, "2 bytes an element of the input, not 1", lambda p: (x(p) + surplus(p, x(p))) // 2)
      for kind in ("grouped_column_linear", "grouped_row_linear") for what in ("saved", "forward", "backward")),
    *(Difference(kind, "saved", "2 bytes an element of the input, not 1", lambda p: x(p) // 2)
      for kind in ("first reader", "output projection")),
    *(Difference(kind, "backward", "weight gradients go to the gradient buffer: SimuMax has one more in fp32",
                 lambda p: -4 * weights(p)) for kind in ("grouped_column_linear", "grouped_row_linear")),
)  # fmt: skip


def kinds(pair: Pair) -> set[str]:
    """The kind of an operator, and what its place makes of it."""
    found = {pair.operator.kind}
    place = pair.where.split(" ")[1].removesuffix(".linear")
    if place in OUTPUT_PROJECTIONS:
        found.add("output projection")
    elif pair.operator.kind in ("linear", "column_linear", "row_linear") and place not in SECOND_READERS:
        found.add("first reader")
    if place.endswith("expert_activation_layer"):
        found.add("expert activation")
    return found


def listed(pair: Pair) -> list[Difference]:
    """Differences that apply to an operator of one configuration."""
    chosen = (*ENDS, *LAYERS, *EXPERTS)
    chosen += EXCHANGE if exchanged(pair) else ATTENTION_ALONE
    chosen += QUANTISED if quantised(pair) else ()
    return [d for d in chosen if d.kind in kinds(pair)]
