"""A value at a few stages stands for those between only where it is a line there, and it says where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.emit.grid.arithmetic import POINTWISE, apply
from symsim.emit.grid.sampled_stages import OVER_STAGES, Doubtful, Staged, StageSamples, plain

STAGES = 9
AT = np.array([0.0, 4.0, 5.0, 8.0])
SAMPLES = StageSamples.of(AT.reshape(-1, 1))
ALL = np.arange(STAGES, dtype=float)


def line(first: float, last: float) -> Staged:
    """A line over all stages, at the samples."""
    return Staged((first + (last - first) * AT / (STAGES - 1)).reshape(-1, 1))


def walked(value: Any) -> Any:
    """A line at every stage."""
    return np.interp(ALL, AT, value.values[:, 0]) if isinstance(value, Staged) else value


def applied(operation: str, *arguments: Any) -> Any:
    with np.errstate(all="ignore"):
        return apply(operation, arguments, SAMPLES, lambda *_: None)


def exact_of(found: Any) -> list[bool]:
    """Of each interval between samples."""
    if not isinstance(found, Staged) or found.exact is None:
        return [True] * (len(AT) - 1)
    return [bool(x) for x in np.broadcast_to(found.exact, (len(AT) - 1, 1))[:, 0]]


numbers = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
values = st.one_of(numbers, st.builds(line, numbers, numbers), st.builds(lambda x: line(x, x), numbers))


@given(st.sampled_from([o for o in sorted(POINTWISE) if o != "log"]), st.tuples(values, values, values))
def test_what_is_said_to_be_a_line_is_one(operation: str, given: tuple[Any, Any, Any]) -> None:
    arguments = given[: {"where": 3, "floor": 1, "ceil": 1}.get(operation, 2)]
    if not any(isinstance(a, Staged) for a in arguments):
        return
    found = applied(operation, *arguments)
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(
            plain(apply(operation, [walked(a) for a in arguments], None, lambda *_: None)), STAGES
        )
    between = np.interp(ALL, AT, np.broadcast_to(plain(found), (len(AT), 1))[:, 0])
    for k, exact in enumerate(exact_of(found)):
        inside = (AT[k] <= ALL) & (AT[k + 1] >= ALL)
        if exact and np.isfinite(expected[inside]).all():
            assert between[inside] == pytest.approx(expected[inside], abs=1e-12)


@pytest.mark.parametrize(
    ("operation", "arguments", "exact"),
    [
        ("less", (line(0, 8), 2.0), [False, True, True]),
        ("less", (line(0, 8), 9.0), [True, True, True]),
        ("at_most", (line(8, 0), 1.5), [True, True, False]),
        ("equal", (line(0, 8), 2.0), [False, True, True]),
        ("equal", (line(1, 1), 1.0), [True, True, True]),
        ("where", (line(-1, 7), 1.0, line(0, 8)), [False, True, True]),
        ("where", (line(-1, 3), -2.0, -1.0), [False, True, True]),
        ("where", (line(1, 7), 1.0, line(0, 8)), [True, True, True]),
        ("where", (Staged(np.array([[0.0], [0.0], [1.0], [1.0]])), line(0, 8), 5.0), [True, True, True]),
        ("where", (Staged(np.array([[0.0], [1.0], [1.0], [1.0]])), line(0, 8), 5.0), [False, True, True]),
        ("mul", (line(0, 8), 3.0), [True, True, True]),
        ("mul", (line(0, 8), line(2, 2)), [True, True, True]),
        ("mul", (line(0, 8), line(8, 0)), [False, True, False]),
        ("div", (line(0, 8), line(2, 2)), [True, True, True]),
        ("div", (3.0, line(1, 9)), [False, True, False]),
        ("min", (line(0, 8), 2.0), [False, True, True]),
        ("max", (line(0, 8), 4.0, 1.0), [True, True, True]),
        ("floor", (line(0, 4),), [False, True, False]),
        ("add", (line(0, 8), line(8, 0)), [True, True, True]),
    ],
)
def test_where_a_result_is_a_line(operation: str, arguments: tuple[Any, ...], exact: list[bool]) -> None:
    """The interval from stage 4 to 5 has no stage inside: nothing can go wrong there."""
    assert exact_of(applied(operation, *arguments)) == exact


def test_doubt_stays_with_what_is_made_of_it() -> None:
    doubtful = applied("mul", line(0, 8), line(8, 0))
    assert exact_of(applied("add", doubtful, 1.0)) == [False, True, False]
    assert exact_of(applied("where", 1.0, 2.0, doubtful)) == [True, True, True]
    assert exact_of(applied("where", 0.0, 2.0, doubtful)) == [False, True, False]


@pytest.mark.parametrize("operation", ["stage_sum", "stage_max"])
@given(first=numbers, last=numbers)
def test_reductions_of_a_line_are_those_of_all_stages(operation: str, first: float, last: float) -> None:
    found = plain(applied(operation, line(first, last)))
    every = walked(line(first, last))
    assert float(np.ravel(found)[0]) == pytest.approx(every.sum() if operation == "stage_sum" else every.max())


def test_a_sum_of_what_is_no_line_is_in_doubt() -> None:
    found = applied("stage_sum", applied("mul", line(0, 8), line(8, 0)))
    assert isinstance(found, Doubtful) and not np.asarray(found.exact).all()
    assert "stage_sum" in OVER_STAGES


@given(first=numbers, last=numbers)
def test_the_sum_of_the_stages_before(first: float, last: float) -> None:
    found = applied("sum_before", line(first, last))
    every = walked(line(first, last))
    before = np.concatenate([[0.0], np.cumsum(every)[:-1]])
    assert plain(found)[:, 0] == pytest.approx(before[AT.astype(int)])


def test_every_stage_is_a_sample_where_there_are_few() -> None:
    samples = StageSamples.all(3, 1)
    assert samples.at.tolist() == [[0.0], [1.0], [2.0]] and samples.wide is None
    assert StageSamples.of(samples.at).wide is None
    assert np.asarray(SAMPLES.wide)[:, 0].tolist() == [True, False, True]
