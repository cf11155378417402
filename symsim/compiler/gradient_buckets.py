"""Buckets in which gradients are reduced while the backward pass makes others: what of them is ready last.

A bucket holds whole parameters, in the order of the backward pass: parameters are added until it has its size. So what
is ready last is what was added since the last full one, and at the end the table of the embedding, however large. Only
the first rank of a pipeline has several buckets, and of its chunks the first alone.

Source: Megatron-Core 0.16.1, distributed/distributed_data_parallel.py (bucket_size) and param_and_grad_buffer.py
(_ParamAndGradBuffer); Megatron-LM, megatron/training/training.py (disable_bucketing of later chunks).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.profile import Profile
from symsim.compiler.rounding import rounded_up
from symsim.compiler.sharding import Group, groups, trained_elements
from symsim.compiler.simplify import tidy, total
from symsim.compiler.stages import Part, Stages
from symsim.functions import equal, less, maximum, minimum, remainder, sum_before, where
from symsim.records.graph import Weight
from symsim.records.strategy import Structure
from symsim.symbols import symbol


@dataclass(frozen=True, slots=True)
class _Parameters:
    """So many parameters in a row of one size."""

    name: str
    count: Expr
    size: Expr


def last_bucket(stages: Stages, structure: Structure, profile: Profile, ledger: Ledger) -> Expr:
    """The share of a stage's gradients that is reduced when nothing is left to compute.

    Where no parameter fills a bucket by itself, buckets of the layers before the first one are taken to end exactly at
    their size.
    """
    elements = trained_elements("P", ledger) + trained_elements("P_expert", ledger)
    size = sympy.sympify(profile["reduction_bucket"])
    of_rank = sympy.sympify(profile["reduction_bucket_of_rank"])
    given = "ddp_bucket_size"
    bucket = maximum(size, of_rank * symbol("dp") * symbol("cp"))
    bucket = symbol(given) if given in structure.symbols else bucket
    if not profile["whole_parameters_in_buckets"]:
        return minimum(1, bucket / maximum(elements, 1))
    bucket = ledger.define("bucket.size", bucket, "elements with which a bucket of gradients is full", "", "time")
    last: Expr = Integer(0)
    for group in groups(structure, ledger):
        suffix = group.name.removeprefix("P")
        meaning = "elements of the rank's first chunk, which runs backward last"
        chunk = ledger.define(f"bucket.chunk{suffix}", _of_first_chunk(stages, group), meaning, "elements", "time")
        several = _last_of_several(stages, group, chunk, bucket, structure, ledger)
        name = f"bucket.last{suffix}"
        amount = where(equal(symbol("i"), 0), minimum(several, chunk), chunk)
        last += ledger.define(name, amount, "elements of the bucket that is ready last", "elements", "time")
    return last / maximum(elements, 1)


def behind_first_stage(ledger: Ledger) -> Expr:
    """Seconds by which a stage ends its backward passes before the first one does."""
    known = ledger.value("pipeline.back")
    return sum_before(symbol("B")) if known == 0 else known


def _of_first_chunk(stages: Stages, group: Group) -> Expr:
    """Elements of a group in the first chunk of a rank, which is the last to run backward."""
    out: Expr = Integer(0)
    for part in stages.parts:
        plain = tidy(total(w.elements for w in group.own_trained(part) if not w.tied))
        tied = tidy(total(w.elements for w in group.own_trained(part) if w.tied))
        count = part.in_chunks[0]
        if stages.alike != 1:
            # One chunk represents all of them: layers are spread over them, and the head is in the last one.
            count = count / stages.alike if part.is_layer else count if part is stages.parts[0] else Integer(0)
        out += count * plain + (Integer(0) if stages.alike != 1 else part.untied) * tied
    return out


def _last_of_several(
    stages: Stages, group: Group, chunk: Expr, bucket: Expr, structure: Structure, ledger: Ledger
) -> Expr:
    """Elements of the last bucket on the first stage: parameter by parameter through its first layer and embedding."""
    first = _first_layer(stages, group)
    ends = [first, stages.parts[0]] if first is not None else [stages.parts[0]]
    alone = [w for w in group.own_trained(stages.parts[0]) if _has_own_bucket(w, stages, structure)]
    row = [p for part in ends for p in _backward(group, part)]
    if not row:
        return chunk
    if alone:
        return where(less(1, symbol("pp")), alone[0].elements, _filled(group, row, chunk, bucket, ledger))
    return _filled(group, row, chunk, bucket, ledger)


def _filled(group: Group, row: list[_Parameters], chunk: Expr, bucket: Expr, ledger: Ledger) -> Expr:
    counted = sympy.Add(*(p.count * p.size for p in row))
    suffix = group.name.removeprefix("P")
    rest = remainder(maximum(chunk - counted, 0), bucket)
    meaning = "elements in the open bucket before the first layer of the stage"
    filled = ledger.define(f"bucket.open{suffix}", rest, meaning, "elements", "time")
    for k, parameters in enumerate(row):
        at_end = k == len(row) - 1
        filled = _added(filled, parameters, parameters.count - 1 if at_end else parameters.count, bucket)
        meaning = f"elements in the open bucket {'before the last' if at_end else 'after'} {parameters.name}"
        filled = ledger.define(f"bucket{suffix}.{parameters.name}", filled, meaning, "elements", "time")
    return filled + row[-1].size


def _added(filled: Expr, parameters: _Parameters, count: Expr, bucket: Expr) -> Expr:
    """What an open bucket has when so many parameters were added: full ones are closed on the way."""
    if count == 0:
        return filled
    size = parameters.size
    if count == 1:
        return where(less(filled + size, bucket), filled + size, 0)
    to_full, each = rounded_up((bucket - filled) / size), rounded_up(bucket / size)
    return where(less(count, to_full), filled + count * size, remainder(count - to_full, each) * size)


def _first_layer(stages: Stages, group: Group) -> Part | None:
    """The kind of layer that comes first in the model, of those with weights of the group."""
    layers = [part for part in stages.parts if part.is_layer and group.own_trained(part)]
    return min(layers, key=lambda part: part.segments[0], default=None)


def _backward(group: Group, part: Part) -> list[_Parameters]:
    """A unit's parameters in the order of the backward pass; each matrix of an expert is one."""
    out: list[_Parameters] = []
    for weight in reversed(group.own_trained(part)):
        if not weight.tied:
            count = weight.shape[0] if weight.expert else Integer(1)
            out.append(_Parameters(weight.name, count, tidy(weight.elements / count)))
    return out


def _has_own_bucket(weight: Weight, stages: Stages, structure: Structure) -> bool:
    """The table that another stage shares, with a distributed optimizer."""
    tied = any(w.tied for part in stages.parts for o in part.unit.operators for w in o.weights)
    return tied and weight.embedding and structure["zero"] != 0
