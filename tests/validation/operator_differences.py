"""Where symsim counts an operator's FLOPs or bytes otherwise than SimuMax, how much, and why.

Q6, Q13 and 11.1 are the places of a published reading of that model's quirks: double-counted norm
outputs, a log-sum-exp of 2 bytes, and what its per-rank memory leaves out on B200.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.validation.operator_counts import Pair

What = Literal["saved", "forward", "backward", "flops"]

OUTPUT_PROJECTIONS = ("attention.linear_out", "attention.linear_out_proj")
"""Their input is the output of attention, and is held there."""
SECOND_READER = "attention.linear_kv_down_proj"
"""Its input is that of the queries' down-projection."""


@dataclass(frozen=True)
class Difference:
    """What symsim's count of an operator has more than SimuMax's, in bytes or FLOPs."""

    kind: str
    what: What
    reason: str
    amount: Callable[[Pair], int]


def x(pair: Pair) -> int:
    """Bytes of the first input on one rank: a shard of the sequence where it is one."""
    return pair.plan.bytes(pair.operators[0].inputs[0])


def y(pair: Pair) -> int:
    return pair.plan.bytes(pair.operators[-1].outputs[0])


def inputs(pair: Pair) -> int:
    return pair.plan.bytes(*pair.operators[0].inputs)


def own(pair: Pair, name: str) -> int:
    """Bytes of a tensor that an operator saves of its own."""
    return pair.plan.bytes(*(t for o in pair.operators for t in o.saves if t.name.endswith(f".{name}")))


def rows(pair: Pair) -> int:
    return pair.plan.number(pair.operators[0].inputs[0].shape[0])


def weights(pair: Pair) -> int:
    return sum(pair.plan.number(w.elements) for o in pair.operators for w in o.weights)


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


def chosen(pair: Pair) -> int:
    """Copies of tokens, before any capacity."""
    return pair.plan["T"] * pair.plan["topk"]


def scales(pair: Pair) -> int:
    """One fp32 number for each tensor that is quantised: the rows of each expert are one."""
    return 4 * (pair.plan["experts"] // pair.plan["ep"] if pair.kind.startswith("grouped") else 1)


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
    Difference("output projection", "saved", "attention holds its own output; with fp8 both tools keep a "
               "quantised copy here", lambda p: 0 if quantised(p) else -x(p)),
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
    Difference("router", "saved", "shared experts hold its input already (Q6); with fp8 they hold a quantised copy",
               lambda p: 0 if quantised(p) else -x(p)),
    *(Difference("router", what, "scores of the choice and of the balance, fp32, maps of chosen experts and of groups, "
                 "and the experts that each token chose, int64",
                 lambda p: (4 + 4 + 1 + 1) * scores(p) + 8 * chosen(p)) for what in ("saved", "forward")),
    *(Difference("router", what, "its weight is not temporary", lambda p: -2 * router_weights(p))
      for what in ("forward", "backward")),
    Difference("permutation", "saved", "the probabilities, bf16, and the map from rows to tokens: two int32 numbers a "
               "token and expert and one a token; SimuMax has 8 bytes a token and expert",
               lambda p: (2 + 8 - 8) * scores(p) + 4 * p.plan["T"]),
    *(Difference("permutation", what, "what is sent, what arrives, and the probabilities, or their gradients: none in "
                 "SimuMax (11.1)", lambda p: 2 * y(p) + 2 * scores(p)) for what in ("forward", "backward")),
    Difference("unpermutation", "forward", "the copies in both orders; SimuMax has them once, and the tokens where "
               "they are weighed here", lambda p: x(p) - (0 if weighs_early(p) else y(p))),
    Difference("unpermutation", "backward", "the gradients of the copies in both orders; SimuMax has nothing, or what "
               "it has going forward (11.1)", lambda p: 2 * x(p) - (0 if weighs_early(p) else x(p) + y(p))),
    *(Difference("expert activation", what, "SimuMax has the probabilities and their gradient here too, fp32",
                 lambda p: -8 * scores(p) if weighs_early(p) else 0) for what in ("forward", "backward")),
)  # fmt: skip

# SimuMax has the quantised input alone; its quantiser is an operator before, with temporaries of its own.
QUANTISED = (
    *(Difference(kind, what, reason, amount)
      for kind in ("linear", "column_linear", "row_linear", "grouped_column_linear", "grouped_row_linear")
      for what, reason, amount in (
          ("saved", "the scale of what is quantised", scales),
          ("forward", "the bf16 input, and two quantised copies with their scale, for this GEMM and for the weight "
           "gradient's, not one", lambda p: x(p) + x(p) // 2 + scales(p)),
          ("backward", "the gradient of the input has 2 bytes an element, and that of the output has two quantised "
           "copies", lambda p: x(p) // 2 + y(p)))),
    Difference("second reader", "saved", "a quantised copy of its own: SimuMax has one for both", lambda p: x(p) // 2),
    *(Difference(kind, "backward", "weight gradients go to the gradient buffer: SimuMax has one more in fp32",
                 lambda p: -4 * weights(p)) for kind in ("grouped_column_linear", "grouped_row_linear")),
)  # fmt: skip

EVERY = (*ENDS, *LAYERS, *ATTENTION_ALONE, *EXCHANGE, *EXPERTS, *QUANTISED)


def kinds(pair: Pair) -> set[str]:
    """The kind of an operator, and what its place makes of it."""
    found = {pair.kind}
    if pair.place in OUTPUT_PROJECTIONS:
        found.add("output projection")
    if pair.place == SECOND_READER:
        found.add("second reader")
    if pair.place == "mlp.expert_activation_layer":
        found.add("expert activation")
    if pair.place in ("mlp.permutation", "mlp.unpermutation"):
        found.add(pair.place.removeprefix("mlp."))
    return found


def listed(pair: Pair) -> list[Difference]:
    """Differences that apply to an operator of one configuration."""
    found = (*ENDS, *LAYERS, *EXPERTS)
    found += EXCHANGE if exchanged(pair) else ATTENTION_ALONE
    found += QUANTISED if quantised(pair) else ()
    return [d for d in found if d.kind in kinds(pair)]
