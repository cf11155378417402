"""Mutants of ``compiler/``, ``emit/`` and ``analysis/`` against the tests that cover their lines.

    python robustness/mutate.py gather --store FOLDER            # once: which test runs which line
    python robustness/mutate.py run --store FOLDER --sample 200  # a random sample, with a fixed seed

Everything runs in a copy of the last commit, never in the working tree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from itertools import islice
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import click  # noqa: E402
from mutating import covering, mutants  # noqa: E402
from mutating.mutants import Mutant  # noqa: E402
from mutating.running import Outcome, outcome  # noqa: E402

EQUIVALENT = HERE / "equivalent_mutants.txt"
"""Mutants that no test can tell from the original, each with the reason."""

store_option = click.option(
    "--store", type=click.Path(path_type=Path), required=True, help="Folder for coverage, copies and results."
)


@click.group()
def cli() -> None:
    """Do the tests notice small changes of the code?"""


@cli.command()
@store_option
@click.option("--again", is_flag=True, help="Also files of tests that were recorded before.")
def gather(store: Path, again: bool) -> None:
    """Record which test runs which line, each file of tests in a process of its own."""
    covering.gather(_copy(store, "covered"), store / "coverage", again)


@cli.command()
@store_option
@click.option("--sample", type=click.IntRange(1), default=200, show_default=True, help="Mutants to draw.")
@click.option("--seed", type=int, default=10, show_default=True)
@click.option("--part", default="1/1", metavar="K/N", help="Only the K-th of N parts of the sample.")
@click.option("--only", default="symsim", show_default=True, metavar="FOLDER", help="Only mutants of files below this.")
@click.option("--survivors", is_flag=True, help="Only those that survived before.")
@click.option(
    "--budget", type=float, default=covering.BUDGET_S, show_default=True, help="Seconds of tests, as recorded."
)
@click.option("--also", multiple=True, metavar="TEST.py", help="Tests to run whole before those that cover the line.")
def run(
    store: Path, sample: int, seed: int, part: str, only: str, survivors: bool, budget: float, also: tuple[str, ...]
) -> None:
    """Run a random sample of mutants; results are kept, so that a run that was stopped goes on."""
    k, n = map(int, part.split("/"))
    tree = _copy(store, f"mutated-{os.getpid()}")
    known = covering.load(store / "coverage")
    results = store / f"results-{seed}.jsonl"
    before = {o.key: o for o in _read(results)}
    drawn = _drawn(tree, sample, seed)
    sound = {o.by for o in before.values()}
    for mutant in drawn[k - 1 :: n]:
        earlier = before.get(mutant.key)
        if not mutant.file.startswith(only):
            continue
        if (
            (earlier is None)
            if not survivors
            else (earlier is not None and earlier.status in ("survived", "uncovered"))
        ):
            tests = known.tests_of(mutant, (tree / mutant.file).read_text(encoding="utf-8"), budget)
            tests = [t for t in tests if (tree / t.partition("::")[0]).exists()]
            found = outcome(tree, mutant, tests, [*known.unrecorded(mutant, tree), *also], sound)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(found)) + "\n")
            print(
                f"{found.status:9} {found.seconds:6.1f} s  {found.tests:3} tests  {found.key}  {found.by}", flush=True
            )
    _report(drawn, _read(results))


@cli.command()
@store_option
@click.option("--sample", type=click.IntRange(1), default=200)
@click.option("--seed", type=int, default=10)
def report(store: Path, sample: int, seed: int) -> None:
    """Print the figures of a run."""
    tree = _copy(store, "reported")
    _report(_drawn(tree, sample, seed), _read(store / f"results-{seed}.jsonl"))


def _drawn(tree: Path, sample: int, seed: int) -> list[Mutant]:
    """A sample of all mutants but those that are listed as equivalent.

    The order is that of a hash, so that a change of the code changes the sample where it changes mutants, and no more.
    """
    listed = equivalent()
    known = [m for m in mutants.of_tree(tree) if m.key not in listed]
    known.sort(key=lambda m: sha256(f"{seed} {m.key}".encode()).digest())
    return list(islice((m for m in known if m.parses(tree)), sample))


def equivalent() -> dict[str, str]:
    """Key → reason, of ``equivalent_mutants.txt``: a line with the key, then an indented one with the reason."""
    found: dict[str, str] = {}
    key = ""
    for line in EQUIVALENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[key] = line.strip()
        elif line and not line.startswith("#"):
            key = line
    return found


def _read(results: Path) -> list[Outcome]:
    if not results.exists():
        return []
    return [Outcome(**json.loads(line)) for line in results.read_text(encoding="utf-8").splitlines()]


def _report(drawn: list[Mutant], outcomes: Iterable[Outcome]) -> None:
    last = {o.key: o for o in outcomes}
    found = [last[m.key] for m in drawn if m.key in last]
    of = {status: [o for o in found if o.status == status] for status in ("killed", "timeout", "survived", "uncovered")}
    killed = len(of["killed"]) + len(of["timeout"])
    print(f"{len(found)} of {len(drawn)} mutants run: ", end="")
    print(", ".join(f"{len(outcomes)} {status}" for status, outcomes in of.items()), end="")
    print(f"; {killed / max(1, len(found)):.1%} killed")
    for o in (*of["survived"], *of["uncovered"]):
        print(f"{o.status}: {o.key} (line {o.line}, {o.tests} tests)")


def _copy(store: Path, name: str) -> Path:
    """The last commit as a folder of its own."""
    tree = (store / name).resolve()
    if tree.exists():
        subprocess.run(["rm", "-rf", str(tree)], check=True)
    tree.mkdir(parents=True)
    archive = subprocess.Popen(["git", "archive", "HEAD"], cwd=HERE.parent, stdout=subprocess.PIPE)
    subprocess.run(["tar", "x", "-C", str(tree)], stdin=archive.stdout, check=True)
    if archive.wait():
        raise click.ClickException("git archive failed")
    return tree


if __name__ == "__main__":
    cli()
