"""The document of ``symsim explain --json``: why the peak is what it is.

Every number is one definition of the cost model with its moments (:mod:`symsim.compiler.moments`); shares, ranks and
differences of them are all that is worked out here. Its part on time is :mod:`symsim.analysis.explaining.explain_time`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from symsim.analysis import verdicts
from symsim.analysis.answer_json import assumptions, given_back, memory_of, model_of, plain, strategy_of, warnings
from symsim.analysis.evaluate import Answer, evaluator
from symsim.analysis.explaining.constraints import Constraint, constraints
from symsim.analysis.explaining.explain_time import explained_time
from symsim.analysis.explaining.neighbours import Change, Neighbour
from symsim.analysis.explaining.peak_moment import Moment, in_words, moment, moment_names, peak_moment
from symsim.analysis.explaining.repair import Repair, Repairs
from symsim.analysis.explaining.speedup import Speedups
from symsim.analysis.fitting.error_bar import error_bar
from symsim.analysis.memory_fit import MemoryFit, memory_fit
from symsim.analysis.requirements import broken_requirements
from symsim.diagnostics import error
from symsim.loading.question import Question
from symsim.machine.bind import Machine

DEVICE_PART = "memory.device"
"""Part of the definitions that lead from what is allocated to what the device shows, in their order."""


Subject = Literal["memory", "time", "all"]


def explanation(
    asked: Question,
    found: Answer,
    stage: int | None = None,
    nearby: Sequence[Neighbour] | None = None,
    machine: Machine | None = None,
    of: Subject = "memory",
    repairs_wanted: Repairs | None = None,
    speedups_found: Speedups | None = None,
) -> dict[str, Any]:
    """The peak of one stage (the fullest, if none is named) and the time of a step, as ``symsim.explain/1``.

    ``nearby`` are plans that hold less, ``repairs_wanted`` those that fix what is wrong with this one,
    ``speedups_found`` those whose step is shorter.

    Raises:
        InputError: there is no such stage; or time is asked about, and no ``machine`` is given.
    """
    if of == "time" and machine is None:
        raise error("E343", "--of time: time needs a machine", hint="name one with -y, such as -y h100_sxm")
    timed = machine if of != "memory" else None
    fit = memory_fit(asked, found.values)
    memory = None if of == "time" else _memory(asked, found, stage, fit)
    time = None if timed is None else explained_time(asked, found, timed)
    return {
        "schema": "symsim.explain/1",
        "verdict": _verdict(asked, found, fit, time, repairs_wanted),
        "model": model_of(asked, found),
        "strategy": strategy_of(asked, found),
        "system": asked.system.name if asked.system else None,
        "memory": memory,
        "time": time,
        "constraints": [_constraint(c) for c in constraints(asked, found)],
        "repairs": None if repairs_wanted is None else _repairs(repairs_wanted),
        "speedups": None if speedups_found is None else _speedups(speedups_found, found),
        "lower": None if nearby is None else [_lower(n, found) for n in nearby],
        "assumptions": [*assumptions(asked, timed), *given_back(fit)],
        "warnings": warnings(asked, fit),
    }


def _verdict(asked: Question, found: Answer, fit: MemoryFit, time: dict[str, Any] | None, fixes: Repairs | None) -> str:
    """As ``eval`` says it, and the cheapest change that fixes the plan."""
    peaks = found.of_stage("peak")
    fullest = max(range(found.stages), key=peaks.__getitem__)
    memory = {"peak_bytes": plain(fit.peak), "peak_stage": fullest, **memory_of(fit)}
    bar = error_bar(asked) if time is not None else None
    step = None if time is None else {"iteration_s": time["iteration_s"], "error_pct": None if bar is None else bar.pct}
    said = verdicts.of_plan(memory, step, tuple(broken_requirements(asked)))
    cheapest = next(iter(fixes.single or fixes.pairs), None) if fixes is not None else None
    if fixes is None:
        return said
    if cheapest is None:
        return f"{said} No change that was tried fixes it."
    return f"{said} {verdicts.of_repair(_change(cheapest.change), cheapest.slower)}"


def _memory(asked: Question, found: Answer, stage: int | None, fit: MemoryFit) -> dict[str, Any]:
    """The peak of a stage."""
    peaks = [plain(p) for p in found.of_stage("peak")]
    fullest = max(range(found.stages), key=peaks.__getitem__)
    stage = fullest if stage is None else stage
    if not 0 <= stage < found.stages:
        stages = f"stages are 0 to {found.stages - 1}" if found.stages > 1 else "the only stage is 0"
        raise error("E341", f"--stage: there is no stage {stage}", hint=stages)
    at = peak_moment(found, stage)
    outputs = evaluator(asked.model, asked.plan.structure, moments=True).program.outputs
    device = tuple(n for n, o in outputs.items() if o.part == DEVICE_PART and o.unit == "bytes" and n in found.values)
    held = [plain(d) for d in found.of_stage("device")] if "device" in found.values else None
    told = memory_of(fit)
    capacity = told["capacity_bytes"]
    free = None if held is None or capacity is None else capacity - held[stage]
    return {
        "stage": stage,
        "peak_bytes": peaks[stage],
        **_moment(found, stage),
        "alive": _alive(found, at, stage),
        "next": _next(found, at, stage),
        "moments": [{**_described(m), "bytes": b} for m, b in _moments(found, stage)],
        "fullest_stage": fullest,
        "stages": [
            {"peak": peak, "below_peak_bytes": peaks[fullest] - peak, **_moment(found, k)}
            for k, peak in enumerate(peaks)
        ],
        **told,
        "device_bytes": None if held is None else held[stage],
        "free_bytes": free,
        "device": _device(found, device, stage),
    }


def _constraint(constraint: Constraint) -> dict[str, Any]:
    return {
        "constraint": constraint.text,
        "of": constraint.of,
        "value": plain(constraint.value),
        "bound": plain(constraint.bound),
        "unit": constraint.unit,
        "slack_pct": None if constraint.slack is None else 100 * constraint.slack,
        "holds": constraint.holds,
    }


def _repairs(repairs_wanted: Repairs) -> dict[str, Any]:
    return {
        "lacking": list(repairs_wanted.lacking),
        "single": [_repair(r) for r in repairs_wanted.single],
        "pairs": [_repair(r) for r in repairs_wanted.pairs],
        "closest": None if repairs_wanted.closest is None else _repair(repairs_wanted.closest),
        "tried": repairs_wanted.tried,
    }


def _speedups(speedups_found: Speedups, found: Answer) -> dict[str, Any]:
    whole = float(found.values["time.iteration"])
    return {
        "thorough": speedups_found.thorough,
        "tried": speedups_found.tried,
        "unhidden": [
            {
                "item": part.item,
                "seconds": part.seconds,
                "share": part.seconds / whole,
                "answer": None if part.answer is None else _repair(part.answer),
            }
            for part in speedups_found.unhidden
        ],
        "single": [_repair(r) for r in speedups_found.single],
        "pairs": [_repair(r) for r in speedups_found.pairs],
        "unfit": [_repair(r) for r in speedups_found.unfit],
    }


def _repair(repair: Repair) -> dict[str, Any]:
    values = repair.found.values
    return {
        "change": _change(repair.change),
        "peak_bytes": plain(values["memory.peak"]),
        **_fits(memory_fit(repair.asked, values)),
        "iteration_s": float(values["time.iteration"]) if "time.iteration" in values else None,
        "slower": repair.slower,
        "changes_numbers": repair.changes_numbers,
        "lacking": list(repair.lacking),
    }


def _change(change: Change) -> dict[str, Any]:
    return {n: sorted(v) if isinstance(v, frozenset) else v for n, v in change.items()}


def _fits(fit: MemoryFit) -> dict[str, Any]:
    error = None if fit.error is None else fit.error.pct
    return {
        "device_bytes": plain(fit.device),
        "fits": fit.fits,
        "near_limit": fit.near_limit,
        "memory_error_pct": error,
    }


def _lower(neighbour: Neighbour, found: Answer) -> dict[str, Any]:
    """A plan that holds less, next to the one that was asked about."""
    there, here = neighbour.found.values, found.values
    peak = plain(there["memory.peak"])
    return {
        "change": _change(neighbour.change),
        "peak_bytes": peak,
        "saved_bytes": plain(here["memory.peak"]) - peak,
        **_fits(memory_fit(neighbour.asked, there)),
        "iteration_s": float(there["time.iteration"]) if "time.iteration" in there else None,
        "slower": float(there["time.iteration"] / here["time.iteration"]) - 1 if "time.iteration" in there else None,
    }


def _moment(found: Answer, stage: int) -> dict[str, Any]:
    """The moment of a stage's peak, in words and taken apart."""
    at = peak_moment(found, stage)
    return {
        "peak_moment": in_words(found, at, stage),
        "moment": None if at is None else _described(at),
        "micro_batches_in_flight": plain(found.of_stage("f")[stage]),
    }


