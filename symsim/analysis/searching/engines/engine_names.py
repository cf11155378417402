"""Engines by the names that ``--engine`` takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from symsim.analysis.searching.engines.processes import cores, in_processes
from symsim.analysis.searching.engines.two_step_search import Unit
from symsim.analysis.searching.search import Engine, in_this_process
from symsim.analysis.searching.space import Refused, Space
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import error, nearest

NAMES = ("local", "processes", "dask")

CLUSTER = re.compile(r"dask(://(?P<address>(\[[0-9a-fA-F:]+\]|[^\s/:\[\]]+):[0-9]{1,5}))?")

PAYS_POINTS = 200_000
"""Points of a space from which processes are worth their start."""

PAYS_VARIANTS = 6
"""Structural variants from which they are: the formulas of each are put together."""


def engine_of(given: str | None, workers: int | None) -> Engine:
    """The engine ``local``, ``processes``, ``dask`` or ``dask://host:port``; ``None`` takes processes where they pay.

    Raises:
        InputError: no such engine; a package that is not installed.
    """
    if given is None and workers is None:
        return where_it_pays
    if given == "local":
        return in_this_process
    if given is None or given == "processes":
        return in_processes(workers or cores()) if (workers or cores()) > 1 else in_this_process
    cluster = CLUSTER.fullmatch(given)
    if cluster is not None:
        from symsim.analysis.searching.engines.cluster import on_dask

        return on_dask(cluster["address"], workers or cores())
    hint = "dask://HOST:PORT, or dask alone" if given.startswith("dask:") else nearest(given, NAMES)
    raise error("E376", f"there is no engine '{given}'", None, hint)


def where_it_pays(space: Space, units: Sequence[Unit], asked: Asked, take: Callable[[SweepResult], None]) -> None:
    """All cores where the space is large enough, else this process."""
    live = sum(not isinstance(part, Refused) for unit in units for part in unit)
    pays = space.points >= PAYS_POINTS or live >= PAYS_VARIANTS
    engine = in_processes(cores()) if pays and cores() > 1 else in_this_process
    engine(space, units, asked, take)
