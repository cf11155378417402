"""Whoever works, the answer is the same: this process, several, a cluster, and any of them that loses a worker."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytest

from symsim.analysis.searching.engines import cluster, processes
from symsim.analysis.searching.engines import two_step_search as engines
from symsim.analysis.searching.engines.engine_names import engine_of, where_it_pays
from symsim.analysis.searching.engines.processes import in_processes
from symsim.analysis.searching.engines.two_step_search import Unit, in_two_steps, weight, work_units
from symsim.analysis.searching.search import Engine, Result, in_this_process, search
from symsim.analysis.searching.space import Refused, Space, load_space, variants
from symsim.analysis.searching.space_program import SpaceProgram, combined, compile_variants, split
from symsim.analysis.searching.sweep import sweep, sweep_unit
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import InputError

pytestmark = pytest.mark.slow

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


def test_portions_and_pieces_in_any_order_find_the_same(alone: tuple[Any, ...]) -> None:
    def backwards(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        def write_all(portions: Sequence[Unit], done: Any) -> None:
            for portion in reversed(portions):
                done(compile_variants(space, portion, asked))

        def sweep_all(parts: Sequence[SpaceProgram], done: Any) -> None:
            for part in reversed(parts):
                done(sweep(space, part, asked))

        in_two_steps(units, 5, write_all, sweep_all, take)

    assert outcome(search(space(), pareto=PARETO, engine=backwards)) == alone


def test_units_by_themselves_find_the_same(alone: tuple[Any, ...]) -> None:
    def one_by_one(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        for portion in reversed(work_units(units, 5)):
            take(sweep_unit(space, portion, asked))

    assert outcome(search(space(), pareto=PARETO, engine=one_by_one)) == alone


def test_what_engines_pass_on_can_be_pickled() -> None:
    whole = space()
    parts = list(variants(whole))
    again = pickle.loads(pickle.dumps((whole, parts)))
    assert again[0] == whole
    assert [p.points for p in again[1]] == [p.points for p in parts]
    found: list[SweepResult] = []

    def keep(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        assert pickle.loads(pickle.dumps(asked)) == asked
        written, refused = pickle.loads(pickle.dumps(compile_variants(space, units[0], asked)))
        take(refused)
        for part in pickle.loads(pickle.dumps(combined(written))):
            refused.add(sweep(space, part, asked))
        found.append(refused)
        take(found[0])

    search(whole, pareto=PARETO, engine=keep)
    back = pickle.loads(pickle.dumps(found[0]))
    assert (back.tally, back.problems.keys()) == (found[0].tally, found[0].problems.keys())
    assert [p.render() for p in back.problems.values()] == [p.render() for p in found[0].problems.values()]


def test_portions_are_the_whole() -> None:
    parts = list(variants(space()))
    found = work_units([parts], 4)
    assert len(found) >= 8
    assert sorted(id(part) for portion in found for part in portion) == sorted(map(id, parts))
    weights = [weight(portion) for portion in found]
    assert weights == sorted(weights, reverse=True)


def pieces_of(choices: str, pieces: int) -> list[SpaceProgram]:
    whole = load_space("llama3_8b", choices, "h100_sxm")
    found: list[SpaceProgram] = []

    def keep(space: Space, units: Sequence[Unit], asked: Asked, take: Any) -> None:
        written, swept = compile_variants(space, units[0], asked)
        take(swept)
        found.extend(combined(written))

    search(whole, engine=keep)
    return split(found, pieces)


def test_points_are_parted_by_stages() -> None:
    parts = pieces_of("world=64,gbs=128,seq in 1..90,tp in 1..8,pp in 1..9", 4)
    stages = [value for part in parts for value in dict(part.axes)["pp"]]
    assert sorted(pp for pp in stages if isinstance(pp, int)) == list(range(1, 10))
    assert len(parts) >= 4
    assert [p.weight for p in parts] == sorted((p.weight for p in parts), reverse=True)
    assert sum(part.variants for part in parts) == 1


def test_variants_are_parted_where_there_is_one_number_of_stages() -> None:
    parts = pieces_of("world=64,pp=2,gbs=128,seq=4096,tp in 1..8,zero in {0,1,2},overlap_p2p in {true,false}", 3)
    assert len(parts) >= 3
    assert sum(len(part.columns) for part in parts) == sum(part.variants for part in parts) == 6


@pytest.fixture(params=["compile_variants", "sweep"])
def dying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Workers that die as soon as they begin a task, until there are as many files as ``deaths`` says."""
    (tmp_path / "deaths").write_text("1")
    original = getattr(processes, request.param)

    def do_or_die(*given: Any, **more: Any) -> Any:
        died = len(list(tmp_path.glob("died*")))
        if died < int((tmp_path / "deaths").read_text()):
            (tmp_path / f"died{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*given, **more)

    monkeypatch.setattr(processes, request.param, do_or_die)
    yield tmp_path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a patched worker is a forked one")
def test_a_process_that_dies_loses_nothing(dying: Path, alone: tuple[Any, ...]) -> None:
    assert outcome(search(space(), pareto=PARETO, engine=in_processes(2))) == alone
    assert list(dying.glob("died*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a patched worker is a forked one")
def test_a_process_that_dies_while_none_works_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, alone: tuple[Any, ...]
) -> None:
    """Between formulas and points."""
    parting = engines.combined
    killed: list[int] = []

    def kill_and_split(parts: Sequence[SpaceProgram]) -> list[SpaceProgram]:
        workers = [child for child in multiprocessing.active_children() if child.pid is not None]
        if workers and not killed:
            killed.append(workers[0].pid or 0)
            workers[0].kill()
            workers[0].join()
        return parting(parts)

    monkeypatch.setattr(engines, "combined", kill_and_split)
    assert outcome(search(space(), pareto=PARETO, engine=in_processes(2))) == alone
    assert killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a patched worker is a forked one")
def test_processes_that_die_again_and_again_are_an_error(dying: Path) -> None:
    (dying / "deaths").write_text("1000")
    with pytest.raises(InputError, match="died twice") as raised:
        search(space(), engine=in_processes(2))
    assert raised.value.diagnostics[0].code == "E374"


ORPHANED = """
import time
from concurrent.futures import ProcessPoolExecutor
from symsim.analysis.searching.engines import processes

pool = ProcessPoolExecutor(1, processes._context(), processes._begin, (None, None, None, None))
pool.submit(print, "works", flush=True).result()
pool.submit(time.sleep, 600)
time.sleep(600)
"""


def test_a_worker_ends_with_its_parent() -> None:
    """The parent is killed and says nothing. The worker has the parent's output, which ends when both are gone."""
    parent = subprocess.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "works\n"
    parent.kill()
    assert parent.communicate(timeout=60) == ("", None)


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

    monkeypatch.setattr("symsim.analysis.searching.engines.engine_names.in_processes", never)
    monkeypatch.setattr("symsim.analysis.searching.engines.engine_names.cores", lambda: 4)
    search(load_space("llama3_8b", "world=8,gbs=8,seq=512,tp in {1,2}", "h100_sxm"), engine=where_it_pays)
    assert begun == []
    search(space(), engine=where_it_pays)
    assert begun == [4]


def test_refused_choices_are_no_work() -> None:
    refused = [part for part in variants(space()) if isinstance(part, Refused)]
    assert refused and weight(work_units([refused], 2)[0]) == 0


def test_a_cluster_that_loses_a_worker_finds_the_same(alone: tuple[Any, ...]) -> None:
    """Two workers on loopback, one of them killed when the first portion is there."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        with distributed.Client(local) as client:
            first, *_ = client.run(os.getpid).values()
        killed: list[int] = []

        def kill(done: int, count: int, legal: int, compiled: int) -> None:
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
    [
        (ModuleNotFoundError("No module named 'symsim'"), "E379"),
        (AttributeError("of another version"), "E379"),
        (UnpicklingError("cut off"), "E379"),
        (CancelledError(), "E375"),
        (OSError("gone"), "E375"),
    ],
    ids=lambda p: type(p).__name__ if isinstance(p, Exception) else p,
)
def test_what_a_cluster_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str) -> None:
    """A cluster whose every portion ends in an exception."""
    distributed = pytest.importorskip("distributed")

    class Portion:
        def result(self) -> SweepResult:
            raise problem

    class Client:
        def nthreads(self) -> dict[str, int]:
            return {}

        def submit(self, *arguments: Any, pure: bool) -> Portion:
            return Portion()

        def cancel(self, portions: list[Portion], force: bool) -> None:
            pass

    monkeypatch.setattr(cluster, "_client", lambda *_: nullcontext(Client()))
    monkeypatch.setattr(distributed, "as_completed", iter)
    with pytest.raises(InputError) as raised:
        search(space(), engine=engine_of("dask", 2))
    assert raised.value.diagnostics[0].code == code


@pytest.mark.parametrize(
    "problem", [RuntimeError("Nanny failed"), OSError("no port"), ValueError("empty name"), TimeoutError()]
)
def test_a_cluster_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    distributed = pytest.importorskip("distributed")

    def refuse(**_: object) -> None:
        raise problem

    monkeypatch.setattr(distributed, "LocalCluster", refuse)
    with pytest.raises(InputError, match="workers of Dask cannot be started") as raised:
        search(space(), engine=engine_of("dask", 2))
    assert raised.value.diagnostics[0].code == "E374"


def test_a_worker_that_dies_while_it_starts_is_an_error(tmp_path: Path) -> None:
    """Not "no": status 1 would mean that no plan is feasible."""
    pytest.importorskip("distributed")
    (tmp_path / "die.py").write_text("import os\nos._exit(1)\n")
    arguments = ("search", "gpt2_xl", "-s", "world=8,gbs=64,seq=2048,tp in {1,2}", "-y", "h100_sxm", "--engine", "dask")
    ended = subprocess.run(
        [sys.executable, "-m", "symsim", *arguments, "--workers", "1"],
        env={**os.environ, "DASK_DISTRIBUTED__WORKER__PRELOAD": str(tmp_path / "die.py")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error[E374]: workers of Dask cannot be started: Nanny failed to start.")


def test_a_scheduler_without_workers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search would wait for ever."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("symsim.analysis.searching.engines.cluster.CONNECT_S", 0.5)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as local:
        address = local.scheduler_address.removeprefix("tcp://")
        with pytest.raises(InputError, match="has no workers") as raised:
            search(space(), engine=engine_of(f"dask://{address}", None))
    assert raised.value.diagnostics[0].code == "E375"


def test_an_answer_is_not_lost_because_a_cluster_cannot_be_closed(
    monkeypatch: pytest.MonkeyPatch, alone: tuple[Any, ...]
) -> None:
    distributed = pytest.importorskip("distributed")
    closed: list[str] = []

    class Client(distributed.Client):  # type: ignore[misc]
        def close(self, *arguments: Any, **named: Any) -> Any:
            found = super().close(*arguments, **named)
            if not closed:
                closed.append("client")
                raise RuntimeError("the scheduler is gone")
            return found

    monkeypatch.setattr(distributed, "Client", Client)
    assert outcome(search(space(), pareto=PARETO, engine=engine_of("dask", 2))) == alone
    assert closed
