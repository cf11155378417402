"""Evaluations of plans that form no grid: rows of arrays, and one plan at a time.

Run: python benchmarks/rows.py [--runs N] [--json]

Rows are random legal plans of llama3_405b on 16,384 GPUs, one array for each of the sizes that vary: tp, cp, pp, mbs,
shards, recomputed layers. One process, one thread. The best of some runs is shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from clock import as_json, machine, rate, shown

from symsim.analysis.evaluate import Evaluator, answer, evaluator, unanswered
from symsim.emit.code import compile_array
from symsim.loading.question import Question, question
from symsim.machine.bind import bind

MODEL = "llama3_405b"
PLAN = (
    "world=16384,gbs=2048,seq=8192,embedding_in_split=true,loss_in_split=true,cp_comm=ring,overlap_grad_reduce=true,"
    "overlap_param_gather=true,tp=8,cp=2,pp=16,mbs=1,zero=1,zero_shard=8,recompute=full,recompute_layers=2"
)
SYSTEM = "h100_sxm"

ROWS = 1_000_000
FEWER = 16_384
"""Rows of arrays that have an axis of 128 stages: they take so much longer."""

BLOCK = 256
"""Such rows that are evaluated at once: their arrays stay in the caches of a core."""

PLANS = 500
"""Different plans that take turns where one is evaluated at a time."""

BRIEF = ("memory.peak", "time.iteration")

WANTED = {"rows": 1e6, "one at a time": 2e3}
"""Rows and evaluations a second on one core."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the best one is shown")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    found = {"machine": machine(), "rows": rows(given.runs), "one_at_a_time": one_at_a_time(given.runs)}
    print(as_json(found)) if given.json else report(found)


def asked() -> tuple[Question, Evaluator]:
    at = question(MODEL, PLAN, SYSTEM)
    return at, evaluator(at.model, at.plan.structure)


def legal_rows(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random legal sizes, in no order."""
    random = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {n: [] for n in ("tp", "cp", "pp", "mbs", "zero_shard", "recompute_layers")}
    left = count
    while left > 0:
        tp, cp, pp = (2 ** random.integers(0, top, count) for top in (4, 7, 8))
        replicas = 16384 // (tp * cp * pp)
        shard, mbs = (2 ** random.integers(0, top, count) for top in (10, 6))
        legal = (replicas > 0) & (2048 % np.maximum(mbs * replicas, 1) == 0) & (shard <= replicas * cp)
        columns = (tp, cp, pp, mbs, shard, random.integers(1, 61, count))
        for name, column in zip(found, columns, strict=True):
            found[name].append(column[legal])
        left -= int(np.count_nonzero(legal))
    return {n: np.concatenate(parts)[:count].astype(float) for n, parts in found.items()}


def rows(runs: int) -> dict[str, Any]:
    """Rows a second of the whole answer about a plan, and of less and more than that."""
    at, compiled = asked()
    assert at.system is not None
    bound = bind(at.system, compiled.program.inputs, compiled.program.tables, compiled.program.figures)
    table = legal_rows(ROWS)
    outputs = compiled.program.outputs
    every = tuple(compiled.names(unanswered(at.plan.sizes, bound.values)))
    of_plan = tuple(n for n in every if outputs[n].scope == "run")
    measured: dict[str, Any] = {"api": through_api(table, runs)}
    cases = {
        "memory_and_time": BRIEF,
        "plan": of_plan,
        "stages": every,
    }
    for name, names in cases.items():
        function = compile_array(compiled.program, [outputs[n].register for n in names])

        def evaluate(columns: Mapping[str, np.ndarray], function: Any = function) -> None:
            values = {**at.plan.sizes, **bound.values, **columns}
            function.run([values[n] for n in function.inputs], bound.lookup)

        measured[name] = {"names": len(names), "rows": FEWER, "rows_per_s": _blocks(evaluate, table, runs)}
    return measured


def through_api(table: Mapping[str, np.ndarray], runs: int) -> dict[str, Any] | None:
    """``symsim.evaluate(plan, table)``, which also tells which rows are legal."""
    import symsim

    if not hasattr(symsim, "evaluate"):
        return None
    plan = symsim.load(MODEL, PLAN, SYSTEM)
    names = len(list(symsim.evaluate(plan, {n: c[:10] for n, c in table.items()})))
    seconds = _best(lambda: symsim.evaluate(plan, table), runs)
    return {"names": names, "rows": ROWS, "rows_per_s": ROWS / seconds}


def _blocks(evaluate: Callable[[Mapping[str, np.ndarray]], None], table: Mapping[str, np.ndarray], runs: int) -> float:
    def all_blocks() -> None:
        for start in range(0, FEWER, BLOCK):
            evaluate({n: column[start : start + BLOCK] for n, column in table.items()})

    with np.errstate(all="ignore"):
        return FEWER / _best(all_blocks, runs)


def one_at_a_time(runs: int) -> dict[str, Any]:
    """Evaluations a second in a warm process, of plans that differ each time."""
    at, compiled = asked()
    assert at.system is not None
    bound = bind(at.system, compiled.program.inputs, compiled.program.tables, compiled.program.figures)
    table = legal_rows(PLANS)
    plans = [{**at.plan.sizes, **{n: int(c[k]) for n, c in table.items()}} for k in range(PLANS)]
    some = compiled.some(BRIEF)

    def brief() -> None:
        for sizes in plans:
            values = {**sizes, **bound.values}
            some.run([values[n] for n in some.inputs], bound.lookup)

    def full() -> None:
        for sizes in plans:
            compiled.scalar(sizes, bound)

    def checked() -> None:
        for _ in plans:
            answer(at.model, at.plan, bound)

    names = compiled.names(unanswered(at.plan.sizes, bound.values))
    return {
        "memory_and_time": {"names": len(BRIEF), "per_s": PLANS / _best(brief, runs)},
        "every_output": {
            "names": len(names),
            "per_s": PLANS / _best(full, runs),
        },
        "every_output_and_rules": {
            "names": len(names),
            "per_s": PLANS / _best(checked, runs),
        },
    }


def _best(step: Callable[[], object], runs: int) -> float:
    """Seconds of the best run; the first one builds functions and does not count."""
    step()
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        spent.append(time.perf_counter() - start)
    return min(spent)


SAID = {
    "api": "symsim.evaluate(plan, table): the answer and which rows are legal",
    "memory_and_time": "peak memory and step time",
    "plan": "every output of a plan, the peak over stages among them",
    "stages": "every output, also of each stage and layer",
    "every_output": "every output, also of each stage and layer",
    "every_output_and_rules": "the same and all rules checked, as eval does",
}


def report(found: dict[str, Any]) -> None:
    many = [
        [
            SAID[name],
            str(case["names"]),
            rate(case["rows_per_s"]),
            rate(WANTED["rows"]) if name in ("api", "plan") else "",
        ]
        for name, case in found["rows"].items()
        if case is not None
    ]
    one = [
        [SAID[name], str(case["names"]), rate(case["per_s"]), rate(WANTED["one at a time"])]
        for name, case in found["one_at_a_time"].items()
    ]
    tables = [
        ("rows, one array for each name, one core", ["what", "outputs", "rows", "wanted"], many),
        ("one plan at a time, warm process", ["what", "outputs", "evaluations", "wanted"], one),
    ]
    shown(found, tables)


if __name__ == "__main__":
    main()
