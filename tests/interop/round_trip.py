"""A plan written for another tool and read again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symsim.diagnostics import Place, Source
from symsim.interop.exports import TARGETS, Export, Settled, export
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import translated
from symsim.interop.json_text import parse
from symsim.language.strategies import Strategy, strategy_of
from symsim.loading.model_files import load_model, source_of
from symsim.loading.plan import Plan, plan
from symsim.loading.run_files import parts_of
from symsim.records.model import Model
from symsim.records.strategy import Value

NOWHERE: Mapping[str, Place] = defaultdict(lambda: Place(Source("", ""), 1, 1, 1))


@dataclass(frozen=True)
class Trip:
    """What was asked for, what was written, and what reading it gives."""

    asked: Settled
    written: Export
    model: Model
    strategy: Strategy
    plan: Plan

    def differences(self) -> dict[str, object]:
        """Choices and dimensions that are not what they were, but for those that are said to be left out."""
        before, after = self.asked.values, self.plan.values
        found: dict[str, object] = {
            n: (before[n], after[n]) for n in before if before[n] != after[n] and n not in self.written.left_out
        }
        if self.model.family != self.asked.model.family:
            found["family"] = self.model.family
        for name, value in self.asked.model.dimensions.items():
            if self.model.dimensions.get(name) != value and name not in self.written.left_out:
                found[name] = (value, self.model.dimensions.get(name))
        return found


@cache
def model(text: str) -> Model:
    return load_model(source_of(text), {})


def settled(of: Model, values: Mapping[str, Value]) -> Settled:
    given = plan(Strategy("plan", "", values, {}, {}, (), None, NOWHERE))
    return Settled(of, "plan", given.values, NOWHERE)


def trip(target: str, of: Model, values: Mapping[str, Value]) -> Trip:
    asked = settled(of, values)
    written = export(target, asked)
    files = [_file(part.role + part.suffix, part.text) for part in written.parts]
    assert [part.role for part in written.parts] == list(TARGETS[target].parts)
    run = parts_of(translated(files, target))
    assert run.model is not None and run.strategy is not None
    strategy = strategy_of(run.strategy)
    return Trip(asked, written, load_model(run.model, {}), strategy, plan(strategy))


def _file(name: str, text: str) -> ForeignFile:
    source = Source(name, text)
    return ForeignFile(Path(name), source, parse(source))
