"""What of a step each operator takes on the stage that paces it, and what limits that: the terms of the step's time.

A *turn* is ``forward``, ``backward`` or ``recompute``; a *class* is the rate by which the machine states a kernel
(``matmul``, ``attention`` …), ``traffic`` where an operator only moves memory, or the axis of messages. ``NAME`` is a
definition of the part *time of each operator*, such as ``attention.qkv.forward`` or ``attention.qkv.forward.tp``.

================================  ====================================================================
``time@TURN@CLASS@UNIT@NAME``     seconds of a step
``arithmetic@NAME``               one side of the roofline
``traffic@NAME``                  the other, without its start
``start_up@NAME``                 that start; of messages, what they take however short they are
``time@data_parallel@reduce`` …   what of ``time.data_parallel`` is which message
``messages@reduce`` …             all of it, hidden or not
``covered@reduce`` …              of it, what runs during a pass
``cover@reduce`` …                the pass that overlaps which it runs
``host@forward`` …                the host launches all of a pass; ``device@forward``: the device runs it
================================  ====================================================================

The ``time@TURN@…`` of the kernels of one turn add up to ``time.forward``, ``time.backward`` or ``time.recompute``,
those of one axis to ``time.tensor_parallel`` and the like: they are made of the same terms.
"""

from __future__ import annotations

from dataclasses import replace

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.operator_times import EXPOSED_AXES, Share
from symsim.compiler.profile import Profile
from symsim.functions import maximum, stage_pick
from symsim.records.strategy import Structure
from symsim.symbols import symbol

PART = "time.limits"

TRAFFIC = "traffic"
"""The class of operators that have no arithmetic to speak of."""


def limits(shares: tuple[Share, ...], structure: Structure, profile: Profile, ledger: Ledger) -> None:
    """Open up the time of a step. Relies on ``t``, ``tail`` and on the times of all operators."""
    for share in shares:
        kind = share.axis or next((k.rate for k in share.operator.work[share.phase].kernels), TRAFFIC)
        unit = share.held.suffix.removeprefix("_") or "layer"
        seconds = symbol("m") * stage_pick(share.of_stage, symbol("t"))
        meaning = f"{share.operator.kind}, {share.turn} of a step"
        _define(f"time@{share.turn}@{kind}@{unit}@{share.name}", seconds, meaning, ledger)
        if share.name in ledger and f"start_up@{share.name}" not in ledger:
            _messages(share, ledger) if share.axis else _roofline(share.name, ledger)
    _data_parallel(structure, ledger)
    _host(profile, ledger)


def _define(name: str, seconds: Expr, meaning: str, ledger: Ledger) -> None:
    if seconds != 0:
        ledger.define(name, seconds, meaning, "s", PART)


def _roofline(name: str, ledger: Ledger) -> None:
    """Both sides of an operator's time, taken from its formula."""
    formula = ledger.expression(name)
    bandwidth, latency = symbol("hbm.bandwidth"), symbol("hbm.latency")
    # Other kernels than the product, if any, are added to the longer side.
    sides = [s for term in sympy.Add.make_args(formula) for s in (term.args if isinstance(term, maximum) else (term,))]
    arithmetic = [side for side in sides if not side.has(bandwidth) and side != latency]
    moved = sympy.Add(*(side for side in sides if side.has(bandwidth) or side == latency))
    traffic = moved.xreplace({latency: Integer(0)})
    _define(f"arithmetic@{name}", sympy.Add(*arithmetic), f"arithmetic of {name}", ledger)
    _define(f"traffic@{name}", traffic, f"memory traffic of {name}", ledger)
    _define(f"start_up@{name}", moved - traffic, f"start and end of {name}", ledger)


def _messages(share: Share, ledger: Ledger) -> None:
    """What messages would take if they had no bytes."""
    own = [m for m in share.operator.work[share.phase].messages if EXPOSED_AXES[m.axis] == share.axis]
    empty = sympy.Add(*(message_time(replace(m, bytes=Integer(0)), ledger) for m in own))
    _define(f"start_up@{share.name}", empty, f"start-up of {share.name}", ledger)


def _data_parallel(structure: Structure, ledger: Ledger) -> None:
    """Which message of the step is how long, and what it overlaps with, on the stage with the longest tail."""
    end = symbol("tail")
    for name, title, overlaps, hidden_by, cover in (
        ("reduce", "gradient reduction", "overlap_grad_reduce", "reduce_early", "B"),
        ("gather", "parameter gathering", "overlap_param_gather", "gather", "F"),
    ):
        whole = ledger.value(name)
        with_every_micro_batch = int(structure["zero"]) >= (2 if name == "reduce" else 3)  # type: ignore[arg-type]
        if whole == 0 or with_every_micro_batch:
            continue
        exposed = ledger.value(f"stage.dp.{name}") if structure[overlaps] else whole
        _define(f"time@data_parallel@{name}", stage_pick(exposed, end), f"{title} that nothing hides", ledger)
        _define(f"messages@{name}", stage_pick(whole, end), title, ledger)
        if structure[overlaps]:
            hides = ledger.value(hidden_by)
            _define(f"covered@{name}", stage_pick(hides, end), f"{title} during a pass", ledger)
            _define(f"cover@{name}", stage_pick(symbol(cover), end), f"the pass that overlaps {title}", ledger)
    tied = ledger.value("reduce_tied")
    if tied != 0:
        _define("time@data_parallel@reduce_tied", stage_pick(tied, end), "gradients of the tied table", ledger)


def _host(profile: Profile, ledger: Ledger) -> None:
    """How long the host launches and the device runs one pass of the stage that paces the step."""
    for turn, whole in (("forward", "F"), ("backward", "B")):
        count = ledger.value(f"launches.{turn}")
        if count == 0:
            continue
        launched = count * profile.figure("launch")
        device = symbol(whole) - ledger.value(f"stage.{turn}.launch")
        _define(f"host@{turn}", stage_pick(launched, symbol("t")), f"the host launches a {turn} pass", ledger)
        _define(f"device@{turn}", stage_pick(device, symbol("t")), f"the device runs a {turn} pass", ledger)
