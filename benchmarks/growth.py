"""How the time of a search grows: with points in a line, with stages and with layers not at all.

Run: python benchmarks/growth.py [--runs N] [--plot FILE.png] [--json]

Each search runs with its formulas compiled before (see clock.Compiled), on one core. Points grow by longer sets of the
same names. Stages and layers change alone: the machine grows with the stages, so that the mesh of each stage, the
micro-batches and the number of points are the same. The best of some runs is shown. --plot needs matplotlib.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from clock import as_json, machine, shown, sweep_alone

from symsim.analysis.evaluate import evaluator
from symsim.loading.question import question
from symsim.machine.bind import bind

FIXED = (
    "gbs=2048,seq=8192,embedding_in_split=true,loss_in_split=true,cp_comm=ring,overlap_grad_reduce=true,"
    "overlap_param_gather=true,overlap_p2p=true,zero=1,recompute=full"
)

WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9)
"""With each the numbers of recomputed layers double, and shards and ranks of the context have one value more."""

FITTED = 100_000
"""Points from which the line is fitted: below them a search takes what its formulas take, however few points it has."""

ALL_FIT = ("memory.capacity=1000 TB",)
"""Every plan fits, so that no more points are evaluated on one side of a comparison than on the other."""

STAGES = (8, 16, 32, 64, 128)
LAYERS = (30, 62, 126, 254, 510)
"""With the embedding and the head, which count as a layer each, these are even on 2, 4, 8 and 16 stages."""

RANKS = 128
"""GPUs of each stage where stages change."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the best one is shown")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it (or .svg)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    answer: dict[str, Any] = {
        "machine": machine(),
        "points": [point | {"width": width} for width, point in _each(WIDTHS, wider, given.runs)],
        "stages": [point | {"stages": pp} for pp, point in _each(STAGES, staged, given.runs)],
        "layers": [point | {"layers": n} for n, point in _each(LAYERS, layered, given.runs)],
    }
    many = [point for point in answer["points"] if point["legal"] >= FITTED]
    answer["exponents"] = {
        "points": exponent([p["legal"] for p in many], [p["sweep_s"] for p in many]),
        "stages": exponent(STAGES, [p["sweep_s"] for p in answer["stages"]]),
        "layers": exponent(LAYERS, [p["sweep_s"] for p in answer["layers"]]),
    }
    print(as_json(answer)) if given.json else report(answer)
    if given.plot:
        draw(answer, given.plot)


def wider(width: int) -> tuple[str, tuple[str, ...]]:
    cp = _set(2**k for k in range(width))
    shards = _set(2**k for k in range(1, width + 2))
    return (
        f"{FIXED},world=16384,tp in {{1,2,4,8}},cp in {cp},pp in {{1,2,4,8,16,32,64,128}},mbs in {{1,2,4,8,16,32,64}},"
        f"zero_shard in {shards},recompute_layers in 1..{2**width}",
        (),
    )


def staged(stages: int) -> tuple[str, tuple[str, ...]]:
    return f"{FIXED},world={RANKS * stages},pp={stages},{_mesh()}", ()


def layered(layers: int) -> tuple[str, tuple[str, ...]]:
    return f"{FIXED},world=2048,pp=16,{_mesh()}", (f"layers={layers}",)


def _mesh() -> str:
    shards = _set(2**k for k in range(1, 7))
    sets = "tp in {1,2,4,8},cp in {1,2,4,8,16},mbs in {1,2,4,8,16},recompute_layers in 1..500"
    return f"{sets},zero_shard in {shards}"


