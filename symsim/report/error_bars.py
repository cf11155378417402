"""The part of ``docs/accuracy.md`` about error bars, and the two tables that bars are made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from symsim.analysis.fitting.bar_coverage import SLOWER, Covered, ErrorBars, by_set, covered
from symsim.analysis.fitting.error_bar import COLUMNS, LEFT_OUT, Known, Learned
from symsim.analysis.fitting.plan_traits import DIFFERENCES, SIZES

BARS = """\
## Error bars

How far may a predicted step be off? `symsim eval` prints it with the step: `9.4 s ± 19 %` ([eval.md](eval.md)).
The bar is made from the errors found at measured steps, and it is wider the less these have in common with the plan.
The prediction itself is not corrected: the bar covers bias and scatter.

The runs of one set on one machine, of one kind of model (dense, or with experts), are a *series*. Each series says:
"near me the errors were so large", and adds what may be different at the plan. With *d* = Σ weight · difference,

    bar² = mean over series of ( mean square error of its runs, each counted by exp(−d)
                                 + ({widening:.3g} %)² · d + ({figure:.3g} %)² · (doublings of the machine's figures)² )
           + ({beyond:.3g} %)² · (doublings beyond all that was measured)² + ({repeated:.3g} %)²

where a series counts by exp(−{falloff:.3g} · d) of its nearest run, and both times *d* counts from the nearest series.
A machine whose kernels are borrowed from another chip adds what its file says, in squares
([machines.md](machines.md#how-far-may-a-step-be-off-there)).

### What bars hold

Each step is given the bar that it would have if nobody had measured its group: its layout, its whole set, framework,
machine, or kind of model. The group is left out of everything: of the fit of the machine's constants, of the errors
that the bar is made from, and of learning the numbers above (but for layouts, which are many: theirs are learned from
all). A normal distribution has 68 % within one bar and 95 % within two.
"""

NOT_ALL = """\
Bars of what was left out as a whole are wide: if no step under Megatron had been measured, nobody could know that
these are predicted to a few per cent. Sets of ten steps or more:
"""

LEARNED = """\
### The widening learned

The numbers are those under which the errors of left-out groups are likeliest, for a Student t distribution with six
degrees of freedom, each held near a plausible start by a weak prior
(`symsim/analysis/fitting/widening.py`; the values are in `accuracy/error_bars.csv`). The last column says what one such
difference makes of the median bar of a measured plan, {usual:.1f} %.
"""

PAIRS = """\
### Which of two plans is faster

Errors of two plans of one model on one machine are partly the same error, so their order is surer than either time. The
correlation of their errors is {shared:.2f} · exp(−d/{parting:.2g}), *d* as above. Learned from {n:,} pairs of steps of
one set, model and machine; `symsim compare` and `symsim search` say how sure the order is. How often was it right?
"""

WHAT = {
    "layout": "its layout",
    "set": "its set",
    "framework": "its framework",
    "system": "its machine",
    "experts": "its kind of model (dense, experts)",
}


def error_bars_section(bars: ErrorBars) -> str:
    numbers = bars.learned
    parts = [
        BARS.format(**{n: getattr(numbers, n) for n in ("widening", "figure", "beyond", "repeated", "falloff")}),
        _coverage(bars),
        NOT_ALL,
        _sets(bars),
        LEARNED.format(usual=bars.usual_pct),
        _widening(bars),
        PAIRS.format(shared=numbers.shared, parting=numbers.parting, n=sum(s.pairs for s in bars.sure["layout"])),
        _sure(bars),
    ]
    return "\n".join(parts)


def _coverage(bars: ErrorBars) -> str:
    lines = [
        "| left out | steps | within one bar | within two | median bar | median error | bar over error |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for scheme, held in bars.held.items():
        lines.append(f"| {WHAT[scheme]} | {len(held)} | {_shares(covered(held))} |")
    return "\n".join(lines) + "\n"


def _shares(found: Covered) -> str:
    cells = [f"{100 * found.one:.1f} %", f"{100 * found.two:.1f} %"]
    cells += [f"{found.median_bar_pct:.1f} %", f"{found.median_error_pct:.1f} %", f"{found.width:.2f}"]
    return " | ".join(cells)


def _sets(bars: ErrorBars) -> str:
    schemes = list(bars.held)
    lines = [
        "| set | steps | " + " | ".join(f"without {WHAT[s]}" for s in schemes) + " |",
        "|---|--:|" + "---|" * len(schemes),
    ]
    sets = {scheme: by_set(held) for scheme, held in bars.held.items()}
    for name, first in sets[schemes[0]].items():
        cells = [_set(sets[scheme][name]) for scheme in schemes]
        lines.append(f"| {name} | {first.runs} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\nEach: steps within one bar, within two; median bar; median error.\n"


def _set(found: Covered) -> str:
    return f"{100 * found.one:.1f} %, {100 * found.two:.1f} %; {found.median_bar_pct:.1f}; {found.median_error_pct:.1f}"


def _widening(bars: ErrorBars) -> str:
    lines = ["| difference | weight | tried | median bar |", "|---|--:|---|--:|"]
    for (name, meaning), weight in zip(DIFFERENCES.items(), bars.learned.weights, strict=True):
        wider = bars.widened.get(name)
        cells = [meaning, f"{weight:.3f}", TRIED.get(name, ""), "" if wider is None else f"{wider:.1f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


TRIED = {
    "system": "a machine never measured",
    "framework": "a framework never measured",
    "precision": "a precision never measured",
    "experts": "a kind of model never measured",
    "family": "a family never measured",
    "choices": "one choice never measured",
    "figures": f"the network at 1/{2**SLOWER:.0f} of its bandwidth",
    "parallel": "tp times 8",
    "world": "8 times the GPUs",
    "batch": "mbs times 8",
    "seq": "sequences 8 times as long",
    "model": "hidden size times 8",
}


def _sure(bars: ErrorBars) -> str:
    lines = [
        "| said | pairs | said, mean | right, without the layouts | pairs | said, mean | right, without the set |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one, other in zip(bars.sure["layout"], bars.sure["set"], strict=True):
        cells = [f"{s.pairs} | {100 * s.said:.1f} % | {100 * s.right:.1f} %" for s in (one, other)]
        lines.append(f"| {100 * one.low:.0f} to {100 * one.high:.0f} % sure | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# The tables in accuracy/.


def step_error_table(runs: Sequence[Known]) -> str:
    """``accuracy/errors.csv``."""
    out = io.StringIO()
    out.write(
        "# Errors of predicted steps in per cent: by a fit without the layout (error_pct), and without the whole\n"
    )
    out.write(
        "# set, framework, machine or kind of model. What the plans are like, for error bars: docs/accuracy.md.\n"
    )
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    groups = {name: str(k) for k, name in enumerate(dict.fromkeys(run.group for run in runs))}
    models = {name: str(k) for k, name in enumerate(dict.fromkeys(run.model for run in runs))}
    for run in runs:
        errors = [f"{e:.2f}" for e in (run.error_pct, *(run.left_out[kind] for kind in LEFT_OUT))]
        sizes = [round(2**size) for size in run.traits.sizes]
        assert len(sizes) == len(SIZES)
        figures = ["" if f != f else f"{2**f:.12g}" for f in run.traits.figures[:-1]]
        first = [run.id, run.set, groups[run.group], models[run.model], run.constants, f"{run.gpu_us_per_token:.6g}"]
        others = f"{run.traits.figures[-1]:.0f}"
        writer.writerow([*first, *errors, *run.traits.words, *run.traits.choices, *sizes, *figures, others])
    return out.getvalue()


def numbers_table(numbers: Learned) -> str:
    """``accuracy/error_bars.csv``."""
    out = io.StringIO()
    out.write(
        "# How error bars widen. Learned by `python docs/generate.py accuracy` from accuracy/errors.csv, by leaving\n"
    )
    out.write("# out whole sets, frameworks, machines and kinds of model: see docs/accuracy.md.\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "value", "unit", "meaning"))
    for (name, meaning), weight in zip(DIFFERENCES.items(), numbers.weights, strict=True):
        writer.writerow((f"weight.{name}", f"{weight:.4g}", "distance", meaning))
    for name, (unit, meaning) in MEANINGS.items():
        writer.writerow((name, f"{getattr(numbers, name):.4g}", unit, meaning))
    return out.getvalue()


MEANINGS = {
    "widening": ("%", "what a distance of 1 adds to a bar, in squares"),
    "figure": ("%", "what a doubling of a figure of the machine adds, in squares"),
    "beyond": ("%", "what a doubling beyond all measured sizes and figures adds, in squares"),
    "falloff": ("1/distance", "a series counts exp(-falloff * distance)"),
    "repeated": ("%", "what runs of one plan differ by"),
    "shared": ("", "correlation of the errors of two plans of one model on one machine that hardly differ"),
    "parting": ("distance", "of two plans at which they share 1/e of that"),
}
