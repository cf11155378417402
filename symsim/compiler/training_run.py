"""A whole training run of ``tokens`` tokens: steps, time, GPU-hours, energy and money, from the time of one step."""

from __future__ import annotations

from sympy import Integer

from symsim.compiler.ledger import Ledger
from symsim.symbols import symbol

SECONDS_OF_HOUR = Integer(3600)
SECONDS_OF_DAY = Integer(86_400)


def training_run(ledger: Ledger) -> None:
    """What a run takes if every step takes the same time; the last step may be a part of one.

    Inputs besides the plan's: ``tokens`` of the run, ``price`` of a GPU-hour, ``gpu.power`` of one GPU in watts.
    """
    tokens, world = symbol("tokens"), symbol("world")
    steps = ledger.define("run.steps", tokens / (symbol("gbs") * symbol("seq")), "steps of the run", "", "run")
    time = ledger.define("run.time", steps * symbol("time.iteration"), "the whole run, without a pause", "s", "run")
    ledger.define("run.days", time / SECONDS_OF_DAY, "the whole run in days", "d", "run")
    hours = ledger.define("run.gpu_hours", time * world / SECONDS_OF_HOUR, "GPU-hours of the run", "h", "run")
    ledger.define("run.cost", hours * symbol("price"), "money, in the currency of the price", "", "run.cost")
    meaning = "energy of the GPUs alone, each at its full power all the time"
    ledger.define("run.energy", time * world * symbol("gpu.power"), meaning, "J", "run.energy")
