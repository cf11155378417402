"""``docs/accuracy.md``, its picture, and the table that error bars are made from."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.analysis.fitting.accuracy import Accuracy, Judged, summary_of
from symsim.analysis.fitting.agreement import summary
from symsim.analysis.fitting.bar_coverage import ErrorBars
from symsim.report.error_bars import error_bars_section
from symsim.report.scatter import scatter

WORST = 3
"""Cases of a set that are named as the worst."""

QUANTITIES = {"iteration_s": "step time", "tflops_per_gpu_full_attention": "TFLOP/s"}

INTRODUCTION = """\
# Accuracy of predicted steps

Written by `python docs/generate.py accuracy` from `accuracy/cases.json`: {n} steps that others measured and published.
The error is predicted/measured − 1.

- **as stated**: every figure of the machine as data sheets and microbenchmarks have it; nothing is fitted.
- **shipped**: with the fitted figures that the system files ship (`calibrated … from …`: [calibrate.md](calibrate.md)).
- **held out**: each group of cases (one model and layout, whatever its batch and number of replicas) predicted by a fit
  to the others. This is the error to expect of a plan that nobody measured. Where no constant was fitted to a set, it
  is the shipped error.
- **fitted**: constants of the set's machine that were fitted to it; one factor for several counts once.
- **Spearman**: rank correlation of predicted and measured among cases that share a model and a machine, held out.
"""


def page(found: Accuracy, peers: Sequence[dict[str, str]], bars: ErrorBars) -> str:
    parts = [
        INTRODUCTION.format(n=len(found.judged)),
        _table(found),
        "![predicted against measured](accuracy.svg)\n\nHeld out; the grey band is ± 10 %.\n",
        *_facts(found),
        "## Other tools on the same steps\n",
        _peers(found, peers),
        error_bars_section(bars),
        "## Where it is worst\n\nHeld out.\n",
        _worst(found),
    ]
    if found.failed:
        parts += ["## Not computed\n", "\n".join(f"- {name}: {reason}" for name, reason in found.failed) + "\n"]
    return "\n".join(parts)


def _table(found: Accuracy) -> str:
    lines = [
        "| set | machine | quantity | n | fitted | as stated: mean, worst, bias % | shipped: mean, worst, bias % "
        "| held out: mean, worst, bias % | Spearman |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found.rows:
        judged = found.of(row)
        first = judged[0].case
        systems = dict.fromkeys(j.case.asked.system.name for j in judged if j.case.asked.system is not None)
        machine = ", ".join(systems)
        held_out = summary_of(judged, "held_out")
        order = "" if held_out["spearman"] is None else f"{held_out['spearman']:.3f}"
        cells = [_errors(summary_of(judged, stage)) for stage in ("stated", "shipped", "held_out")]
        fitted = str(found.fitted[first.set])
        lines.append(
            f"| {' | '.join([row, machine, QUANTITIES[first.quantity], str(len(judged)), fitted, *cells, order])} |"
        )
    return "\n".join(lines) + "\n"


FACTS = """\
## What cases leave out

Some cases were published without a fact of their model or machine that their sources state. It is given to them here
(`facts` in `accuracy/cases.json`), in every figure above; without it the shipped errors are these.
"""


def _facts(found: Accuracy) -> list[str]:
    lines = [
        "| set | n | fact | with it: mean, worst, bias % | without it: mean, worst, bias % |",
        "|---|---|---|---|---|",
    ]
    told = dict.fromkeys((j.row, j.facts) for j in found.judged if j.facts)
    for row, fact in told:
        judged = [j for j in found.of(row) if j.facts == fact]
        both = [j for j in judged if "without_facts" in j.errors]
        without = _errors(summary_of(both, "without_facts")) if both else NOT_WITHOUT
        cells = [_errors(summary_of(judged, "shipped")), without]
        lines.append(f"| {' | '.join([row, str(len(judged)), fact, *cells])} |")
    return [FACTS, "\n".join(lines) + "\n"] if told else []


NOT_WITHOUT = "no such plan"
"""Of cases that cannot be computed without a fact: layers that no layout places, for one."""


def _errors(errors: dict[str, float | None]) -> str:
    return f"{errors['mean_abs_pct']:.2f}, {errors['max_abs_pct']:.2f}, {errors['bias_pct']:+.2f}"


def _peers(found: Accuracy, peers: Sequence[dict[str, str]]) -> str:
    lines = [
        "| set | tool | n | its mean, worst % | symsim held out: mean, worst % | whose figures |",
        "|---|---|---|---|---|---|",
    ]
    for row in found.rows:
        judged = found.of(row)
        tools = dict.fromkeys(tool for j in judged for tool in j.peers)
        for tool in tools:
            both = [j for j in judged if tool in j.peers]
            theirs = summary([j.peers[tool] for j in both])
            lines.append(
                _peer(row, tool, both, f"{theirs['mean_abs_pct']:.2f}, {theirs['max_abs_pct']:.2f}", "the cases'")
            )
        for peer in peers:
            if peer["set"] == row:
                shown = ", ".join(filter(None, (peer["mean_abs_pct"], peer["max_abs_pct"])))
                lines.append(_peer(row, peer["tool"], judged, shown, peer["source"]))
    return "\n".join(lines) + "\n"


def _peer(row: str, tool: str, judged: Sequence[Judged], theirs: str, source: str) -> str:
    ours = summary_of(judged, "held_out")
    figures = f"{ours['mean_abs_pct']:.2f}, {ours['max_abs_pct']:.2f}"
    return f"| {row} | {tool} | {len(judged)} | {theirs} | {figures} | {source} |"


def _worst(found: Accuracy) -> str:
    lines = ["| set | cases |", "|---|---|"]
    for row in found.rows:
        worst = sorted(found.of(row), key=lambda j: -abs(j.errors["held_out"]))[:WORST]
        named = (f"{j.case.id} {j.errors['held_out']:+.1f} %" for j in worst)
        lines.append(f"| {row} | {', '.join(named)} |")
    return "\n".join(lines) + "\n"


def picture(found: Accuracy) -> str:
    sets = dict.fromkeys(j.case.set for j in found.judged)
    return scatter({name: [_steps(j) for j in found.judged if j.case.set == name] for name in sets})


def _steps(judged: Judged) -> tuple[float, float]:
    """Measured and predicted seconds of a step; a rate is as much too high as the time is too short."""
    case, ratio = judged.case, 1 + judged.errors["held_out"] / 100
    if case.quantity == "iteration_s":
        return case.measured, case.measured * ratio
    measured = case.step_s * case.predicted / case.measured
    return measured, measured / ratio
