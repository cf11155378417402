"""The answer about one plan: every output by name, the figures most asked for, the document of ``eval``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from symsim.analysis import evaluate as analysis
from symsim.analysis.answer_json import document
from symsim.analysis.requirements import unmet
from symsim.api.arguments import unknown_name
from symsim.api.frames import frame_of_rows
from symsim.api.plans import Plan
from symsim.diagnostics import placed
from symsim.machine.bind import Machine

Number = int | float
Output = Number | tuple[Number, ...]


@dataclass(frozen=True, eq=False)
class Answer(Mapping[str, Output]):
    """A mapping from the names of outputs (``symsim.compile(plan).names``) to numbers.

    An output of pipeline stages is a tuple over the stages, from 0. Bytes, seconds, FLOPs and FLOP/s.

    Attributes:
        plan: what was evaluated.
        stages: the number of pipeline stages.
    """

    plan: Plan
    found: analysis.Answer = field(repr=False)
    machine: Machine | None = field(repr=False)

    def __getitem__(self, name: str) -> Output:
        if name not in self.found.values:
            raise unknown_name(name, self.found.values, "output", timed=self.machine is not None)
        value = self.found.values[name]
        return tuple(value) if isinstance(value, list) else value

    def __contains__(self, name: object) -> bool:
        return name in self.found.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.found.values)

    def __len__(self) -> int:
        return len(self.found.values)

    @property
    def stages(self) -> int:
        """The number of pipeline stages."""
        return self.found.stages

    @property
    def iteration_s(self) -> float:
        """Seconds of one step. KeyError without a machine."""
        return float(self["time.iteration"])  # type: ignore[arg-type]

    @property
    def tokens_per_s_per_gpu(self) -> float:
        """KeyError without a machine."""
        return float(self["throughput.tokens_per_s_per_gpu"])  # type: ignore[arg-type]

    @property
    def mfu(self) -> float:
        """Model FLOPs, full attention, over the peak of the machine; a share. KeyError without a machine."""
        return float(self["throughput.mfu"])  # type: ignore[arg-type]

    @property
    def peak_bytes(self) -> Number:
        """Bytes of the fullest stage at its peak."""
        return self.memory["peak_bytes"]  # type: ignore[no-any-return]

    @property
    def device_bytes(self) -> Number | None:
        """Bytes that the device holds on that stage: the peak, the communication library and the context.

        ``None`` without a machine.
        """
        return self.memory["device_bytes"]  # type: ignore[no-any-return]

    @property
    def verdict(self) -> str:
        """The answer in a sentence or two, as the command line says it first."""
        return str(self._document["verdict"])

    @property
    def fits(self) -> bool | None:
        """Whether the plan fits into the machine's memory; ``None`` without a machine, and with ``fit = none``."""
        return self.memory["fits"]  # type: ignore[no-any-return]

    @property
    def unmet(self) -> tuple[str, ...]:
        """What the strategy requires and the plan does not meet, as it is written."""
        return tuple(unmet(self.plan.question))

    @property
    def memory(self) -> dict[str, Any]:
        """``memory`` of the document: the peak, and what it is made of on each stage, in bytes."""
        return self._document["memory"]  # type: ignore[no-any-return]

    @property
    def time(self) -> dict[str, Any] | None:
        """``time`` of the document: the step, its breakdown and its stages, in seconds; ``None`` without a machine."""
        return self._document["time"]  # type: ignore[no-any-return]

    @property
    def throughput(self) -> dict[str, Any] | None:
        """``throughput`` of the document; ``None`` without a machine."""
        return self._document["throughput"]  # type: ignore[no-any-return]

    @property
    def run(self) -> dict[str, Any] | None:
        """``run`` of the document: steps, days, GPU-hours, energy, cost; ``None`` without ``tokens`` or a machine."""
        return self._document["run"]  # type: ignore[no-any-return]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the plan though it has an answer."""
        return tuple(self._document["warnings"])

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document(self.plan.question, self.found, self.machine, defaults=False)

    def to_frame(self) -> Any:
        """A data frame of pandas: a row for each pipeline stage, its memory in bytes and its passes in seconds.

        Raises:
            InputError: pandas is not installed.
        """
        passes = self.time["stages"] if self.time is not None else [{}] * self.stages
        rows = [
            {"stage": k, **held, **taken}
            for k, (held, taken) in enumerate(zip(self.memory["stages"], passes, strict=True))
        ]
        return frame_of_rows(rows)

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.eval/1`` that ``symsim eval --json`` prints (docs/eval.md)."""
        return document(self.plan.question, self.found, self.machine)

    def __str__(self) -> str:
        from symsim.api.printing import captured
        from symsim.report.tables import print_answer

        return captured(print_answer, self.to_dict())

    def __repr__(self) -> str:
        from symsim.units import bytes_text, seconds_text

        step = "" if self.machine is None else f"{seconds_text(self.iteration_s)} a step, MFU {self.mfu:.1%}, "
        fits = {None: "", True: ", fits", False: ", does not fit"}[self.fits]
        return f"<Answer {self.plan.model} · {self.plan.strategy}: {step}peak {bytes_text(self.peak_bytes)}{fits}>"

    def _repr_html_(self) -> str:
        from symsim.report.html import table
        from symsim.units import bytes_text, seconds_text

        rows = [["peak of memory", bytes_text(self.peak_bytes)]]
        if self.device_bytes is not None:
            rows.append(["device", bytes_text(self.device_bytes)])
        if self.time is not None:
            rows.append(["tokens/s per GPU", f"{self.tokens_per_s_per_gpu:,.0f}"])
            rows += [["MFU", f"{self.mfu:.1%}"], ["time of a step", seconds_text(self.iteration_s)]]
            rows += [[n.replace("_", " "), seconds_text(s)] for n, s in self.time["breakdown"].items() if s > 0]
        return table(["", ""], rows, str(self.plan))


def answer_of(plan: Plan) -> Answer:
    machine = plan.compiled.machine
    with placed(plan.question.plan.places):
        found = analysis.answer(plan.question.model, plan.question.plan, machine)
    return Answer(plan, found, machine)
