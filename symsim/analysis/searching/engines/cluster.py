"""A Dask cluster: the processes of this machine under Dask, or the workers of a scheduler elsewhere.

Workers need symsim and this Python; nothing else of this machine: a portion carries the space with it. What a lost
worker had begun Dask begins elsewhere.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pickle import UnpicklingError
from typing import Any

from symsim.analysis.searching.engines.two_step_search import Unit, Writing, in_two_steps
from symsim.analysis.searching.search import Engine
from symsim.analysis.searching.space import Space
from symsim.analysis.searching.space_program import SpaceProgram, compile_variants
from symsim.analysis.searching.sweep import sweep
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import error

CONNECT_S = 15
"""How long a scheduler has to answer."""

LOST = (asyncio.CancelledError, concurrent.futures.CancelledError, OSError)
"""What is raised of a portion whose scheduler is gone."""


def on_dask(address: str | None, workers: int) -> Engine:
    """An engine of Dask: ``address`` is ``host:port`` of a scheduler; ``None`` starts so many workers here.

    Raises:
        InputError: Dask is not installed; no scheduler answers, or none of its workers; workers cannot be started; a
            portion loses one worker after the other.
    """
    distributed = _distributed()
    # What it logs of lost workers is told by the answer, or by an error.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

    def run(space: Space, units: Sequence[Unit], asked: Asked, take: Callable[[SweepResult], None]) -> None:
        with _client(distributed, address, workers) as client:
            there = max(workers, len(client.nthreads()))

            def write_all(portions: Sequence[Unit], done: Callable[[Writing], None]) -> None:
                _do(distributed, client, [(compile_variants, space, portion, asked) for portion in portions], done)

            def sweep_all(parts: Sequence[SpaceProgram], done: Callable[[SweepResult], None]) -> None:
                _do(distributed, client, [(sweep, space, part, asked) for part in parts], done)

            in_two_steps(units, there, write_all, sweep_all, take)

    return run


def _do(distributed: Any, client: Any, calls: Sequence[tuple[Any, ...]], done: Callable[[Any], None]) -> None:
    futures = [client.submit(*call, pure=False) for call in calls]
    try:
        for future in distributed.as_completed(futures):
            done(future.result())
            future.release()
    except distributed.scheduler.KilledWorker as problem:
        hint = "most likely their memory ran out: give workers more of it, or take fewer"
        raise error("E374", f"workers of Dask died: {problem}", None, hint) from None
    except (ImportError, AttributeError, UnpicklingError) as problem:
        hint = "install the same packages there, with the same version of symsim"
        raise error("E379", f"a worker of Dask cannot run a search: {problem}", None, hint) from None
    except LOST as problem:
        message = f"the Dask scheduler went away: {type(problem).__name__}"
        raise error("E375", message, None, "start the search again; --engine dask needs none") from None
    finally:
        with suppress(*LOST):
            client.cancel(futures, force=True)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        hint = "pip install 'symsim[dask]'"
        raise error("E006", "--engine dask needs distributed, which is not installed", hint=hint) from None
    return distributed


@contextmanager
def _client(distributed: Any, address: str | None, workers: int) -> Iterator[Any]:
    with ExitStack() as opened:
        if address is None:
            yield _started(distributed, workers, opened)
        else:
            yield _connected(distributed, address, opened)


def _started(distributed: Any, workers: int, opened: ExitStack) -> Any:
    """A client of a cluster on this machine."""
    try:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
        opened.callback(_close, cluster)
        client = distributed.Client(cluster, timeout=CONNECT_S)
    # Dask raises what it likes of a worker that dies while it starts, a port or a setting.
    except Exception as problem:
        hint = "--engine processes needs no Dask; settings of Dask are in ~/.config/dask and in $DASK_…"
        raise error("E374", f"workers of Dask cannot be started: {_reason(problem)}", None, hint) from None
    opened.callback(_close, client)
    return client


def _connected(distributed: Any, address: str, opened: ExitStack) -> Any:
    """A client of a scheduler that runs already and has workers."""
    try:
        client = distributed.Client(f"tcp://{address}", timeout=CONNECT_S)
    except (OSError, ValueError) as problem:
        message = f"no Dask scheduler answers at {address}: {_reason(problem)}"
        raise error("E375", message, None, "start one with 'dask scheduler', or take --engine dask") from None
    opened.callback(_close, client)
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except LOST as problem:
        message = f"the Dask scheduler at {address} has no workers: {_reason(problem)}"
        raise error("E375", message, None, f"start some with 'dask worker tcp://{address}'") from None
    return client


def _close(opened: Any) -> None:
    """Whatever closing says, the answer is there, or an error that says more."""
    with suppress(Exception):
        opened.close()


def _reason(problem: BaseException) -> str:
    """One line of an error, with what caused it."""
    told = str(problem) or type(problem).__name__
    cause = problem.__cause__
    return told if cause is None else f"{told} ({str(cause) or type(cause).__name__})"
