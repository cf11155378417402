"""What a plan and a measured run may differ in, and by how much.

Sizes and figures of the machine are compared in doublings: log2 of their ratio. Words differ or do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from symsim.loading.question import Question
from symsim.records.model import Model
from symsim.records.system import System

WORDS = ("system", "framework", "precision", "experts", "family")
"""Words of a plan that count one by one. ``experts`` is the kind of model, of :data:`KINDS`."""
CHOICES = ("recompute", "sharded", "attention", "dispatch", "cuda_graph", "framework_version")
"""Words that choose other kernels or another order of messages; they count together."""
SIZES = ("tp", "pp", "cp", "ep", "world", "mbs", "seq", "hidden", "layers")
FIGURES = ("network.bandwidth", "link.bandwidth", "hbm.bandwidth", "matmul.bf16")
"""What a machine's times hang on most; other figures count where they were set for this question."""

DIFFERENCES: Mapping[str, str] = {
    "system": "another machine",
    "framework": "another framework",
    "precision": "another precision of the GEMMs",
    "experts": "experts where there were none, or the reverse",
    "family": "another family of models",
    "choices": "recomputation, sharding of weights, attention kernel, dispatcher, CUDA graphs, version: each",
    "figures": "a bandwidth or peak of the machine, or another figure set for this question: each doubling",
    "fitted_system": "constants of the machine fitted to measured steps: none, where there were 9",
    "fitted_framework": "constants fitted to steps of the framework: none, where there were 9",
    "parallel": "tp, pp, cp, ep: each doubling",
    "world": "number of GPUs: each doubling",
    "batch": "mbs: each doubling",
    "seq": "sequence length: each doubling",
    "model": "hidden size, layers: each doubling",
}
"""Kinds of difference, in the order of :func:`differences`."""

SIXTEEN_BITS = ("bf16", "fp16")
"""One precision: the same kernels at the same rate."""
NOT_OF_TIME = ("memory.capacity",)
"""Figures that no time hangs on."""
MOST_FITTED = math.log2(1 + 9)
"""Scale of what a fit of constants counts: the machine with most of them has 9."""

Doublings = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides how far a measured run tells of a plan.

    ``fitted`` is the share, in doublings, of the constants that were fitted to steps of the machine and of the
    framework. A figure that a machine does not have is NaN.
    """

    words: tuple[str, ...]
    choices: tuple[str, ...]
    sizes: Doublings
    figures: Doublings
    fitted: tuple[float, float] = (0.0, 0.0)


def traits_of(asked: Question) -> Traits:
    """The traits of a question on a machine; what was fitted is not among them."""
    values, system = asked.plan.values, asked.system
    routed = asked.model.largest("experts") > 0
    precision = "16 bits" if values["precision"] in SIXTEEN_BITS else str(values["precision"])
    kind = kind_of(asked.model)
    name = system.name if system is not None else ""
    words = (name, str(values["framework"]), precision, kind, asked.model.family)
    recompute = values["recompute"] if isinstance(values["recompute"], str) else "some"
    choices = (
        recompute,
        "weights" if str(values["zero"]) in ("2", "3") else "states",
        str(values["attention"]),
        str(values["moe_dispatch"]) if routed else "",
        "graphs" if values["cuda_graph"] else "",
        str(values["framework_version"] or ""),
    )
    numbers = {n: values[n] if n in values else asked.model.largest(n) for n in SIZES} | ({} if routed else {"ep": 1})
    return Traits(words, choices, tuple(_doublings(numbers[n]) for n in SIZES), _figures(system))


KINDS: Mapping[str, str] = {
    "dense": "a dense model",
    "moe": "a model with experts",
    "other mixers": "a model with state-space layers, linear or sparse attention",
    "other mixers, moe": "a model with state-space layers, linear or sparse attention, and experts",
}
"""Kinds of models whose runs are compared, in words."""
MEASURED_MIXERS = frozenset({"full", "sliding", "chunked", "latent", "none"})
"""What mixes tokens in models whose runs were measured: attention. Other kernels are rated by borrowed figures."""
OTHER_MIXERS = ("state", "linear_key_heads", "indexer_topk")
"""Sizes that are above 0 where a model has mixers of which no run was measured."""


def kind_of(model: Model) -> str:
    """The kind of a model: its experts, and whether anything but attention mixes its tokens."""
    found = model.dimensions.get("mixer", "full")
    mixers = found if isinstance(found, tuple) else (found,)
    other = any(m not in MEASURED_MIXERS for m in mixers) or any(model.largest(n) > 0 for n in OTHER_MIXERS)
    if other:
        return "other mixers, moe" if model.largest("experts") else "other mixers"
    return "moe" if model.largest("experts") else "dense"


def _doublings(number: object) -> float:
    return math.log2(number) if isinstance(number, int) and number > 0 else 0.0


def _figures(system: System | None) -> Doublings:
    """log2 of the figures that count, and how many others were set for this question."""
    stated = system.figures if system is not None else {}
    known = (stated.get(name) for name in FIGURES)
    others = sum(f.source in SET for n, f in stated.items() if n not in (*FIGURES, *NOT_OF_TIME))
    return (*(math.log2(f.value) if f is not None and f.value > 0 else math.nan for f in known), float(others))


SET = ("--set", "given")
"""Sources of figures that were laid over a machine's file."""


def differences(one: Traits, other: Traits) -> list[float]:
    """By how much two plans differ, in the order of :data:`DIFFERENCES`."""
    return [*differences_of_kind(one, other), *differences_of_size(one.sizes, other.sizes)]


def differences_of_kind(one: Traits, other: Traits) -> list[float]:
    """The differences that many runs have in common: the first :data:`OF_KIND`."""
    apart = [0.0 if x == y else 1.0 for x, y in zip(one.words, other.words, strict=True)]
    apart.append(float(sum(x != y for x, y in zip(one.choices, other.choices, strict=True))))
    apart.append(sum(map(abs, figure_doublings(one, other))))
    return apart + [abs(x - y) for x, y in zip(one.fitted, other.fitted, strict=True)]


OF_KIND = 9


def differences_of_size(a: Doublings, b: Doublings) -> tuple[float, float, float, float, float]:
    """The other differences, in sizes alone."""
    return (
        abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2]) + abs(a[3] - b[3]),
        abs(a[4] - b[4]),
        abs(a[5] - b[5]),
        abs(a[6] - b[6]),
        abs(a[7] - b[7]) + abs(a[8] - b[8]),
    )


def figure_doublings(one: Traits, other: Traits) -> list[float]:
    """Doublings between the figures of two machines; 0 where one of them has none."""
    if one.figures == other.figures:
        return []
    return [x - y if x == x and y == y else 0.0 for x, y in zip(one.figures, other.figures, strict=True)]


def group_of(kind: str, in_set: str, traits: Traits) -> str:
    """The group that a run is left out with: its ``set``, or all runs that share a word of :data:`WORDS`."""
    return in_set if kind == "set" else traits.words[WORDS.index(kind)]


def fitted_share(constants: int) -> float:
    """What a number of fitted constants counts: 0 for none, 1 for nine."""
    return math.log2(1 + constants) / MOST_FITTED