def _set(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _each(
    values: Iterable[int], space: Callable[[int], tuple[str, tuple[str, ...]]], runs: int
) -> Iterable[tuple[int, dict[str, Any]]]:
    for value in values:
        text, settings = space(value)
        tries = [sweep_alone("llama3_405b", text, 1, (*settings, *ALL_FIT)) for _ in range(runs)]
        result = tries[0][0]
        yield (
            value,
            {
                "legal": result.legal,
                "feasible": result.feasible,
                "sweep_s": min(engine.wall_s for _, engine in tries),
                "formulas_s": min(engine.compile_s for _, engine in tries),
                "one_plan_s": one_plan(text, settings, runs),
            },
        )


def one_plan(space: str, settings: tuple[str, ...], runs: int) -> float:
    """Seconds for peak memory and step time of one plan of the space, the one of its largest sizes."""
    sizes = "tp=8,cp=1,mbs=1,zero_shard=2,recompute_layers=1"
    sizes += "" if ",pp=" in space else ",pp=128"
    fixed = ",".join(part for part in space.split(",tp in")[0].split(",pp in")[0].split(",") if " in " not in part)
    at = question("llama3_405b", f"{fixed},{sizes}", "h100_sxm", settings)
    assert at.system is not None
    compiled = evaluator(at.model, at.plan.structure)
    bound = bind(at.system, compiled.program.inputs, compiled.program.tables, compiled.program.figures)
    function = compiled.some(("memory.peak", "time.iteration"))
    values = {**at.plan.sizes, **bound.values}
    given = [values[n] for n in function.inputs]
    best = math.inf
    for _ in range(100 * runs):
        start = time.perf_counter()
        function.run(given, bound.lookup)
        best = min(best, time.perf_counter() - start)
    return best


def exponent(sizes: Iterable[float], seconds: Iterable[float]) -> float:
    """The slope of a line through logarithms: 1 is growth in a line, 0 none."""
    return float(np.polyfit(np.log(list(sizes)), np.log(list(seconds)), 1)[0])


def report(answer: dict[str, Any]) -> None:
    tables = []
    for name, first in (("points", "legal"), ("stages", "stages"), ("layers", "layers")):
        rows = [
            [
                f"{p[first]:,}",
                f"{p['legal']:,}",
                f"{p['sweep_s'] * 1e3:.1f} ms",
                f"{p['legal'] / p['sweep_s'] / 1e6:.2f} M/s",
                f"{p['formulas_s'] * 1e3:.0f} ms",
                f"{p['one_plan_s'] * 1e3:.2f} ms",
            ]
            for p in answer[name]
        ]
        title = f"{name}: the sweep grows with exponent {answer['exponents'][name]:.2f}"
        headings = [name, "legal points", "sweep", "points", "formulas", "one plan"]
        tables.append((title, headings[name == "points" :], [row[name == "points" :] for row in rows]))
    shown(answer, tables)


BLUE, ORANGE = "#0072b2", "#d55e00"


def draw(answer: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = (
        ("points", "legal", "legal points"),
        ("stages", "stages", "pipeline stages"),
        ("layers", "layers", "layers"),
    )
    for axes, (name, key, label) in zip(figure.subplots(1, 3), panels, strict=True):
        across = [p[key] for p in answer[name]]
        axes.plot(across, [p["sweep_s"] for p in answer[name]], "o-", color=BLUE, label="sweep")
        axes.plot(across, [p["formulas_s"] for p in answer[name]], "s--", color=ORANGE, label="formulas")
        axes.set(xscale="log", yscale="log", xlabel=label, ylim=(1e-3, 20))
        if name != "points":
            axes.set_xscale("log", base=2)
            axes.set_xticks(across, [str(x) for x in across], minor=False)
            legal = sorted({p["legal"] for p in answer[name]})
            count = f"{legal[0]:,}" if len(legal) == 1 else f"{legal[0]:,} to {legal[-1]:,}"
            axes.set_title(f"{count} points each: exponent {answer['exponents'][name]:.2f}", fontsize=10)
        else:
            axes.set_ylabel("seconds, one core")
            axes.set_title(f"exponent {answer['exponents'][name]:.2f}", fontsize=10)
            axes.legend(frameon=False)
        axes.grid(alpha=0.3, which="major")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
