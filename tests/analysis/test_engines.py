"""Whoever works, the answer is the same: this process, several, a cluster, and any of them that loses a worker."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.searching.columns import Asked
from symsim.analysis.searching.engines import cluster, processes
from symsim.analysis.searching.engines.named import engine_of, where_it_pays
from symsim.analysis.searching.engines.portions import Unit, portions
from symsim.analysis.searching.engines.processes import in_processes
from symsim.analysis.searching.search import Engine, Result, in_this_process, search
from symsim.analysis.searching.space import Refused, Space, Variant, load_space, variants
from symsim.analysis.searching.sweep import Swept, sweep
from symsim.diagnostics import InputError

SPACE = (
    "world=64,gbs=128,seq=4096,tp in 1..8,pp in 1..9,cp in {1,2},mbs in 1..5,sequence_parallel in {true,false},"
    "recompute in {none,full},recompute_layers in {none,1,2},require time.bubble_share < 0.4"
)
PARETO = ("time.iteration", "memory.peak")


def space() -> Space:
    return load_space("llama3_8b", SPACE, "h100_sxm")


def outcome(result: Result) -> tuple[Any, ...]:
    """All that an answer says, but how long it took."""
    assert result.front is not None
    plans = [(p.point, p.choices, p.objective, p.front, p.answer.values) for p in (*result.plans, *result.front)]
    counts = (result.points, result.legal, result.feasible, list(result.removed.items()), result.variants)
    return (*plans, counts, list(result.contradictions), len(result.front))


@pytest.fixture(scope="module")
def alone() -> tuple[Any, ...]:
    return outcome(search(space(), pareto=PARETO, engine=in_this_process))


def test_processes_find_the_same(alone: tuple[Any, ...]) -> None:
    assert outcome(search(space(), pareto=PARETO, engine=in_processes(2))) == alone


def test_units_in_any_order_find_the_same(alone: tuple[Any, ...]) -> None:
    def backwards(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        for portion in reversed(portions(units, 5)):
            take(sweep(space, portion.unit, asked))

    assert outcome(search(space(), pareto=PARETO, engine=backwards)) == alone


def test_what_engines_pass_on_can_be_pickled() -> None:
    whole = space()
    parts = list(variants(whole))
    again = pickle.loads(pickle.dumps((whole, parts)))
    assert again[0] == whole
    assert [p.points for p in again[1]] == [p.points for p in parts]
    found: list[Swept] = []

    def keep(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        assert pickle.loads(pickle.dumps(asked)) == asked
        found.append(sweep(space, units[0], asked))
        take(found[0])

    search(whole, pareto=PARETO, engine=keep)
    back = pickle.loads(pickle.dumps(found[0]))
    assert (back.tally, back.problems.keys()) == (found[0].tally, found[0].problems.keys())
    assert [p.render() for p in back.problems.values()] == [p.render() for p in found[0].problems.values()]


def test_portions_are_the_whole() -> None:
    parts = list(variants(space()))
    parted = portions([parts], 4)
    assert len(parted) >= 8
    assert sum(p.variants for p in parted) == len(parts)
    pieces = [part for portion in parted for part in portion.unit]
    assert sum(p.points for p in pieces) == sum(p.points for p in parts)


def test_a_large_variant_is_parted_by_stages() -> None:
    large = load_space("llama3_8b", "world=64,gbs=128,seq in 1..9000,tp in 1..8,pp in 1..9", "h100_sxm")
    (variant,) = variants(large)
    parted = portions([[variant]], 2)
    stages = [a.values for p in parted for v in p.unit if isinstance(v, Variant) for a in v.axes if a.name == "pp"]
    assert sorted(pp for values in stages for pp in values if isinstance(pp, int)) == list(range(1, 10))
    assert len(parted) > 1


def test_the_largest_portion_is_first() -> None:
    weights = [p.weight for p in portions([list(variants(space()))], 3)]
    assert weights == sorted(weights, reverse=True)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Workers that die as soon as they begin, until there are as many files as ``deaths`` says."""
    (tmp_path / "deaths").write_text("1")

    def sweep_or_die(space: Space, unit: Unit, asked: Asked, limit: Any) -> Swept:
        died = len(list(tmp_path.glob("died*")))
        if died < int((tmp_path / "deaths").read_text()):
            (tmp_path / f"died{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return sweep(space, unit, asked, limit)

    monkeypatch.setattr(processes, "sweep", sweep_or_die)
    yield tmp_path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a patched worker is a forked one")
def test_a_process_that_dies_loses_nothing(dying: Path, alone: tuple[Any, ...]) -> None:
    assert outcome(search(space(), pareto=PARETO, engine=in_processes(2))) == alone
    assert list(dying.glob("died*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a patched worker is a forked one")
def test_processes_that_die_again_and_again_are_an_error(dying: Path) -> None:
    (dying / "deaths").write_text("1000")
    with pytest.raises(InputError, match="died twice") as raised:
        search(space(), engine=in_processes(2))
    assert raised.value.diagnostics[0].code == "E374"


def test_an_error_of_a_worker_is_the_error_of_the_search() -> None:
    wrong = load_space("llama3_8b", "world=8,gbs=8,seq=512,tp in {1,2},zero in {1,2,3},require tpp <= 8", "h100_sxm")
    with pytest.raises(InputError) as raised:
        search(wrong, engine=in_processes(2))
    assert raised.value.diagnostics[0].code == "E203"
    assert raised.value.diagnostics[0].place is not None


def test_small_spaces_stay_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def never(workers: int) -> Engine:
        begun.append(workers)
        return in_this_process

    monkeypatch.setattr("symsim.analysis.searching.engines.named.in_processes", never)
    monkeypatch.setattr("symsim.analysis.searching.engines.named.cores", lambda: 4)
    search(load_space("llama3_8b", "world=8,gbs=8,seq=512,tp in {1,2}", "h100_sxm"), engine=where_it_pays)
    assert begun == []
    search(space(), engine=where_it_pays)
    assert begun == [4]


def test_refused_choices_are_no_work() -> None:
    refused = [part for part in variants(space()) if isinstance(part, Refused)]
    assert refused and portions([refused], 2)[0].weight == 0


def test_a_cluster_that_loses_a_worker_finds_the_same(alone: tuple[Any, ...]) -> None:
    """Two workers on loopback, one of them killed when the first portion is there."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        with distributed.Client(local) as client:
            first, *_ = client.run(os.getpid).values()
        killed: list[int] = []

        def kill(done: int, count: int, legal: int) -> None:
            if not killed:
                killed.append(first)
                os.kill(first, signal.SIGKILL)

        address = local.scheduler_address.removeprefix("tcp://")
        found = search(space(), pareto=PARETO, engine=engine_of(f"dask://{address}", None), progress=kill)
    assert killed == [first]
    assert outcome(found) == alone


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("symsim.analysis.searching.engines.cluster.CONNECT_S", 0.2)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at 127\.0\.0\.1:9") as raised:
        search(space(), engine=engine_of("dask://127.0.0.1:9", None))
    assert raised.value.diagnostics[0].code == "E375"


@pytest.mark.parametrize(
    ("problem", "code"),
    [(ModuleNotFoundError("No module named 'symsim'"), "E379"), (CancelledError(), "E375"), (OSError("gone"), "E375")],
    ids=lambda p: type(p).__name__ if isinstance(p, Exception) else p,
)
def test_what_a_cluster_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str) -> None:
    """A cluster whose every portion ends in an exception."""
    distributed = pytest.importorskip("distributed")

    class Portion:
        def result(self) -> Swept:
            raise problem

    class Client:
        def scheduler_info(self) -> dict[str, Any]:
            return {"workers": {}}

        def submit(self, *arguments: Any, pure: bool) -> Portion:
            return Portion()

        def cancel(self, portions: list[Portion], force: bool) -> None:
            pass

    monkeypatch.setattr(cluster, "_client", lambda *_: nullcontext(Client()))
    monkeypatch.setattr(distributed, "as_completed", iter)
    with pytest.raises(InputError) as raised:
        search(space(), engine=engine_of("dask", 2))
    assert raised.value.diagnostics[0].code == code
