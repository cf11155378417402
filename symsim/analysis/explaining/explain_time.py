"""The part of ``symsim explain --json`` on time: what takes a step's time, what limits that, what would be next.

Every number is one definition of the cost model with its limits (:mod:`symsim.compiler.time_limits`); only sums over
what has the same limit, shares, ranks, differences and quotients of them are worked out here. What a faster machine
would gain is the same program, evaluated with one figure changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symsim.analysis.answer_json import BREAKDOWN, pacing_stage, plain
from symsim.analysis.evaluate import Answer, answer
from symsim.analysis.sensitivities.buying import RATE_UNITS, gains
from symsim.loading.question import Question
from symsim.machine.bind import Machine

TURNS = ("forward", "backward", "recompute")
AXES = {"tp": "tensor_parallel", "cp": "context_parallel", "ep": "expert_parallel"}
"""Items of the breakdown that operators make up: those of kernels by their turn, those of messages by their axis."""

LIMITS = {
    "accumulate": "traffic",
    "shards": "messages",
    "offload": "host",
    "launch": "host",
    "pipeline_parallel": "messages",
}
"""What limits other items; those that are not here are a limit of their own."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What an operator, or one of its messages, takes: seconds of each limit."""

    arithmetic: float
    traffic: float
    messages: float
    start_up: float

    @property
    def limit(self) -> str:
        """Arithmetic and memory traffic run side by side; the start of a kernel or message comes on top."""
        slow = self.traffic + self.messages
        if self.arithmetic >= slow + self.start_up and self.arithmetic > 0:
            return "arithmetic"
        return "start_up" if self.start_up > slow else "traffic" if self.traffic else "messages"

    @property
    def following(self) -> tuple[str, float] | None:
        """What limits next if what limits now gets faster, and how many times as fast; ``None``: nothing would."""
        slow = self.traffic + self.messages
        if self.limit == "arithmetic":
            next_longest = slow + self.start_up
            return (replace(self, arithmetic=0.0).limit, self.arithmetic / next_longest) if next_longest else None
        if self.limit == "start_up":
            return None
        if self.arithmetic - self.start_up > self.start_up:
            return "arithmetic", slow / (self.arithmetic - self.start_up)
        return ("start_up", slow / self.start_up) if self.start_up else None


def explained_time(asked: Question, found: Answer, machine: Machine) -> dict[str, Any]:
    """Where the time of a step goes, on the stage that paces it."""
    stage = pacing_stage(found)
    whole = float(found.values["time.iteration"])
    items = sorted(_items(found, stage), key=lambda item: -item["seconds"])
    return {
        "iteration_s": whole,
        "bubble_share": float(found.values["time.bubble_share"]),
        "pacing_stage": stage,
        "stages": _stages(found, stage),
        "items": [{**item, "share": item["seconds"] / whole} for item in items if item["seconds"] > 0],
        "kinds": _kinds(items, whole),
        "limits": _limits(items, whole),
        "hidden": list(_hidden(found)),
        "host": list(_host(found)),
        "faster": faster(asked, found, machine),
    }


def _stages(found: Answer, pacing: int) -> list[dict[str, Any]]:
    """Every stage's micro-batch, and how far it is behind the one that paces the step."""
    each = found.of_stage("t")
    return [
        {
            "micro_batch_s": float(t),
            "forward_s": float(found.of_stage("F")[k]),
            "backward_s": float(found.of_stage("B")[k]),
            "shorter_by_s": float(each[pacing] - t),
        }
        for k, t in enumerate(each)
    ]


def _items(found: Answer, stage: int) -> Iterator[dict[str, Any]]:
    """What adds up to a step."""
    for name, seconds in found.values.items():
        if name.startswith("time@") and not name.startswith("time@data_parallel@"):
            _, turn, kind, unit, of = name.split("@")
            sides = _sides(found, of, stage, kind)
            yield {
                "item": AXES.get(kind, turn),
                "kind": kind,
                "unit": unit,
                "operator": _operator(of, kind),
                "turn": turn,
                "phase": _phase(of, kind),
                "seconds": float(seconds),
                "each_s": float(found.of_stage(of)[stage]),
                **_limited(sides),
            }
    for item in BREAKDOWN:
        if item in (*TURNS, *AXES.values()) or f"time.{item}" not in found.values:
            continue
        parts = [n for n in found.values if n.startswith(f"time@{item}@")] or [f"time.{item}"]
        for part in parts:
            yield {
                "item": item,
                "kind": part.rpartition("@")[2].removeprefix("time."),
                "unit": None,
                "operator": None,
                "turn": None,
                "phase": None,
                "seconds": float(found.values[part]),
                "each_s": None,
                "limit": LIMITS.get(item, item),
                "next": None,
            }


