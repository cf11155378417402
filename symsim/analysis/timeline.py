"""One step of a plan, pass by pass: when each rank runs what, and what it holds meanwhile.

Times and bytes are those of the plan's formulas; only their order in time is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from symsim.analysis.evaluate import Answer
from symsim.diagnostics import error
from symsim.loading.question import Question
from symsim.simulator.events import events_of
from symsim.simulator.held import bytes_of_passes
from symsim.simulator.orders import orders_of
from symsim.simulator.passes import Order
from symsim.simulator.run import Run, Times, run

MOST_PASSES = 2_000_000
"""Passes of all ranks that are simulated at most: about a minute, and a file of half a GB."""

APART = frozenset({"zb_h1", "zb_h2", "zb_v", "dualpipe"})
"""Schedules whose weight gradients are passes of their own. A rank's step goes from its first pass to its last."""

REPLAYED = ("stage.recompute", "stage.recompute.tp", "stage.recompute.cp", "stage.recompute.ep")


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that a rank does: a pass (F, B, W), what is recomputed before B, or a message to ``other``."""

    kind: str
    rank: int
    chunk: int
    micro_batch: int
    start_s: float
    end_s: float
    other: int = -1


@dataclass(frozen=True, slots=True)
class Rank:
    """``held``: bytes over time, (second, bytes) in order. ``peak_bytes`` is the formula's.

    What follows the last micro-batch begins at ``tail_s``: on all ranks together, but where weight gradients run
    apart.
    """

    begun_s: float
    ended_s: float
    busy_s: float
    tail_s: float
    exposed_s: float
    optimizer_s: float
    held: tuple[tuple[float, float], ...]
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A simulated step; ``formula_s`` is what the closed form says of ``pipeline_s``."""

    schedule: str
    micro_batches: int
    spans: tuple[Span, ...]
    ranks: tuple[Rank, ...]
    pipeline_s: float
    formula_s: float
    iteration_s: float
    slowest_s: float
    """What the slowest stage is busy or hands over, m·max t."""

    @property
    def waiting_share(self) -> float:
        """The part of the pipeline's time that ranks are idle, on average."""
        return 1 - sum(rank.busy_s for rank in self.ranks) / (len(self.ranks) * self.pipeline_s)


def shortened(asked: Question, micro_batches: int) -> Question:
    """The same plan with another number of micro-batches in a step."""
    sizes = asked.plan.sizes
    ranks = Fraction(sizes["world"]) / (sizes["tp"] * sizes["cp"] * sizes["pp"])
    step: dict[str, int | Fraction] = {"microbatches": micro_batches, "gbs": micro_batches * sizes["mbs"] * ranks}
    return replace(asked, plan=replace(asked.plan, sizes={**sizes, **step}))


def timeline(asked: Question, found: Answer) -> Timeline:
    """Simulate one step of a plan that was evaluated with a machine.

    Chunks of a rank take equally long. Messages of schedules that run weight gradients apart, where they do not
    overlap, are part of their passes, as in the formula.

    Raises:
        InputError: more passes than :data:`MOST_PASSES`.
    """
    schedule, vp, m = str(asked.plan.values["schedule"]), _whole(asked, "vp"), round(found.values["m"])
    p = found.stages
    chunks = 2 if schedule in ("zb_v", "dualpipe") else vp
    passes = m * (3 if schedule in APART else 2) * p * (1 if schedule == "dualpipe" else chunks)
    if passes > MOST_PASSES:
        message = f"a trace of this step has {passes} passes, more than {MOST_PASSES}"
        hint = f"--micro-batches {max(1, m * MOST_PASSES // passes // p * p)}: a shorter step of the same plan"
        raise error("E342", message, hint=hint)
    group = asked.plan.values["microbatch_group"]
    pairs = bool(asked.plan.values["overlap_moe_expert_parallel_comm"])
    orders = orders_of(schedule, p, m, vp, int(group) if isinstance(group, int) else None, pairs)
    overlap = bool(asked.plan.values["overlap_p2p"])
    ran = run(
        events_of(orders, schedule, blocking=not overlap and schedule not in APART),
        _times(found, schedule, chunks, ".alone" if pairs else ""),
        0.0 if schedule in APART else float(found.values.get("p2p", 0.0)),
        _times(found, schedule, chunks),
    )
    begun, ended = ran.begun(), ran.ended()
    pipeline = max(b - a for a, b in zip(begun, ended, strict=True)) if schedule in APART else max(ended)
    spans = _spans(ran, _replayed(found, schedule, chunks))
    busy = [0.0] * p
    for span in spans:
        busy[span.rank] += span.end_s - span.start_s if span.kind != "send" else 0
    exposed, stepped = _of_rank(found, "stage.dp"), _of_rank(found, "stage.optimizer")
    starts = ended if schedule in APART else [max(ended)] * p
    held = _held(found, orders, ran, schedule, chunks)
    peaks = _of_rank(found, "peak")
    ranks: list[Rank] = []
    for i in range(p):
        last = starts[i] + exposed[i] + stepped[i]
        over = (*held[i], (last, held[i][-1][1]))
        ranks.append(Rank(begun[i], ended[i], busy[i], starts[i], exposed[i], stepped[i], over, peaks[i]))
    values = found.values
    return Timeline(
        schedule,
        m,
        spans,
        tuple(ranks),
        pipeline,
        float(values["time.pipeline"]),
        float(values["time.iteration"]),
        m * float(values["t_max"]),
    )


