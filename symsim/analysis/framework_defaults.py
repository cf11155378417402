"""Choices that a plan leaves out although its framework would take another value, and what difference that makes.

The values are facts in ``models/library/defaults.sym``. Each is evaluated as the same plan with that one value; what
moves neither the peak nor the time of a step by more than :data:`WORTH_SAYING` is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.compiler import cache
from symsim.diagnostics import InputError
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate
from symsim.language.stored_expressions import from_json, to_json
from symsim.language.strategies import checked_choice
from symsim.loading.changed_plan import stated, with_values
from symsim.loading.plan import counts_microbatches
from symsim.loading.question import Question
from symsim.machine.bind import Machine
from symsim.records.strategy import CHOICES, Value

WORTH_SAYING = 0.01
"""Share of the peak or of the time of a step."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A choice that is left out: what is taken here, what the framework would take, and what that would change.

    ``peak`` and ``step`` are shares; ``step`` is ``None`` without a machine, both are where the plan is not possible.
    """

    name: str
    taken: Value | None
    framework: str
    otherwise: Value
    peak: float | None
    step: float | None

    def __str__(self) -> str:
        here, there = _word(self.taken), _word(self.otherwise)
        changes = [("peak", self.peak), ("step", self.step)]
        parts = [f"{name} {change:+.1%}" for name, change in changes if change is not None]
        what = ", ".join(parts) or "this plan is not possible then"
        return f"{self.name} is left out: {here} is taken, {self.framework}'s own default is {there} ({what})"


def left_out(asked: Question, found: Answer, machine: Machine | None) -> list[str]:
    """What an answer says of them, from the disk if the same was asked before."""
    wanted = dict(_wanted(asked))
    if not wanted:
        return []
    key = cache.key_of(
        "left out",
        asked.model.name,
        asked.model.own.text if asked.model.own is not None else "",
        sorted(asked.model.dimensions.items()),
        sorted((n, str(v)) for n, v in asked.plan.values.items()),
        sorted((n, str(v)) for n, v in wanted.items()),
        _machine_key(asked, found, machine),
    )
    known = _texts(cache.read(key))
    if known is not None:
        return known
    said = [str(d) for d in differences(asked, found, machine) if worth_saying(d)]
    cache.write(key, {"said": said})
    return said


def _texts(entry: Any) -> list[str] | None:
    """The sentences of a cache entry, if it has the right form."""
    said = entry.get("said") if isinstance(entry, dict) else None
    return said if isinstance(said, list) and all(isinstance(text, str) for text in said) else None


def worth_saying(difference: Difference) -> bool:
    changes = [c for c in (difference.peak, difference.step) if c is not None]
    return not changes or max(map(abs, changes)) > WORTH_SAYING


def differences(asked: Question, found: Answer, machine: Machine | None) -> Iterator[Difference]:
    """Every choice that is left out and that the framework would take otherwise."""
    framework = str(asked.plan.values["framework"])
    for name, value in _wanted(asked):
        peak, step = _changes(asked, found, machine, name, value)
        yield Difference(name, asked.plan.values[name], framework, value, peak, step)


def _wanted(asked: Question) -> Iterator[tuple[str, Value]]:
    """Names that the strategy does not give, with the framework's value where it is another one."""
    values = asked.plan.values
    scope = Plain({**{n: v for n, v in values.items() if v is not None}, "experts": _experts(asked)})
    for name, node in defaults_of(str(values["framework"])).items():
        if name in asked.plan.places:
            continue
        value = checked_choice(CHOICES[name], evaluate(node, scope), node.place)
        if value != values[name]:
            yield name, value


def _experts(asked: Question) -> int:
    return asked.model.largest("experts")


def _changes(
    asked: Question, found: Answer, machine: Machine | None, name: str, value: Value
) -> tuple[float | None, float | None]:
    try:
        values = stated(asked.plan, counts_microbatches(asked.plan))
        other = with_values(asked, {**values, name: value})
        there = answer(other.model, other.plan, machine_of(other))
    except InputError:
        return None, None
    peak = there.values["memory.peak"] / found.values["memory.peak"] - 1
    if machine is None:
        return float(peak), None
    return float(peak), float(there.values["time.iteration"] / found.values["time.iteration"] - 1)


def defaults_of(framework: str) -> Mapping[str, tree.Expression]:
    """What a framework takes for choices that are left out, by name; from the disk where it was read before."""
    key = cache.key_of("defaults of frameworks", framework)
    try:
        data = cache.read(key)
        if data is not None and CHOICES.keys() >= data.keys():
            return {name: from_json(node) for name, node in data.items()}
    except (ValueError, AttributeError):
        pass
    from symsim.language.library import library_of

    item = library_of().defaults.get(framework)
    facts = {fact.name: fact.value for fact in item.facts} if item is not None else {}
    cache.write(key, {name: to_json(node) for name, node in facts.items()})
    return facts


def _machine_key(asked: Question, found: Answer, machine: Machine | None) -> object:
    """All of a machine that a plan may depend on."""
    if machine is None or asked.system is None:
        return None
    tables = {n: (t.dimensions, t.mean, len(t.entries)) for n, t in asked.system.tables.items()}
    figures = {n: f.value for n, f in asked.system.figures.items()}
    return machine.name, sorted(figures.items()), sorted(tables.items()), found.values["time.iteration"]


def _word(value: Value | None) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)