def _described(at: Moment) -> dict[str, str]:
    return {"unit": at.unit, "operator": at.operator, "phase": at.phase}


def _moments(found: Answer, stage: int) -> list[tuple[Moment, Any]]:
    """Every moment of the stage's units, in the order of a micro-batch through the stage."""
    names = moment_names(found, "peak@")
    in_use = ((moment(found, n), plain(found.of_stage(f"peak@{n}")[stage])) for n in names)
    return [(m, used) for m, used in in_use if used > 0]


def _next(found: Answer, at: Moment | None, stage: int) -> dict[str, Any] | None:
    """The worst of the other moments, and how far it is behind."""
    others = [(m, used) for m, used in _moments(found, stage) if m != at]
    if not others:
        return None
    nearest, used = max(others, key=lambda item: item[1])
    return {**_described(nearest), "bytes": used, "below_peak_bytes": plain(found.of_stage("peak")[stage]) - used}


def _alive(found: Answer, at: Moment | None, stage: int) -> list[dict[str, Any]]:
    """What adds up to the peak, by size."""
    peak = found.of_stage("peak")[stage]
    items = [i for i in _items(found, at, stage) if i["bytes"] != 0]
    items.sort(key=lambda item: -item["bytes"])
    return [{**item, "share": float(item["bytes"] / peak)} for item in items]