def _whole(asked: Question, name: str) -> int:
    value = asked.plan.values[name]
    return int(value) if isinstance(value, int) else 1


def _of_rank(found: Answer, name: str) -> list[float]:
    return [float(v) for v in found.of_stage(name)] if name in found.values else [0.0] * found.stages


def _times(found: Answer, schedule: str, chunks: int, which: str = "") -> Times:
    """Seconds of each pass. A micro-batch goes through all chunks of a rank, but through one of DualPipe's.

    ``which``: ``.alone`` of passes without a partner, where others have one."""
    share = 1 if schedule == "dualpipe" else chunks
    names = {"F": f"F{which}", "B": f"B{which}", "W": "W", "stage.pp": "stage.pp"}
    rows = {row: _of_rank(found, name) for row, name in names.items()}
    if schedule not in APART:
        rows["W"] = rows["stage.pp"] = [0.0] * found.stages
    forward = [f + hop / 2 for f, hop in zip(rows["F"], rows["stage.pp"], strict=True)]
    backward = [b - w + hop / 2 for b, w, hop in zip(rows["B"], rows["W"], rows["stage.pp"], strict=True)]

    def each(row: list[float]) -> list[list[float]]:
        return [[one / share] * chunks for one in row]

    return {"F": each(forward), "B": each(backward), "W": each(rows["W"])}


def _replayed(found: Answer, schedule: str, chunks: int) -> list[float]:
    """Seconds of a backward pass, on each rank, in which forward passes are run again."""
    share = 1 if schedule == "dualpipe" else chunks
    rows = [_of_rank(found, name) for name in REPLAYED]
    return [sum(column) / share for column in zip(*rows, strict=True)]


def _spans(ran: Run, replayed: list[float]) -> tuple[Span, ...]:
    out: list[Span] = []
    for event, start, end in zip(ran.events, ran.starts, ran.ends, strict=True):
        place = (event.rank, event.chunk, event.micro_batch)
        if event.kind == "send":
            out.append(Span("send", *place, start, end, event.other))
            continue
        again = min(start + (replayed[event.rank] if event.kind == "B" else 0), end)
        if again > start:
            out.append(Span("recompute", *place, start, again))
        out.append(Span(event.kind, *place, again, end))
    return tuple(out)


def _held(
    found: Answer, orders: list[Order], ran: Run, schedule: str, chunks: int
) -> list[tuple[tuple[float, float], ...]]:
    """Bytes of each rank over time: what is always there, what passes have saved, and in each pass the workspace of
    the worst moment."""
    peaks, most, workspace = (_of_rank(found, n) for n in ("peak", "activations", "workspace"))
    late = _of_rank(found, "S.late")
    times: list[list[tuple[float, float]]] = [[] for _ in orders]
    for event, start, end in zip(ran.events, ran.starts, ran.ends, strict=True):
        if event.kind != "send":
            times[event.rank].append((start, end))
    out: list[tuple[tuple[float, float], ...]] = []
    for i, order in enumerate(orders):
        always = peaks[i] - most[i] - workspace[i]
        held: list[tuple[float, float]] = [(0.0, always)]
        saved = [_saved(found, i, c, schedule, chunks) for c in range(chunks)]
        for (start, end), (during, after) in zip(
            times[i], bytes_of_passes(order, saved, [late[i]] * chunks), strict=True
        ):
            held += [(start, always + during + workspace[i]), (end, always + after)]
        out.append(tuple(held))
    return out


def _saved(found: Answer, rank: int, chunk: int, schedule: str, chunks: int) -> float:
    """What a chunk saves for one micro-batch; where one chunk represents all, each saves the same."""
    own = f"S.{chunk}"
    if own in found.values:
        return _of_rank(found, own)[rank]
    return _of_rank(found, "S")[rank] / (1 if schedule == "dualpipe" else chunks)
