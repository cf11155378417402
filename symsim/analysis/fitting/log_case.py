"""A log of Megatron as one measured case: its arguments are the question, what it reports is the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symsim.analysis.fitting.run_cases import SETTINGS, TEXT
from symsim.diagnostics import Place, Source, error
from symsim.interop.foreign_file import LOGS, ForeignFile, read_foreign
from symsim.interop.formats import translated
from symsim.interop.megatron.log_block import is_log
from symsim.interop.megatron.log_measurements import Measurements, measurements
from symsim.language.strategies import strategy_of
from symsim.loading.plan import plan
from symsim.loading.run_files import parts_of

_MAPPED = re.compile(r"use_tp_pp_dp_mapping \.+ True")
"""The argument that orders ranks by tp, pp and dp."""


def is_log_name(path: Path) -> bool:
    """Whether a file is taken for a log by its name."""
    return path.suffix.lower() in LOGS


def log_case(path: Path, system: str | None, settings: Sequence[str] = ()) -> dict[str, Any]:
    """The case of a log.

    ``system`` is its machine, without which no time is predicted; ``settings`` are what the log does not say.

    Raises:
        InputError: it is no log of Megatron, says nothing that is predicted, or its arguments are wrong.
    """
    file = read_foreign(path)
    if not is_log(file.source.text):
        hint = "a log with the block of arguments that Megatron prints, or a JSON file of cases"
        raise error("E520", f"{path} is no log of Megatron", Place(file.source, 1, 1), hint)
    found = measurements(file.source.text)
    text = translated([ForeignFile(path, file.source, None)], "megatron").text
    parts = parts_of(Source(str(path), text))
    assert parts.strategy is not None
    known = (
        ()
        if found.vocabulary is None or any(s.startswith("vocab=") for s in settings)
        else (f"vocab={found.vocabulary}",)
    )
    values = plan(strategy_of(parts.strategy, tuple(settings)), needs_sizes=False).values
    sizes = {name: value for name in ("world", "tp", "cp", "pp") if isinstance(value := values[name], int)}
    mapped = _MAPPED.search(file.source.text) is not None
    measured = _measured(found, sizes, mapped, system is not None)
    if not measured:
        hint = "lines such as '[Rank 0] (after 2 iterations) memory (MB) | …', and with -y times of iterations"
        raise error("E602", f"{path} reports nothing that is predicted", None, hint)
    return {
        "id": path.stem,
        "set": "log",
        "model": path.stem,
        "strategy": {},
        TEXT: text,
        SETTINGS: (*known, *settings),
        "system": system,
        "measured": measured,
    }


def _measured(found: Measurements, sizes: dict[str, int], mapped: bool, on_a_machine: bool) -> dict[str, Any]:
    world, stages = sizes.get("world", 1), sizes["pp"]
    of_stage: dict[int, list[int]] = {}
    for rank, report in found.reports.items():
        of_stage.setdefault(_stage(rank, world, sizes, mapped), []).append(report.peak)
    out: dict[str, Any] = {}
    if of_stage.keys() == set(range(stages)):
        out["stage_peak_allocated_bytes"] = [max(of_stage[k]) for k in range(stages)]
        if on_a_machine:
            out["peak_reserved_bytes"] = max(report.reserved for report in found.reports.values())
    elif stages - 1 in of_stage:
        out["last_rank_peak_allocated_bytes"] = max(of_stage[stages - 1])
    if stages - 1 in of_stage:
        last = max(rank for rank in found.reports if _stage(rank, world, sizes, mapped) == stages - 1)
        out["last_rank_static_bytes"] = found.reports[last].between_steps
    if on_a_machine and found.iteration_s is not None:
        out["iteration_s"] = found.iteration_s
    return out


def _stage(rank: int, world: int, sizes: dict[str, int], mapped: bool) -> int:
    """The pipeline stage of a rank: stages are the outermost groups, or with tp-pp-dp those inside of replicas."""
    if mapped:
        return rank // (sizes["tp"] * sizes["cp"]) % sizes["pp"]
    return min(rank // max(1, world // sizes["pp"]), sizes["pp"] - 1)