def _sides(found: Answer, name: str, stage: int, kind: str) -> Sides:
    def value(prefix: str) -> float:
        return float(found.of_stage(f"{prefix}@{name}")[stage]) if f"{prefix}@{name}" in found.values else 0.0

    start = value("start_up")
    if kind in AXES:
        return Sides(0.0, 0.0, float(found.of_stage(name)[stage]) - start, start)
    return Sides(value("arithmetic"), value("traffic"), 0.0, start)


def _limited(sides: Sides) -> dict[str, Any]:
    following = sides.following
    return {
        "limit": sides.limit,
        "next": None if following is None else {"limit": following[0], "times": following[1]},
    }


def _operator(name: str, kind: str) -> str:
    """``attention.qkv`` of ``attention.qkv.forward`` or of ``attention.qkv.forward.tp``."""
    return name.removesuffix(f".{kind}" if kind in AXES else "").rpartition(".")[0]


def _phase(name: str, kind: str) -> str:
    return name.removesuffix(f".{kind}" if kind in AXES else "").rpartition(".")[2]


def _kinds(items: Sequence[dict[str, Any]], whole: float) -> list[dict[str, Any]]:
    """What operators of a class, messages of an axis, and each item that is no operator's take of the step."""
    sums: dict[str, float] = {}
    for item in items:
        sums[item["kind"]] = sums.get(item["kind"], 0.0) + item["seconds"]
    found = [{"kind": kind, "seconds": s, "share": s / whole} for kind, s in sums.items() if s > 0]
    return sorted(found, key=lambda kind: -kind["seconds"])


def _limits(items: Sequence[dict[str, Any]], whole: float) -> list[dict[str, Any]]:
    """What binds how much of the step, and how much faster it must get before something else binds."""
    out: list[dict[str, Any]] = []
    for limit in dict.fromkeys(item["limit"] for item in items):
        bound = [item for item in items if item["limit"] == limit and item["seconds"] > 0]
        seconds = sum(item["seconds"] for item in bound)
        left = sorted((i for i in bound if i["next"] is not None), key=lambda i: i["next"]["times"])
        out.append(
            {
                "limit": limit,
                "seconds": seconds,
                "share": seconds / whole,
                "next": _leaving(left[0]) if left else None,
                "half": _half(left, seconds),
            }
        )
    return sorted((o for o in out if o["seconds"] > 0), key=lambda o: -o["seconds"])


def _leaving(item: dict[str, Any]) -> dict[str, Any]:
    return {**item["next"], **{n: item[n] for n in ("unit", "operator", "turn", "phase")}}


def _half(left: Sequence[dict[str, Any]], seconds: float) -> float | None:
    """How many times as fast a limit must get before it binds half as much; ``None``: it always binds more."""
    other = 0.0
    for item in left:
        other += item["seconds"]
        if other >= seconds / 2:
            return float(item["next"]["times"])
    return None


def _hidden(found: Answer) -> Iterator[dict[str, Any]]:
    """Data-parallel messages, and what of them overlaps with a pass."""
    values = found.values
    for name in (n.removeprefix("messages@") for n in values if n.startswith("messages@") and values[n] > 0):
        covered, cover = values.get(f"covered@{name}"), values.get(f"cover@{name}")
        yield {
            "message": name,
            "seconds": float(values[f"messages@{name}"]),
            "exposed_s": float(values[f"time@data_parallel@{name}"]) if f"time@data_parallel@{name}" in values else 0.0,
            "overlapped_s": None if covered is None else float(covered),
            "cover_s": None if cover is None else float(cover),
            "margin_s": None if covered is None else float(cover - covered),
        }


def _host(found: Answer) -> Iterator[dict[str, Any]]:
    """How far the host is ahead of the device in each pass."""
    for turn in (n.removeprefix("host@") for n in found.values if n.startswith("host@")):
        host, device = float(found.values[f"host@{turn}"]), float(found.values[f"device@{turn}"])
        if host > 0:
            launches = float(found.values[f"launches.{turn}"][0])
            yield {"turn": turn, "launches": launches, "host_s": host, "device_s": device, "margin_s": device - host}


def faster(asked: Question, found: Answer, machine: Machine) -> list[dict[str, Any]]:
    """The step's time on machines of which one figure is larger by a tenth, the largest gain first."""
    assert asked.system is not None

    def there(name: str, value: float) -> float:
        other = replace(machine, values={**machine.values, name: value})
        return float(answer(asked.model, asked.plan, other, moments=True).values["time.iteration"])

    rates = (n for n, f in asked.system.figures.items() if f.unit in RATE_UNITS and n in machine.values)
    return [
        {
            "figure": gain.figure,
            "value": plain(gain.value),
            "unit": gain.unit,
            "iteration_s": gain.there,
            "change": gain.change,
        }
        for gain in gains(asked.system, rates, float(found.values["time.iteration"]), there)
    ]
