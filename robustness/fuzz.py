"""Fuzz every surface of symsim: ``python robustness/fuzz.py --inputs 10000 --processes 100``.

Each input must come to an answer whose JSON is finite, or to an error with a message, in bounded time; what was
accepted is evaluated as numbers and as arrays, which must agree. Exit status 1 says that some input did not.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

os.environ["SYMSIM_CACHE"] = "off"
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import click  # noqa: E402
from fuzzing import cache_entries, files, python_calls, texts  # noqa: E402
from fuzzing.inputs import Input, Surface  # noqa: E402
from fuzzing.minimising import minimised  # noqa: E402
from fuzzing.running import Verdict, run, run_as_process  # noqa: E402
from fuzzing.vocabulary import Draw  # noqa: E402

SURFACES: Mapping[str, tuple[Surface, int]] = {
    "model": (files.model, 10),
    "library": (files.library, 6),
    "strategy": (files.strategy, 8),
    "system": (files.system, 10),
    "table": (files.table, 5),
    "configuration": (files.configuration, 7),
    "cases": (files.cases, 3),
    "inline-model": (texts.inline_model, 7),
    "inline-strategy": (texts.inline_strategy, 7),
    "set": (texts.setting, 12),
    "quantity": (texts.quantity, 8),
    "search": (texts.search, 2),
    "solve": (texts.solve, 2),
    "of": (texts.sensitivity, 2),
    "command-line": (texts.command_line, 4),
    "python": (python_calls.python_call, 7),
    "cache": (cache_entries.cache_entry, 2),
}
"""Surface → what draws its inputs, and how many of each hundred are of it, about."""

MEMORY = 6 << 30
"""Bytes of address space: more is a failure."""
SHOWN_OF_A_KIND = 2
GARBAGE_AFTER = 500
COMPARED = 4
"""Of so many inputs that are accepted, the compiled code of one is compared."""
CALM = 0.5
"""Share of inputs with few words that mean nothing."""


@click.command()
@click.option("--inputs", type=click.IntRange(0), default=1000, show_default=True, help="Inputs in one process.")
@click.option("--processes", type=click.IntRange(0), default=0, help="Inputs that are a process each.")
@click.option("--only", multiple=True, type=click.Choice(list(SURFACES)), help="Only these surfaces.")
@click.option("--seed", type=int, default=10, show_default=True)
@click.option("--first", type=click.IntRange(0), default=0, help="The number of the first input, to repeat one.")
@click.option("--minutes", type=float, help="Stop after this long, and say how far it came.")
@click.option("--save", type=click.Path(path_type=Path), help="Write counts and failures as JSON.")
def command(
    inputs: int, processes: int, only: tuple[str, ...], seed: int, first: int, minutes: float | None, save: Path | None
) -> None:
    """Try random inputs on every surface; print counts, and each kind of failure with its smallest input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    names = list(only or SURFACES)
    weights = [SURFACES[n][1] for n in names]
    counts: Counter[str] = Counter()
    took: Counter[str] = Counter()
    failures: dict[tuple[str, str], list[tuple[int, Input, Verdict]]] = {}
    until = time.monotonic() + 60 * minutes if minutes is not None else None
    done = compared = 0
    with tempfile.TemporaryDirectory(prefix="symsim-fuzz-") as place:
        folder = Path(place) / "work"
        folder.mkdir()
        for k in range(first, first + inputs + processes):
            draw = Draw(f"{seed} {k}")
            draw.calm = draw.random() < CALM
            name = draw.choices(names, weights)[0]
            tried = SURFACES[name][0](draw)
            own_process = k >= first + inputs
            if own_process and (tried.call is not None or tried.quantities or tried.cached):
                tried = texts.inline_strategy(draw)
            began = time.process_time()
            verdict = run_as_process(tried, folder) if own_process else run(tried, folder, compare=k % COMPARED == 0)
            took[tried.surface] += int(1e6 * (time.process_time() - began))
            done, compared = done + 1, compared + verdict.compared
            counts[f"{tried.surface}{' as a process' if own_process else ''}: {verdict.kind}"] += 1
            if verdict.failed:
                failures.setdefault((verdict.kind, verdict.where), []).append((k, tried, verdict))
                print(f"{k} {name}: {verdict.kind} at {verdict.where}", file=sys.stderr, flush=True)
            if done % 1000 == 0:
                print(f"{done:,} inputs, {sum(map(len, failures.values()))} failures", file=sys.stderr, flush=True)
            if k % GARBAGE_AFTER == 0:
                gc.collect()
            if until is not None and time.monotonic() > until:
                break
        _show(counts, took, failures, done, compared, folder)
    if save is not None:
        found = [[kind, where, len(examples)] for (kind, where), examples in failures.items()]
        save.write_text(
            json.dumps({"inputs": done, "compared": compared, "counts": counts, "failures": found}, indent=1)
        )
    sys.exit(1 if failures else 0)


def _show(
    counts: Counter[str],
    took: Counter[str],
    failures: Mapping[tuple[str, str], list[tuple[int, Input, Verdict]]],
    done: int,
    compared: int,
    folder: Path,
) -> None:
    for what, count in sorted(counts.items()):
        print(f"{count:8,}  {what}")
    for surface, microseconds in sorted(took.items()):
        of = sum(c for what, c in counts.items() if what.startswith(f"{surface}:"))
        print(f"{microseconds / 1e3 / max(1, of):8.1f}  ms of processor time for an input of {surface}")
    for (kind, where), examples in failures.items():
        print(f"\n=== {kind} at {where}: {len(examples):,} inputs, the first is {examples[0][0]}")
        for _, tried, verdict in examples[:SHOWN_OF_A_KIND]:

            def fails(smaller: Input, kind: str = kind, where: str = where) -> bool:
                again = run(smaller, folder)
                return (again.kind, again.where) == (kind, where)

            small = minimised(tried, fails) if kind not in ("hang", "memory") else tried
            print(f"{small}\n{verdict.detail[-1500:]}")
    print(f"\n{done:,} inputs, {sum(map(len, failures.values())):,} failures of {len(failures)} kinds; ", end="")
    print(f"{compared:,} numbers of compiled code compared")


if __name__ == "__main__":
    command()
