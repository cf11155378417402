"""Random stages, run through a closed form and through the simulator, thousands at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Add, Rational

from symsim.compiler.bubbles import bubble, waiting
from symsim.compiler.ledger import Ledger, free_names
from symsim.emit.code import compile_array, compile_scalar
from symsim.emit.program import Program, assemble
from symsim.functions import equal, stage_max
from symsim.loading.plan import structure_of
from symsim.records.cost import CostModel
from symsim.records.strategy import CHOICES
from symsim.simulator.events import events_of
from symsim.simulator.orders import orders_of
from symsim.simulator.run import Run, run
from symsim.symbols import symbol

MOST_RANKS = 8
PROFILES = 2000

Rows = list[Any]
"""One array of profiles for each rank."""


@dataclass(frozen=True)
class Profiles:
    """Seconds of each rank for one micro-batch; ``backward`` is all of it, ``weights`` a part."""

    forward: Rows
    backward: Rows
    weights: Rows
    hop: Any

    @property
    def ranks(self) -> int:
        return len(self.forward)

    def largest(self) -> Profiles:
        """The same ranks, all as long as the longest: in forward, backward without weights, and weights."""
        p = self.ranks
        inputs = [b - w for b, w in zip(self.backward, self.weights, strict=True)]
        longest = [np.max(rows, axis=0) for rows in (self.forward, inputs, self.weights)]
        return Profiles([longest[0]] * p, [longest[1] + longest[2]] * p, [longest[2]] * p, self.hop)


class Form:
    """The closed form of a schedule as a function of profiles and the number of micro-batches."""

    def __init__(
        self, schedule: str, blocking: bool, vp: int = 1, group: int | None = None, hidden: float | None = None
    ) -> None:
        """``hidden``: passes run in pairs, and one that is alone takes longer by this share."""
        chosen = {"schedule": schedule, "overlap_p2p": not blocking, "vp": vp, "microbatch_group": group}
        chosen["overlap_moe_expert_parallel_comm"] = hidden is not None
        structure = structure_of({n: chosen.get(n, c.default) for n, c in CHOICES.items()})
        ledger = Ledger()
        for name in ("F", "B", "W"):
            rows = (equal(symbol("i"), k) * symbol(f"{name}_{k}") for k in range(MOST_RANKS))
            ledger.define(name, Add(*rows), "", "s", "time")
        for name in ("F", "B") if hidden is not None else ():
            ledger.define(f"{name}.alone", (1 + Rational(hidden)) * symbol(name), "", "s", "time")
        hop = symbol("hop")
        whole = symbol("F") + symbol("B") + waiting(structure, hop)
        ledger.define("t", whole, "", "s", "time")
        ledger.define("t_max", stage_max(symbol("t")), "", "s", "time")
        ledger.define("time.bubble", bubble(structure, hop, ledger), "", "s", "time")
        ledger.define("time.pipeline", symbol("m") * symbol("t_max") + symbol("time.bubble"), "", "s", "time")
        inputs = ("pp", *(n for n in free_names(ledger.definitions) if n != "pp"))
        self.program: Program = assemble(CostModel("", ledger.definitions, (), inputs))
        self.given = {"vp": vp, "microbatch_group": group}
        self._wanted = [self.program.outputs[n].register for n in ("time.pipeline", "time.bubble")]
        self._arrays = compile_array(self.program, self._wanted)
        self._numbers = compile_scalar(self.program, self._wanted)

    def _values(self, profiles: Profiles, m: int) -> dict[str, Any]:
        values: dict[str, Any] = {**self.given, "pp": profiles.ranks, "m": m, "hop": profiles.hop}
        for name, rows in (("F", profiles.forward), ("B", profiles.backward), ("W", profiles.weights)):
            for k in range(MOST_RANKS):
                values[f"{name}_{k}"] = rows[k] if k < len(rows) else np.zeros(1)
        return values

    def time(self, profiles: Profiles, m: int) -> Any:
        values = self._values(profiles, m)
        found = self._arrays.run([values[n] for n in self._arrays.inputs], _no_table)
        return np.broadcast_to(found[0], (PROFILES,))

    def bubble(self, profiles: Profiles, m: int) -> Any:
        """What the schedule takes beyond the passes of its longest rank, by the code for arrays."""
        values = self._values(profiles, m)
        found = self._arrays.run([values[n] for n in self._arrays.inputs], _no_table)
        return np.broadcast_to(found[1], (PROFILES,))

    def number(self, profiles: Profiles, m: int, one: int) -> float:
        """The time of one profile, by the code for plain numbers."""
        values = {
            n: float(np.broadcast_to(v, (PROFILES,))[one]) if isinstance(v, np.ndarray) else v
            for n, v in self._values(profiles, m).items()
        }
        found = self._numbers.run([values[n] for n in self._numbers.inputs], _no_table)
        return float(found[0])


def _no_table(name: str, *dimensions: Any) -> Any:
    raise AssertionError(name)


def simulated(
    schedule: str,
    profiles: Profiles,
    m: int,
    blocking: bool,
    vp: int = 1,
    group: int | None = None,
    hidden: float | None = None,
) -> tuple[Any, Any]:
    """When the last rank ends, and the longest that a rank takes from its first pass to its last."""
    p = profiles.ranks
    events = events_of(orders_of(schedule, p, m, vp, group, hidden is not None), schedule, blocking)
    chunks = {"zb_v": 2, "dualpipe": 2}.get(schedule, vp)
    share = 1 if schedule == "dualpipe" else chunks
    split = schedule in ("zb_h1", "zb_h2", "zb_v", "dualpipe")
    inputs = [b - w if split else b for b, w in zip(profiles.backward, profiles.weights, strict=True)]
    times = {
        kind: [[one / share] * chunks for one in rows]
        for kind, rows in (("F", profiles.forward), ("B", inputs), ("W", profiles.weights))
    }
    alone = {kind: [[(1 + (hidden or 0)) * one for one in row] for row in rows] for kind, rows in times.items()}
    ran: Run = run(events, alone, profiles.hop, times)  # type: ignore[arg-type]
    spread = [np.broadcast_to(x, (PROFILES,)) for x in ran.ended()]
    spans = [np.broadcast_to(b - a, (PROFILES,)) for a, b in zip(ran.begun(), ran.ended(), strict=True)]
    return np.max(spread, axis=0), np.max(spans, axis=0)


def drawn(p: int, seed: int, spread: float = 1.0, hop: float = 0.0) -> Profiles:
    """Stages that differ at random by up to ± ``spread``, backward about twice as long as forward."""
    draw = np.random.default_rng(seed)

    def rows(around: float) -> Rows:
        return [around * (1 + spread * draw.uniform(-1, 1, PROFILES)) for _ in range(p)]

    forward, inputs, weights = rows(1.0), rows(1.1), rows(0.8)
    backward = [b + w for b, w in zip(inputs, weights, strict=True)]
    return Profiles(forward, backward, weights, hop * draw.uniform(0, 1, PROFILES))


def alike(p: int, seed: int, hop: float = 0.0) -> Profiles:
    """All stages equally long, W the shortest pass."""
    draw = np.random.default_rng(seed)
    weights = draw.uniform(0.1, 1, PROFILES)
    forward, inputs = (weights + draw.uniform(0, 1, PROFILES) for _ in range(2))
    return Profiles([forward] * p, [inputs + weights] * p, [weights] * p, hop * draw.uniform(0, 1, PROFILES))
