"""``evaluate``: one plan, or a table of plans whose rows may differ in structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from symsim.analysis.evaluate import RUN_INPUTS
from symsim.api.answers import Answer, answer_of
from symsim.api.arguments import check_plan
from symsim.api.columns import Columns
from symsim.api.compiled import ANSWERS, column_of
from symsim.api.plans import Plan
from symsim.api.settings import Setting
from symsim.api.tables import table_of
from symsim.diagnostics import InputError, error
from symsim.records.strategy import CHOICES, SIZE_SYMBOLS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")

MAX_GROUPS = 4096
"""Most combinations of structural choices, dimensions and figures that one table may have."""

CONTRADICTIONS = frozenset({"E317", "E321", "E324"})
"""Choices that no plan can have together: such rows are not legal, where a choice that is none is an error."""


@overload
def evaluate(plan: Plan) -> Answer: ...
@overload
def evaluate(plan: Plan, table: Mapping[str, ArrayLike], wanted: Sequence[str] | None = None) -> Columns: ...
@overload
def evaluate(plan: Plan, table: T, wanted: Sequence[str] | None = None) -> T: ...
def evaluate(plan: Plan, table: Any = None, wanted: Sequence[str] | None = None) -> Any:
    """The answer about a plan; or about each row of a table, which changes the plan.

    Args:
        plan: of :func:`symsim.load`.
        table: a dictionary of arrays, a pandas (or polars) data frame or an Arrow table. Its columns are sizes and
            choices of the strategy, dimensions of the model and figures of the machine, by name; a column that is
            one value holds for every row. What is missing in a row (None, NaN) is as if the choice were not made.
        wanted: as of :meth:`Compiled.evaluate`.

    Returns:
        Without a table an :class:`Answer`. With one the answer of every row, as the same kind of table with a
        column ``legal``; for a dictionary a :class:`Columns`. Rows that break a rule, or whose choices contradict
        each other, are NaN. Rows are put together by structure: each is compiled once.

    Raises:
        InputError: the plan breaks a rule (every broken rule is reported with legal values nearby); an unknown
            column, values that a column cannot have, columns of different lengths, too many structures.

    >>> plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
    >>> round(symsim.evaluate(plan).iteration_s, 3)
    10.05
    >>> found = symsim.evaluate(plan, {"tp": [8, 4, 8], "recompute": ["none", "full", "full"]})
    >>> found["time.iteration"].round(2)
    array([10.05, 11.67, 13.34])
    """
    check_plan(plan, "evaluate")
    if table is None:
        return answer_of(plan)
    given = table_of(table)
    return given.answered(_over_rows(plan, given.columns, wanted))


def _over_rows(plan: Plan, table: Mapping[str, Any], wanted: Sequence[str] | None) -> Columns:
    import numpy as np

    columns = {n: _column(n, v) for n, v in table.items()}
    fresh = RUN_INPUTS & columns.keys() - plan.question.plan.sizes.keys()
    if fresh:
        # A run's inputs are inputs of the formulas where the plan has them: any value does.
        plan = plan.changed(set={n: next((v.item() for v in np.ravel(columns[n])), 1) for n in fresh})
    lengths = {n: len(c) for n, c in columns.items() if c.ndim}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{n} {k:,}" for n, k in lengths.items())
        raise error("E382", f"the columns have different lengths: {shown}", None, "give every row a value")
    count = next(iter(lengths.values()), 1)
    columns = {n: np.broadcast_to(c, (count,)) for n, c in columns.items()}
    sizes = {n: c for n, c in columns.items() if _is_size(n, plan, table)}
    keys = {n: _distinct(c) for n, c in columns.items() if n not in sizes or n not in SIZE_SYMBOLS}
    keys.pop("microbatches", None)
    parts: list[tuple[NDArray[np.intp], Columns]] = []
    units: dict[str, str] = {}
    legal = np.zeros(count, dtype=bool)
    illegal: dict[str, int] = {}
    for group in _groups(keys, sizes, count):
        try:
            changed = plan.changed(set=group.settings) if group.settings else plan
            compiled = changed.compiled
        except InputError as problem:
            if any(d.code not in CONTRADICTIONS for d in problem.diagnostics):
                raise
            message = problem.diagnostics[0].message
            illegal[message] = illegal.get(message, 0) + len(group.rows)
            continue
        own = {n: column_of(n, c[group.rows]) for n, c in sizes.items() if n in compiled.inputs}
        found = compiled._columns(own, (len(group.rows),), wanted)
        parts.append((group.rows, found))
        units.update(found.units)
        legal[group.rows] = found.legal
        for message, broken in found.illegal.items():
            illegal[message] = illegal.get(message, 0) + broken
    names = _names(plan, parts, wanted)
    values = {n: _joined(n, parts, legal) for n in names}
    return Columns(values, legal, illegal, {n: units.get(n, "") for n in names}, columns)


def _names(plan: Plan, parts: Sequence[tuple[Any, Columns]], wanted: Sequence[str] | None) -> list[str]:
    """What is answered, in order; the same whatever the rows are."""
    if wanted is not None:
        return list(dict.fromkeys([wanted] if isinstance(wanted, str) else wanted))
    there = {n for _, found in parts for n in found} or set(plan.compiled.names)
    return [n for n in ANSWERS if n in there]


def _joined(
    name: str, parts: Sequence[tuple[NDArray[np.intp], Columns]], legal: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """One output of all rows; 0 in rows whose structure has no formula of it."""
    import numpy as np

    wide = max((found[name].shape[1] for _, found in parts if name in found and found[name].ndim == 2), default=0)
    whole = np.full((len(legal), wide) if wide else len(legal), np.nan)
    for rows, found in parts:
        if name not in found:
            whole[rows] = np.where(found.legal, 0.0, np.nan)
        elif wide:
            whole[rows, : found[name].shape[1]] = found[name]
        else:
            whole[rows] = found[name]
    return whole


def _column(name: str, given: Any) -> NDArray[Any]:
    import numpy as np

    if isinstance(given, str | bool | set | frozenset) or given is None:
        one = np.empty((), dtype=object)
        one[()] = given
        return one
    if isinstance(given, list | tuple) and any(isinstance(v, list | tuple | set | frozenset) for v in given):
        several = np.empty(len(given), dtype=object)
        several[:] = [frozenset(v) if isinstance(v, list | tuple | set) else v for v in given]
        return several
    column = np.asarray(given)
    if column.ndim > 1:
        raise error("E382", f"column '{name}' has {column.ndim} axes", None, "a table has one value for each row")
    return column


def _is_size(name: str, plan: Plan, table: Mapping[str, Any]) -> bool:
    """Whether a column varies inside formulas, wherever it is given."""
    if name not in CHOICES or CHOICES[name].structural or name == "vp":
        return False
    placed_by_letters = "layout" in table or plan.choices["layout"] is not None
    return not (name == "pp" and placed_by_letters)


@dataclass(frozen=True, slots=True)
class _Distinct:
    """The different values of a column, and which of them each row has."""

    values: tuple[Setting, ...]
    places: NDArray[np.intp]


def _distinct(column: NDArray[Any]) -> _Distinct:
    import numpy as np

    if column.dtype.kind in "biuf":
        values, places = np.unique(column, return_inverse=True)
        return _Distinct(tuple(None if v != v else v for v in values.tolist()), places.reshape(-1))
    listed = column.tolist()
    try:
        found = dict.fromkeys(listed)
    except TypeError:
        listed = [frozenset(v) if isinstance(v, list | set) else v for v in listed]
        found = dict.fromkeys(listed)
    settings = {v: None if v != v else v for v in found}
    order = {v: k for k, v in enumerate(dict.fromkeys(settings.values()))}
    place = {v: order[given] for v, given in settings.items()}
    places = np.fromiter(map(place.__getitem__, listed), dtype=np.intp, count=len(listed))
    return _Distinct(tuple(order), places)


@dataclass(frozen=True, slots=True)
class _Group:
    settings: Mapping[str, Setting]
    rows: NDArray[np.intp]


def _groups(keys: Mapping[str, _Distinct], sizes: Mapping[str, Any], count: int) -> Iterator[_Group]:
    """Rows that share every choice that selects formulas, the model or the machine.

    Of a size that is a symbol where it is given, all values but the default share a structure.
    """
    import numpy as np

    code = np.zeros(count, dtype=np.intp)
    values: dict[str, tuple[Setting, ...]] = {}
    for name, distinct in keys.items():
        values[name] = distinct.values
        places = distinct.places
        if name in sizes:
            unmade = [k for k, v in enumerate(distinct.values) if v is None or v == CHOICES[name].default]
            made = [k for k in range(len(distinct.values)) if k not in set(unmade)]
            short = np.zeros(len(distinct.values), dtype=np.intp)
            short[made] = len(unmade)
            short[unmade] = np.arange(len(unmade))
            values[name] = (*(distinct.values[k] for k in unmade), *(distinct.values[k] for k in made[:1]))
            places = short[places]
        _, code = np.unique(code * len(values[name]) + places, return_inverse=True)
        if code.max(initial=0) >= MAX_GROUPS:
            hint = "give choices that select formulas, dimensions and figures fewer values; sizes may have any"
            raise error("E383", f"the table has more than {MAX_GROUPS:,} structures", None, hint)
        keys = {**keys, name: _Distinct(values[name], places)}
    order = np.argsort(code, kind="stable")
    ends = np.flatnonzero(np.diff(code[order])) + 1
    for rows in np.split(order, ends):
        if len(rows):
            yield _Group({n: d.values[d.places[rows[0]]] for n, d in keys.items()}, rows)