def _items(found: Answer, at: Moment | None, stage: int) -> Iterator[dict[str, Any]]:
    """Each item once: what the running unit still has in full is counted with the other units'."""

    def value(name: str) -> Any:
        return plain(found.of_stage(name)[stage])

    for name in _named(found, "level@"):
        kind, _, of = name.removeprefix("level@").partition("@")
        yield {"kind": kind, "of": of or None, "bytes": value(name)}
    if at is None or at.name == at.unit:
        late = sum(value(name) for name in _named(found, "level@activations@"))
        yield {"kind": "saved", "of": None, "bytes": value("activations") - late}
        if at is not None:
            yield {"kind": "extra", "of": at.unit, "bytes": value(f"rise_{at.unit}")}
        return
    own = {n.split("@")[2]: value(n) for n in _named(found, f"kept@{at.name}@")}
    for name in _named(found, f"held@{at.unit}@"):
        _, unit, kind, operator = name.split("@")
        held, count, each = value(name), value(f"count@{unit}@{kind}"), value(f"saved@{operator}")
        if kind == unit and own.get(operator) == each:
            held, count = held + own.pop(operator), count + 1
        yield {"kind": "saved", "of": operator, "bytes": held, "count": count, "each_bytes": each}
    for operator, size in own.items():
        yield {"kind": "kept", "of": operator, "bytes": size}
    for name in _named(found, f"chunk@{at.unit}@"):
        yield {"kind": "chunk", "of": name.split("@")[2], "bytes": value(name)}
    for name in _named(found, f"extra@{at.unit}@"):
        yield {"kind": "extra", "of": name.split("@")[2], "bytes": value(name)}
    for kind in ("activation", "gradient", "extra"):
        for name in _named(found, f"{kind}@{at.name}@"):
            yield {"kind": kind, "of": name.split("@")[2], "bytes": value(name)}
    for name in _named(found, f"workspace@{at.name}"):
        yield {"kind": "workspace", "of": at.operator, "bytes": value(name)}


def _named(found: Answer, prefix: str) -> list[str]:
    return [n for n in found.values if n.startswith(prefix)]


def _device(found: Answer, names: tuple[str, ...], stage: int) -> list[dict[str, Any]] | None:
    """From what is allocated to what the device shows; ``None`` where no formula says."""
    of_stage = [n for n in names if not n.startswith("memory.")]
    return [{"name": n, "bytes": plain(found.of_stage(n)[stage])} for n in of_stage] or None
