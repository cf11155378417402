"""``search``: every legal plan of a space of strategies, the best of them and their Pareto front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from symsim.analysis.searching import search as searching
from symsim.analysis.searching.engines.engine_names import engine_of
from symsim.analysis.searching.space import load_space, with_goals
from symsim.api.answers import Answer
from symsim.api.frames import frame_of_rows
from symsim.api.plans import Given, Plan, derives, given
from symsim.api.settings import Name, Setting, StrategyName, settings_of
from symsim.diagnostics import error
from symsim.language.expression_text import expression_text
from symsim.records.strategy import Value


@dataclass(frozen=True, eq=False)
class Found:
    """One plan of a search.

    Attributes:
        choices: the value of everything that was searched.
        objective: what the plans are ranked by.
        front: what the Pareto front is of, in its order; empty where none was asked for.
    """

    choices: Mapping[str, Value | None]
    objective: float
    front: tuple[float, ...]
    found: searching.Found = field(repr=False)
    given: Given = field(repr=False)

    @cached_property
    def plan(self) -> Plan:
        """The plan, as :func:`symsim.load` gives it."""
        return Plan(self.found.question, Given(*self._names, {**self.given.settings, **dict(self.choices)}))

    @property
    def _names(self) -> tuple[str, str | None, str | None]:
        return self.given.model, self.given.strategy, self.given.system

    @cached_property
    def answer(self) -> Answer:
        """As :func:`symsim.evaluate` gives it."""
        from symsim.analysis.evaluate import machine_of

        return Answer(self.plan, self.found.answer, machine_of(self.found.question))


@dataclass(frozen=True, eq=False)
class Search(Sequence[Found]):
    """The best plans, the best first.

    Attributes:
        points: combinations of the space; ``legal`` of them break no rule, and ``feasible`` of these meet every
            requirement and fit into the machine. ``removed`` counts them by what is said of them.
        front: plans of which no other is better in all of ``pareto``; ``None`` where none was asked for.
        objective: what the plans are ranked by, as it is written, and ``goal`` ``minimize`` or ``maximize``.
        elapsed_s: seconds that the search took.
        notes: what was chosen where it was left out.
    """

    plans: tuple[Found, ...] = field(repr=False)
    front: tuple[Found, ...] | None = field(repr=False)
    result: searching.Result = field(repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def points(self) -> int:
        """Combinations of the space."""
        return self.result.points

    @property
    def legal(self) -> int:
        """Points that break no rule."""
        return self.result.legal

    @property
    def feasible(self) -> int:
        """Legal points that meet every requirement and fit the machine."""
        return self.result.feasible

    @property
    def removed(self) -> Mapping[str, int]:
        """How many points each rule or requirement removed, by its words."""
        return self.result.removed

    @property
    def goal(self) -> str:
        """``minimize`` or ``maximize``."""
        return self.result.objective.goal

    @property
    def objective(self) -> str:
        """What the plans are ranked by, as it is written."""
        return expression_text(self.result.objective.value)

    @property
    def elapsed_s(self) -> float:
        """Seconds that the search took."""
        return self.result.elapsed_s

    @overload
    def __getitem__(self, place: int) -> Found: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Found, ...]: ...
    def __getitem__(self, place: int | slice) -> Found | tuple[Found, ...]:
        return self.plans[place]

    def __iter__(self) -> Iterator[Found]:
        return iter(self.plans)

    def __len__(self) -> int:
        return len(self.plans)

    def to_frame(self) -> Any:
        """A data frame of pandas: a row for each plan, best first, with its rank, figures and choices.

        Raises:
            InputError: pandas is not installed.
        """
        from symsim.analysis.searching.search_table import rows

        return frame_of_rows(rows(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.search/1`` that ``symsim search --json`` prints (docs/search.md).

        Where nothing is feasible it has the plan that misses by least, and what would fix it.
        """
        from symsim.analysis.searching.contradictions import notes
        from symsim.analysis.searching.nearest_infeasible import closest
        from symsim.analysis.searching.no_legal_point import advice
        from symsim.analysis.searching.search_json import document

        result = self.result
        told = (*notes(result.space), *advice(result)) if result.removed else ()
        return document(result, None if result.feasible else closest(result), (*self.notes, *told))

    @property
    def space(self) -> str:
        """The space that was searched, as the text of a strategy file."""
        from symsim.analysis.searching.space_text import space_text

        return space_text(self.result.space.strategy)

    def __str__(self) -> str:
        from symsim.api.printing import captured
        from symsim.report.search import print_search

        return captured(print_search, self.to_dict())

    def __repr__(self) -> str:
        return f"<Search {self.points:,} points, {self.legal:,} legal, {self.feasible:,} feasible, {len(self)} plans>"

    def _repr_html_(self) -> str:
        from symsim.report.html import table
        from symsim.units import bytes_text, seconds_text

        names = list(self.plans[0].choices) if self.plans else []
        timed = self.result.space.system is not None
        rows = [
            [
                *(str(f.choices[n]) for n in names),
                *([seconds_text(f.answer.iteration_s), f"{f.answer.mfu:.1%}"] if timed else []),
                bytes_text(f.answer.peak_bytes),
                *([bytes_text(f.answer.device_bytes or 0)] if timed else []),
            ]
            for f in self.plans
        ]
        return table(
            [*names, *(["step", "MFU"] if timed else []), "peak", *(["device"] if timed else [])],
            rows,
            repr(self)[1:-1],
        )


