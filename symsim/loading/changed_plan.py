"""A question with other values in place of those that were asked about: settled like any plan that somebody wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from symsim.diagnostics import Place, Source
from symsim.language.strategies import Strategy
from symsim.loading.plan import Plan, counts_microbatches, plan
from symsim.loading.question import Question
from symsim.records.strategy import Value

Values = Mapping[str, Value | None]
"""Names of a strategy and their values; ``None`` leaves a name out."""

_PLACES: Mapping[str, Place] = defaultdict(lambda: Place(Source("", ""), 1, 1, 1))
"""Nobody wrote these choices anywhere; whoever asks says what is wrong with them."""


def with_values(asked: Question, values: Values) -> Question:
    """The same model, machine and requirements under a strategy of ``values`` alone.

    Raises:
        InputError: the values contradict each other, or say too little.
    """
    given = {n: v for n, v in values.items() if v is not None}
    strategy = Strategy(asked.strategy_name, "", given, {}, {}, asked.requires, None, _PLACES)
    return replace(asked, plan=plan(strategy, model=asked.model))


def stated(settled: Plan, by_microbatches: bool = False) -> dict[str, Value]:
    """The values of a plan without those that follow from others; :func:`with_values` gives the plan back.

    The size of a step is stated as gbs, or ``by_microbatches``. The schedule follows from virtual chunks where
    it is 1F1B or interleaved, and these from a layout or from ZB-V; from tp follows whether key-value heads are
    repeated.
    """
    values = {n: v for n, v in settled.values.items() if v is not None}
    values.pop("repeat_kv_heads", None)
    values.pop("gbs" if by_microbatches else "microbatches", None)
    if values["schedule"] == "interleaved":
        values["schedule"] = "1f1b"
    if "layout" in values or values["schedule"] == "zb_v":
        del values["vp"]
    return values


def both_count_microbatches(first: Plan, second: Plan) -> bool:
    """Whether both strategies give micro-batches, from which gbs follows."""
    return counts_microbatches(first) and counts_microbatches(second)
