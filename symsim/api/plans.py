"""``load``: a model, a strategy and perhaps a machine, settled into a plan that every function asks about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from symsim.api.arguments import check_names
from symsim.api.settings import Name, Setting, StrategyName, settings_of
from symsim.diagnostics import Diagnostic, InputError, placed
from symsim.loading.question import Question, question
from symsim.records.strategy import CHOICES, Value

if TYPE_CHECKING:
    from symsim.api.compiled import Compiled


@dataclass(frozen=True, slots=True)
class Given:
    """What a plan was loaded from; ``settings`` are those of the call, behind a strategy's own."""

    model: str
    strategy: str | None
    system: str | None
    settings: Mapping[str, Setting]
    derive: bool = False
    """Whether GPUs were given under that name."""

    def question(self, more: Mapping[str, Setting] = {}, needs_sizes: bool = True) -> Question:
        settings = {**self.settings, **more}
        return question(self.model, self.strategy, self.system, settings_of(settings), needs_sizes)


def given(
    model: Name,
    strategy: StrategyName | None,
    system: Name | None,
    set: Mapping[str, Setting],
    settings: Mapping[str, Setting],
) -> Given:
    """The arguments of a call; choices of a dictionary are settings like any others.

    Raises:
        InputError: a plan, or a value of another kind, in place of a name.
    """
    check_names("load", model=model, strategy=strategy, system=system)
    choices = dict(strategy) if isinstance(strategy, Mapping) else {}
    named = None if strategy is None or isinstance(strategy, Mapping) else os.fspath(strategy)
    whole = {**choices, **set, **settings}
    derive = GPUS in whole
    if derive:
        whole = {"world": whole.pop(GPUS), **whole}
    return Given(os.fspath(model), named, None if system is None else os.fspath(system), whole, derive)


@dataclass(frozen=True, eq=False)
class Plan:
    """A model under one strategy, perhaps on a machine, with every choice settled.

    Attributes:
        model: name of the model.
        strategy: name of the strategy; ``strategy`` or ``inline`` where it has none.
        system: name of the machine, or ``None``.
        choices: every choice of the strategy by name, defaults included; ``None`` where a choice is not made.
        dimensions: the model's dimensions by name.
    """

    question: Question = field(repr=False)
    given: Given = field(repr=False)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.question.model.name

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self.question.strategy_name

    @property
    def system(self) -> str | None:
        """Name of the machine, or ``None``."""
        return self.question.system.name if self.question.system is not None else None

    @property
    def choices(self) -> Mapping[str, Value | None]:
        """Every choice by name, defaults included; ``None`` where a choice is not made."""
        return dict(self.question.plan.values)

    @property
    def dimensions(self) -> Mapping[str, int | str | bool | tuple[int | str | bool, ...]]:
        """The model's dimensions by name; where layers differ by one, a value for each layer."""
        return dict(self.question.model.dimensions)

    def changed(self, *, set: Mapping[str, Setting] = {}, **settings: Setting) -> Plan:
        """The plan with other settings, of the strategy, the model or the machine; the rest as it was given.

        ``microbatches`` replaces ``gbs`` and the other way round.

        Raises:
            InputError: an unknown name, or a value that it cannot have.

        >>> plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
        >>> plan.changed(tp=4, set={"network.bandwidth": "25 GB/s"}).choices["tp"]
        4
        """
        more = with_size_of_step({**set, **settings})
        known = Given(self.given.model, self.given.strategy, self.given.system, {**self.given.settings, **more})
        return Plan(known.question(), known)

    @cached_property
    def compiled(self) -> Compiled:
        """The formulas of the plan's structure, as :func:`symsim.compile` gives them; made once."""
        from symsim.api.compiled import compiled_of

        with placed(self.question.plan.places):
            return compiled_of(self.question)

    def __str__(self) -> str:
        values = self.question.plan.values
        names = ("world", "tp", "pp", "cp", "vp", "ep", "etp", "mbs", "gbs", "seq")
        sizes = (f"{n} {values[n]}" for n in names if n in names[:3] or values[n] != 1)
        return f"{self.model} · {self.strategy} · {self.system or 'no machine'} · {'  '.join(sizes)}"

    def __repr__(self) -> str:
        return f"<Plan {self}>"

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        made = {n: v for n, v in self.choices.items() if v is not None}
        rows = [[n, ", ".join(sorted(v)) if isinstance(v, frozenset) else str(v)] for n, v in made.items()]
        return table(["choice", "value"], rows, f"{self.model} · {self.strategy} · {self.system or 'no machine'}")


def with_size_of_step(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings in which gbs or micro-batches, whichever is given, stands alone."""
    for one, other in (("gbs", "microbatches"), ("microbatches", "gbs")):
        if settings.get(one) is not None and other not in settings:
            return {**settings, other: None}
    return dict(settings)


def load(
    model: Name,
    strategy: StrategyName | None = None,
    system: Name | None = None,
    *,
    set: Mapping[str, Setting] = {},
    **settings: Setting,
) -> Plan:
    """A plan: a model under a strategy, on a machine if ``system`` names one.

    Args:
        model: a shipped name (``symsim list models``), the path of a ``.sym`` file or of a Hugging Face
            ``config.json``, or a text such as ``"llama(hidden=2048, layers=16, heads=32, ffn=8192, vocab=128256)"``.
        strategy: a shipped name, a ``.sym`` file, a text such as ``"tp=8,pp=4,world=128,gbs=512,seq=8192"``, or a
            dictionary of choices.
        system: a shipped name or a ``.sym`` file.
        set: what ``--set`` takes on the command line: names of the strategy, the model or the machine. Names with a
            point and texts with a unit stand here: ``{"network.bandwidth": "25 GB/s"}``.
        settings: the same as keywords.

    With ``gpus`` in place of a strategy the plan is the best of a small space that follows from the model and the
    machine; ``gbs`` and ``seq`` may be left out. ``tokens`` and ``price`` (of a GPU-hour) add what a whole run takes.

    Values are numbers, ``True`` and ``False``, texts of the language, sets of names (``recompute={"core_attn"}``), or
    ``None`` for a choice that is not made.

    Raises:
        InputError: anything that cannot be read, a name or value that is none, sizes that are missing.

    >>> symsim.load("llama3_70b", "tp8_pp4", "h100_sxm", seq=4096)
    <Plan llama3_70b · tp8_pp4 · h100_sxm · world 128  tp 8  pp 4  gbs 128  seq 4096>
    >>> symsim.load("llama3_8b", system="h100_sxm", gpus=64, gbs=512, seq=8192)
    <Plan llama3_8b · derived · h100_sxm · world 64  tp 2  pp 1  mbs 2  gbs 512  seq 8192>
    """
    known = given(model, strategy, system, set, settings)
    if derives(known):
        return _best(known)
    return Plan(known.question(), known)


GPUS = "gpus"
"""A setting of this name stands for ``world``, and without a strategy asks for one that is derived."""


def derives(known: Given) -> bool:
    """Whether the strategy, or the space of a search, follows from the model and the machine."""
    return known.strategy is None and known.derive


def _best(known: Given) -> Plan:
    from symsim.analysis.best_plan import best_plan

    found = best_plan(known.model, known.system, settings_of(known.settings))
    if found.question is None:
        raise InputError([Diagnostic("E330", note, None, None) for note in found.notes])
    chosen = found.question.plan
    made = {n: v for n, v in chosen.values.items() if v is not None and v != CHOICES[n].default and n != "microbatches"}
    settings = {**known.settings, **made}
    return Plan(replace(found.question, notes=(*found.question.notes, *found.notes)), replace(known, settings=settings))
