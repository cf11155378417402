"""Grid searches of millions of legal points: the whole command, the sweep alone, memory.

Run: python benchmarks/search.py [--runs N] [--only NAME] [--json]

Each search is a command in a process of its own with an empty cache, so it compiles every structural variant. The
best of some runs is shown. Beside it stands the sweep alone: the same search, from where all formulas are compiled.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any

from clock import HERE, as_json, cold, machine, peak_memory, rate, shown, sweep_alone

TOP = "20"

MOST_BYTES = 2**30
"""Memory that a search may have."""


@dataclass(frozen=True, slots=True)
class Case:
    """A search, and what it should reach on two cores. ``whole_s`` is for the command, cold."""

    model: str
    space: str
    points_per_s: float
    whole_s: float | None


CASES = (Case("llama3_405b", "llama3_405b_16k", 10e6, 3.0), Case("deepseek_v3", "deepseek_v3_2k", 5e6, None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the best one is shown")
    parser.add_argument("--only", choices=[case.space for case in CASES], help="one search")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    on = machine()
    cases = [case for case in CASES if given.only in (None, case.space)]
    searches = [measured(case, given.runs, on["cores"]) for case in cases]
    answer = {"machine": on, "searches": searches}
    print(as_json(answer)) if given.json else report(answer)


def measured(case: Case, runs: int, cores: int) -> dict[str, Any]:
    space = str(HERE / f"{case.space}.sym")
    arguments = ["search", case.model, "-s", space, "-y", "h100_sxm", "--top", TOP, "--json"]
    whole: dict[str, Any] = {}
    documents = []
    for name, more in (("1", ["--engine", "local"]), (str(cores), ["--engine", "processes"])):
        best = min((cold([*arguments, *more]) for _ in range(runs)), key=lambda ran: ran.wall_s)
        documents.append(json.loads(best.output))
        whole[name] = {"wall_s": best.wall_s, "cpu_s": best.cpu_s, "points_per_s": documents[-1]["legal"] / best.wall_s}
    alone: dict[str, Any] = {}
    for workers in dict.fromkeys((1, cores)):
        tries = [sweep_alone(case.model, space, workers, top=int(TOP)) for _ in range(runs)]
        result, engine = min(tries, key=lambda found: found[1].wall_s)
        assert result.legal == documents[0]["legal"] and result.feasible == documents[0]["feasible"]
        assert [plan.objective for plan in result.plans] == [plan["objective"] for plan in documents[0]["plans"]]
        alone[str(workers)] = {
            "wall_s": engine.wall_s,
            "compile_s": engine.compile_s,
            "points_per_s": result.legal / engine.wall_s,
        }
    bounded = [document.pop("bounded") for document in documents]
    for document in documents:
        document.pop("elapsed_s")
    assert all(document == documents[0] for document in documents), "engines disagree"
    return {
        "name": case.space,
        "points": documents[0]["points"],
        "legal": documents[0]["legal"],
        "feasible": documents[0]["feasible"],
        "bounded": bounded[-1],
        "variants": documents[0]["variants"],
        "wanted": {"points_per_s": case.points_per_s, "whole_s": case.whole_s, "peak_bytes": MOST_BYTES},
        "whole": whole,
        "alone": alone,
        "peak_bytes": peak_memory([*arguments, "--engine", "processes"]),
    }


def report(answer: dict[str, Any]) -> None:
    tables = []
    for found in answer["searches"]:
        rows = []
        wanted = found["wanted"]
        cores = str(answer["machine"]["cores"])
        for workers, ran in found["whole"].items():
            limit = f"{wanted['whole_s']:.0f} s" if wanted["whole_s"] and workers == cores else ""
            rows.append(
                ["whole command, cold", workers, f"{ran['wall_s']:.2f} s", f"{ran['cpu_s']:.2f} s",
                 rate(ran["points_per_s"]), limit]
            )  # fmt: skip
        for workers, ran in found["alone"].items():
            limit = rate(wanted["points_per_s"]) if workers == cores else ""
            rows.append(["sweep alone", workers, f"{ran['wall_s']:.2f} s", "", rate(ran["points_per_s"]), limit])
        if found["peak_bytes"] is not None:
            limit = f"under {MOST_BYTES / 2**20:.0f} MiB"
            rows.append(["peak memory, all processes", cores, f"{found['peak_bytes'] / 2**20:.0f} MiB", "", "", limit])
        title = (
            f"{found['name']}: {found['points']:,} points, {found['legal']:,} legal, "
            f"{found['feasible']:,} feasible, {found['variants']} variants"
        )
        tables.append((title, ["what", "cores", "measured", "processor", "legal points", "wanted"], rows))
    shown(answer, tables)


if __name__ == "__main__":
    main()