def search(
    model: Name,
    strategy: StrategyName | None = None,
    system: Name | None = None,
    *,
    top: int = 10,
    pareto: Sequence[str] = (),
    minimize: str | None = None,
    maximize: str | None = None,
    require: Sequence[str] = (),
    engine: str | None = "local",
    workers: int | None = None,
    set: Mapping[str, Setting] = {},
    **settings: Setting,
) -> Search:
    """Evaluate every legal plan of a space; the best that meet the requirements and fit into the machine.

    Args:
        model, system, set, settings: as of :func:`symsim.load`.
        strategy: a space: a shipped one, a file, a text such as ``"tp in {1, 2, 4, 8}, world=64, gbs=512, seq=8192"``,
            or a dictionary in which a choice to search has a list: ``{"tp": [1, 2, 4], "mbs": range(1, 5)}``. Without
            one, and with ``gpus``, the space follows from the model and the machine.
        top: how many plans to keep.
        pareto: expressions whose front is wanted, such as ``("time.iteration", "memory.peak")``.
        minimize, maximize: an expression to rank by; without it what the strategy says, else the time of a step, or
            tokens/s for each GPU where steps differ in size.
        require: conditions that every plan must meet besides those of the strategy.
        engine, workers: ``local`` (this process), ``processes`` or ``dask://HOST:PORT``; ``None`` takes all cores
            where that pays.

    Raises:
        InputError: as :func:`symsim.load`; a set that has no value, a space that is too large, choices that always
            contradict each other.

    >>> space = {"world": 64, "gbs": 512, "seq": 4096, "tp": [1, 2, 4, 8], "pp": [1, 2, 4], "mbs": range(1, 5)}
    >>> found = symsim.search("llama3_8b", space, "h100_sxm", top=2)
    >>> found
    <Search 48 points, 36 legal, 32 feasible, 2 plans>
    >>> found[0].choices["tp"], round(found[0].answer.mfu, 3)
    (1, 0.587)

    Without a space, and with what the whole run takes:

    >>> found = symsim.search("llama3_8b", system="h100_sxm", gpus=64, gbs=512, seq=4096, tokens="1T", price=2.5)
    >>> round(found[0].answer["run.days"], 1)
    15.3
    """
    known = given(model, strategy, system, set, settings)
    if minimize is not None and maximize is not None:
        raise error("E201", "a search has one objective", None, "give minimize or maximize")
    if top < 1:
        raise error("E381", f"top must be at least 1, not {top}", None, "for example top=10")
    goal = "minimize" if minimize is not None else "maximize" if maximize is not None else None
    required = (require,) if isinstance(require, str) else tuple(require)
    notes: tuple[str, ...] = ()
    if derives(known):
        from symsim.analysis.searching.derived_space import load_derived_space

        space, derived = load_derived_space(known.model, known.system, settings_of(known.settings))
        notes = derived.notes
    else:
        space = load_space(known.model, known.strategy, known.system, settings_of(known.settings))
    space = with_goals(space, goal, minimize or maximize, required)
    front_of = (pareto,) if isinstance(pareto, str) else tuple(pareto)
    result = searching.search(space, top, front_of, engine_of(engine, workers))
    front = None if result.front is None else tuple(_found(f, known) for f in result.front)
    return Search(tuple(_found(f, known) for f in result.plans), front, result, (*notes, *space.strategy.notes))


def _found(found: searching.Found, known: Given) -> Found:
    return Found(dict(found.choices), found.objective, found.front, found, known)
