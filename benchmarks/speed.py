"""How long symsim takes, beside what it may take.

Run: python benchmarks/speed.py [--json]

Every figure is the median of several runs on this machine. Commands run as a user runs them, each
in a process of its own; cold ones with an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

BUDGETS_S = {
    "import symsim": 0.1,
    "cold: formula deepseek_v3 --show memory": 3.0,
    "warm: eval llama3_70b -s tp8_pp4 -y h100_sxm": 0.35,
    "warm process: one evaluation, memory and time": 0.002,
    "symsim.evaluate(plan), warm": 0.0005,
    "compiled.evaluate(tp=8), warm": 0.0005,
    "a million rows, llama3_70b": 1.0,
    "a million rows of 4 structures": 1.0,
}
"""Seconds that each may take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    as_json = parser.parse_args().json
    measured = dict(zip(BUDGETS_S, (importing(), cold_formula(), warm_eval(), scalar(), *of_python()), strict=True))
    if as_json:
        print(
            json.dumps({name: {"budget_s": BUDGETS_S[name], "measured_s": s} for name, s in measured.items()}, indent=1)
        )
        return
    for name, seconds in measured.items():
        print(f"{name:<50} {seconds * 1e3:10.3f} ms   budget {BUDGETS_S[name] * 1e3:7.1f} ms")


def importing() -> float:
    """Import alone, without the start of the interpreter."""
    code = "import time; t = time.perf_counter(); import symsim; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return statistics.median(float(r.stdout) for r in runs)


def cold_formula() -> float:
    def once() -> None:
        with tempfile.TemporaryDirectory() as empty:
            _command(["formula", "deepseek_v3", "--show", "memory"], empty)

    return _median(once, 5)


def warm_eval() -> float:
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["eval", "llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm"]
        _command(arguments, folder)
        return _median(lambda: _command(arguments, folder), 7)


def scalar() -> float:
    from symsim.analysis.evaluate import answer, machine_of
    from symsim.loading.question import question

    asked = question("llama3_70b", "tp8_pp4", "h100_sxm")
    machine = machine_of(asked)
    answer(asked.model, asked.plan, machine)
    return _median(lambda: answer(asked.model, asked.plan, machine), 500)


ROWS = 1_000_000


def of_python() -> tuple[float, float, float, float]:
    """The API on one core: one plan, one plan of compiled formulas, many plans of one structure and of several."""
    import numpy as np

    import symsim

    plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
    compiled = symsim.compile(plan)
    draw = np.random.default_rng(0)
    values = {"tp": [1, 2, 4, 8], "pp": [1, 2, 4, 8], "cp": [1, 2], "mbs": [1, 2, 4], "seq": [2048, 4096, 8192]}
    values |= {"world": [128, 256, 512, 1024], "gbs": [512, 1024, 2048]}
    rows = {name: draw.choice(several, ROWS) for name, several in values.items()}
    more = {**rows, "vp": draw.choice([1, 2], ROWS), "recompute": draw.choice(["none", "full"], ROWS)}
    return (
        _median(lambda: symsim.evaluate(plan), 500),
        _median(lambda: compiled.evaluate(tp=8), 500),
        _median(lambda: compiled.evaluate(rows), 5),
        _median(lambda: symsim.evaluate(plan, more), 5),
    )


def _command(arguments: list[str], cache: str) -> None:
    environment = {**os.environ, "SYMSIM_CACHE": cache}
    subprocess.run([sys.executable, "-m", "symsim", *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)


def _median(step: Callable[[], object], runs: int) -> float:
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
