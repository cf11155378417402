"""Figures that the pages state are those of the program: limits, how much is listed, and the errors that were found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from symsim.analysis import timeline
from symsim.analysis.comparing import attribution, compare
from symsim.analysis.searching import legal_points, ranking, space
from symsim.analysis.searching.engines import engine_names
from symsim.api import evaluating
from symsim.compiler import expand, unfold_blocks
from symsim.language import brackets, builder, expressions, parser, strategies
from symsim.report import explanation, time_explanation

ROOT = Path(__file__).parents[2]
WORDS = {8: "eight", 12: "twelve", 16: "sixteen", 6: "six"}

STATED = [
    ("search.md", f"compiles at most {space.MAX_VARIANTS:,}"),
    ("search.md", f"{engine_names.PAYS_POINTS:,} points, or {engine_names.PAYS_VARIANTS} variants"),
    ("search.md", f"more than about {legal_points.MAX_POINTS // 10**9:d} billion".replace(" 2 ", " two ")),
    ("search.md", f"to {WORDS[ranking.DIGITS]} digits"),
    ("explain.md", f"The {WORDS[explanation.SHOWN_ITEMS]} largest are listed"),
    ("explain.md", f"The {WORDS[time_explanation.SHOWN_ROWS]} largest are listed"),
    (
        "compare.md",
        f"With more than {attribution.MOST_CHOICES} choices, or more than {compare.MOST_STRUCTURES} formulas",
    ),
    ("trace.md", f"at most {timeline.MOST_PASSES:,} passes"),
    ("python.md", f"at most {evaluating.MAX_GROUPS:,} of them"),
    ("strategy.md", f"pipeline stages, at most {strategies.MAX_STAGES:,}".replace(",0", " 0")),
    ("language.md", f"A file is at most {parser.MAX_BYTES // 1024} KiB"),
    ("language.md", f"Nesting is at most {brackets.MAX_DEPTH} deep, an expression {builder.MAX_TREE_DEPTH}"),
    ("language.md", f"a number has at most {parser.MAX_NUMBER_DIGITS} digits"),
    ("language.md", f"an integer that arises {expressions.MAX_BITS} bits"),
    ("language.md", f"holds {expressions.MAX_ITEMS:,} values".replace(",", " ")),
    (
        "language.md",
        f"at most {unfold_blocks.MAX_CALLS} deep, a model has at most {unfold_blocks.MAX_OPERATORS} operators",
    ),
    (
        "language.md",
        f"a pattern at most {expand.MAX_PATTERN} layers, `unroll` makes at most {unfold_blocks.MAX_UNROLLED} copies",
    ),
]


def page(name: str) -> str:
    folder = ROOT if name == "README.md" else ROOT / "docs"
    return (folder / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "text"), STATED)
def test_a_page_states_the_limit(name: str, text: str) -> None:
    assert text in " ".join(page(name).split())


def held_out_means() -> list[tuple[bool, float]]:
    """Of each set of ``accuracy.md``: whether constants were fitted to it, and its mean error held out, in per cent."""
    rows = re.findall(r"^\|(?: [^|]* \|){2} (?:step time|TFLOP/s) \|(.*)\|$", page("accuracy.md"), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return [(cell[1] != "0", float(cell[4].split(",")[0])) for cell in cells]


def test_the_readme_states_the_errors_of_the_page_of_accuracy() -> None:
    means, readme = held_out_means(), " ".join(page("README.md").split())
    fitted, others = ([mean for is_fitted, mean in means if is_fitted is wanted] for wanted in (True, False))
    assert f"{min(fitted):.1f} to {max(fitted):.1f} % for {len(fitted)} sets" in readme
    assert f"{min(others):.1f} to {max(others):.1f} % for {len(others)} other sets" in readme


def test_the_readme_states_what_bars_hold() -> None:
    row = re.search(r"^\| its layout \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|", page("accuracy.md"), re.MULTILINE)
    assert row
    steps, one, two = int(row[1]), float(row[2]), float(row[3])
    said = f"of {steps} steps {one:.0f} % are within their bar, {two:.0f} % within twice the bar"
    assert said in " ".join(page("README.md").split())


def test_the_readme_states_the_worst_peak_on_b200() -> None:
    rows = [row for row in page("memory.md").splitlines() if row.startswith("|") and "Megatron on B200" in row]
    worst = max(float(row.split("|")[-2].strip().removesuffix(" %")) for row in rows)
    stages = sum(int(row.split("|")[3]) for row in rows)
    assert f"at most {worst:.2f} % from the logged peaks of {stages} pipeline stages" in " ".join(
        page("README.md").split()
    )
