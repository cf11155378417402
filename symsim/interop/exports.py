"""A settled plan in the words of another tool.

A tool that can be written has a module ``export`` in its package, with ``export(asked: Settled) -> Export``. What the
tool cannot express is left out and said where it changes no more than an estimate; where the plan would be another, it
is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from symsim.diagnostics import Diagnostic, InputError, Place, error
from symsim.interop.strategy_text import choice_text
from symsim.language.list_text import list_text, value_text
from symsim.records.model import Model
from symsim.records.model import Value as Dimension
from symsim.records.strategy import CHOICES, Value


@dataclass(frozen=True, slots=True)
class Target:
    """A tool that plans are written for. ``parts``: what is written, the file that ``-o`` names first.

    ``example``: a plan that the tool can run, as the command takes it.
    """

    package: str
    title: str
    parts: tuple[str, ...]
    example: str = "llama3_8b -s tp=2,pp=2,world=16,gbs=64,seq=4096 -o plan.json"


_PLAN = "llama3_8b -s zero=3,world=16,gbs=64,seq=4096"
TARGETS = {
    "megatron": Target("megatron", "Megatron-LM", ("script",)),
    "deepspeed": Target(
        "deepspeed", "DeepSpeed", ("ds_config", "training_arguments"), f"{_PLAN},framework=deepspeed -o ds_config.json"
    ),
    "torchtitan": Target("torchtitan", "torchtitan", ("launch",), f"{_PLAN},framework=torchtitan -o train.sh"),
    "accelerate": Target(
        "accelerate", "accelerate", ("config", "training_arguments"), f"{_PLAN},framework=fsdp -o fsdp.yaml"
    ),
    "nanotron": Target(
        "nanotron", "nanotron", ("config",), f"{_PLAN.replace('zero=3', 'zero=1')},framework=nanotron -o run.yaml"
    ),
    "bridge": Target("bridge", "Megatron-Bridge", ("config",)),
    "simumax": Target("simumax", "SimuMax", ("strategy", "model")),
    "calculon": Target(
        "calculon",
        "Calculon",
        ("execution", "model"),
        "gpt3_175b -s tp=8,pp=8,world=64,gbs=64,seq=2048,attention=unfused,dropout=true -o plan.json",
    ),
    "estimator": Target(
        "estimator",
        "the Megatron Memory Estimator",
        ("request",),
        "llama3_8b -s tp=2,pp=2,world=16,gbs=64,seq=4096 -o request.json",
    ),
}
"""Word of ``symsim export`` → the tool that it writes for."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What is written: ``values`` has every name of a strategy, ``places`` where the given ones were given."""

    model: Model
    strategy_name: str
    values: Mapping[str, Value | None]
    places: Mapping[str, Place]

    def size(self, name: str) -> int:
        """A size of the strategy that is given or has a default."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def layers(self) -> int:
        """Layers of the model."""
        return self.model.largest("layers")

    @property
    def dp(self) -> int:
        """Data-parallel ranks."""
        return self.size("world") // (self.size("tp") * self.size("cp") * self.size("pp"))


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export: what it is (``strategy``), the end of its name (``.json``), its text."""

    role: str
    suffix: str
    text: str


@dataclass(frozen=True, slots=True)
class Export:
    """The files, and names of the strategy that are in none of them, each with the reason in words.

    A name without effect in this plan has no reason to be said: an empty text.
    """

    parts: tuple[Part, ...]
    left_out: Mapping[str, str]


def export(target: str, asked: Settled) -> Export:
    """Write a plan for a tool.

    Raises:
        InputError: E523 for each choice or dimension that the tool cannot express, where the plan would be another.
    """
    write: Callable[[Settled], Export] = import_module(f"symsim.interop.{TARGETS[target].package}.export").export
    return write(asked)


@dataclass(slots=True)
class Expressed:
    """What a tool can say of a plan: collects what is left out, and what makes it another plan."""

    tool: str
    asked: Settled
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)

    def leave_out(self, name: str, reason: str = "") -> None:
        """A choice that is not written: it changes no more than an estimate, or nothing (no reason)."""
        self.left_out[name] = reason

    def estimates(self, reasons: Mapping[str, str]) -> None:
        """Choices that change no more than an estimate: said where they are made."""
        for name, reason in reasons.items():
            made = self.asked.values[name] != CHOICES[name].default
            self.leave_out(name, reason if made else "")

    def refuse(self, name: str, reason: str, hint: str | None = None) -> None:
        """A choice without which the plan would be another."""
        value = self.asked.values[name]
        shown = "" if value is None else f" = {choice_text(name, value)}"
        message = f"{self.tool} cannot express {name}{shown}: {reason}"
        self._problem(message, self.asked.places.get(name), hint or f"--set {name}=… changes it")

    def refuse_dimension(self, name: str, value: Dimension, reason: str) -> None:
        """A dimension without which the model would be another."""
        shown = list_text(value) if isinstance(value, tuple) else value_text(value)
        message = f"{self.tool} cannot express {name} = {shown} of {self.asked.model.name}: {reason}"
        self._problem(message, None, f"--set {name}=… changes it, if that is what you mean")

    def refuse_model(self, reason: str) -> None:
        """A model that the tool has no words for."""
        message = f"{self.tool} cannot express {self.asked.model.name}: {reason}"
        self._problem(message, None, "docs/interop has a page on what each tool has words for")

    def need(self, name: str, *values: Value | None, reason: str, hint: str | None = None) -> None:
        """A choice that has one of few values here."""
        if self.asked.values[name] not in values:
            self.refuse(name, reason, hint)

    def need_dimension(self, name: str, value: Dimension, reason: str) -> None:
        """A dimension that has one value here, if the family has it at all."""
        given = self.asked.model.dimensions.get(name, value)
        if given != value or isinstance(given, bool) is not isinstance(value, bool):
            self.refuse_dimension(name, given, reason)

    def others(self, said: frozenset[str]) -> None:
        """Every other choice has its usual value, or the plan would be another."""
        for name, choice in CHOICES.items():
            if name not in said and name not in self.left_out and self.asked.values[name] != choice.default:
                self.refuse(name, "it has no such choice")

    def finish(self) -> None:
        """Raises InputError: all that the tool cannot express."""
        if self.problems:
            raise InputError(dict.fromkeys(self.problems))

    def _problem(self, message: str, place: Place | None, hint: str | None) -> None:
        problem: InputError = error("E523", message, place, hint)
        self.problems += problem.diagnostics
