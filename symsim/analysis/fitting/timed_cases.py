"""Measured steps, and what the formulas say of all of them at once as a few constants vary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symsim.analysis.evaluate import answer, evaluator, machine_of
from symsim.analysis.fitting.case_question import question_of
from symsim.analysis.fitting.constants import Constant, constant_of_input
from symsim.analysis.fitting.gauss_newton import Array
from symsim.analysis.fitting.validate import model_and_machine
from symsim.diagnostics import InputError
from symsim.emit.code import Compiled, compile_array
from symsim.emit.derivative import derivative, partial
from symsim.emit.partial_evaluation import Specialised, specialise
from symsim.loading.question import Question
from symsim.machine.bind import Machine

QUANTITIES: Mapping[str, tuple[str, float]] = {
    "iteration_s": ("time.iteration", 1.0),
    "tflops_per_gpu_full_attention": ("throughput.model_flops_per_gpu", 1e12),
}
"""What a timed case may have measured → the output that predicts it, and how many of its units are one."""

GROUPS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "layout": lambda case: [
        case.get("set"),
        model_and_machine(case),
        {n: v for n, v in case["strategy"].items() if n not in ("world", "gbs", "microbatches")},
    ],
    "model": model_and_machine,
    "set": lambda case: case["set"],
    "id": lambda case: case["id"],
}
"""Which cases are left out together: those that agree in this. ``layout``: all but the batch and the
number of replicas, which hardly change what a GPU does, so that a case left out has no twin in the fit."""


@dataclass(frozen=True, slots=True)
class TimedCase:
    """One measured step, with the question that predicts it."""

    id: str
    set: str
    group: str
    ranked: str
    """Cases that agree in this may be ordered: they share a model and a machine."""
    quantity: str
    measured: float
    asked: Question
    machine: Machine
    predicted: float
    """What the machine as it stands makes of the quantity, in the unit of ``measured``."""
    step_s: float
    """The predicted time of the step."""


def timed_cases(
    cases: Sequence[Mapping[str, Any]], system: str | None, group: str, tick: Callable[[], None] = lambda: None
) -> tuple[list[TimedCase], list[tuple[str, str]]]:
    """The cases whose step was timed, and those that cannot be computed, with the reason.

    ``system`` is the machine that all are computed on; without it, each on its own.
    """
    found: list[TimedCase] = []
    failed: list[tuple[str, str]] = []
    for case in cases:
        quantity = next((q for q in QUANTITIES if case["measured"].get(q) is not None), None)
        if quantity is not None:
            try:
                asked = question_of(case, system)
                machine = machine_of(asked)
                values = answer(asked.model, asked.plan, machine).values
            except InputError as problem:
                failed.append((case["id"], problem.diagnostics[0].message))
            else:
                assert machine is not None
                key = json.dumps(GROUPS[group](case), sort_keys=True)
                ranked = model_and_machine(case)
                measured = float(case["measured"][quantity])
                output, unit = QUANTITIES[quantity]
                found.append(
                    TimedCase(
                        case["id"], case["set"], key, ranked, quantity, measured, asked, machine,
                        values[output] / unit, float(values["time.iteration"]),
                    )
                )  # fmt: skip
        tick()
    return found, failed


class Predictions:
    """log(predicted/measured) of every case and its derivatives, for many values of the factors at once.

    Each distinct structure is compiled once. Cases of one structure are evaluated together, so a value
    of the constants costs arithmetic on arrays alone.
    """

    def __init__(self, cases: Sequence[TimedCase], fitted: Sequence[Constant]) -> None:
        self._count = len(cases)
        self._start = np.array([c.start for c in fitted])
        self._names = tuple(c.name for c in fitted)
        self.factors = tuple(dict.fromkeys(c.factor for c in fitted))
        self._of_factor = np.array([[float(c.factor == f) for c in fitted] for f in self.factors])
        self._batches: list[_Batch] = []
        together: dict[Any, list[int]] = {}
        made: dict[Any, tuple[Specialised, Compiled, str]] = {}
        for k, case in enumerate(cases):
            program = evaluator(case.asked.model, case.asked.plan.structure).program
            output, _ = QUANTITIES[case.quantity]
            follows = constant_of_input(case.asked, frozenset(self._names))
            pattern = (
                tuple(follows(n, False) for n in program.inputs),
                tuple(follows(t, True) for t in program.tables),
            )
            key = (id(program), output, pattern)
            if key not in made:
                specialised = specialise(program, output, self._names, follows)
                sloped = derivative(specialised.rest, output, self._names)
                wanted = [sloped.outputs[n].register for n in (output, *(partial(output, n) for n in self._names))]
                made[key] = specialised, compile_array(sloped, wanted), output
            # A table that is asked with a stage's numbers stays in the short program: its machine is the case's own.
            together.setdefault((key, k if made[key][0].rest.tables else None), []).append(k)
        for (key, _), members in together.items():
            specialised, function, _ = made[key]
            self._batches.append(_batch(specialised, function, [cases[k] for k in members], members))

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """``x[problem, factor]`` is log(value/start); gives residual[problem, case] and its derivatives."""
        residual, jacobian = self.at(self._start * np.exp(x @ self._of_factor))
        return residual, jacobian @ self._of_factor.T

    def at(self, values: Array) -> tuple[Array, Array]:
        """``values[problem, constant]``; derivatives are with respect to their logarithms."""
        residual = np.empty((len(values), self._count))
        jacobian = np.empty((len(values), self._count, len(self._names)))
        with np.errstate(all="ignore"):
            for batch in self._batches:
                predicted, *partials = batch(values)
                residual[:, batch.members] = np.log(predicted / batch.measured)
                for k, slope in enumerate(partials):
                    jacobian[:, batch.members, k] = slope * values[:, k, None] / predicted
        return residual, jacobian


@dataclass(frozen=True, slots=True)
class _Batch:
    """Cases of one structure: their places, what was measured, and their known numbers by input."""

    members: list[int]
    measured: Array
    known: Mapping[str, Array]
    function: Compiled
    machine: Machine
    names: tuple[str, ...]

    def __call__(self, values: Array) -> list[Array]:
        """The prediction and its derivatives, each [problem, case]."""
        searched = {n: values[:, k, None] for k, n in enumerate(self.names)}
        given = [searched[n] if n in searched else self.known[n][None, :] for n in self.function.inputs]
        shape = (len(values), len(self.members))
        return [np.broadcast_to(found, shape) for found in self.function.run(given, self.machine.lookup)]


def _batch(specialised: Specialised, function: Compiled, cases: Sequence[TimedCase], members: list[int]) -> _Batch:
    names = specialised.rest.inputs
    counted = 1 + sum(not n.startswith("known.") for n in names[1:])
    rows = []
    for case in cases:
        values = {**case.asked.plan.sizes, **case.machine.values}
        numbers = specialised.known.run([values[n] for n in specialised.known.inputs], case.machine.lookup)
        rows.append([float(values["pp"]), *map(float, numbers)])
    columns = np.array(rows).T
    known = dict(zip((names[0], *names[counted:]), columns, strict=True))
    measured = np.array([case.measured * QUANTITIES[case.quantity][1] for case in cases])
    return _Batch(members, measured, known, function, cases[0].machine, names[1:counted])
