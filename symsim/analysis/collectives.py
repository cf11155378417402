"""The time of a single collective on a machine, from the formulas that a step is made of.

What the figures of a machine were fitted to are curves of one collective over some GPUs, by size;
this is the same question put to the formulas.
"""

from __future__ import annotations

from functools import cache

from sympy import Integer

from symsim.compiler.ledger import Ledger, free_names
from symsim.compiler.network import message_time
from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.program import assemble
from symsim.machine.bind import bind
from symsim.records.cost import CostModel
from symsim.records.graph import Message
from symsim.records.system import System
from symsim.symbols import symbol


def collective_time(
    system: System, collective: str, ranks: int, size: float, stride: int = 1, copies: int | None = None
) -> float:
    """Seconds for a full buffer of ``size`` bytes among ``ranks`` GPUs that lie ``stride`` apart.

    ``stride`` such groups run side by side in one run of GPUs. ``copies``: places that want each token, of an
    all-to-all that sends it once to each island.
    """
    compiled, inputs = _compiled(collective, copies)
    machine = bind(system, inputs)
    values = {**machine.values, "dp": ranks, "cp": 1, "tp": stride, "bytes": size}
    (seconds,) = compiled.run([values[n] for n in compiled.inputs], machine.lookup)
    return float(seconds)


@cache
def _compiled(collective: str, copies: int | None) -> tuple[Compiled, tuple[str, ...]]:
    ledger = Ledger()
    wanted = None if copies is None else Integer(copies)
    time = message_time(Message(collective, symbol("bytes"), "dp", wanted), ledger)
    ledger.define("time", time, f"one {collective}", "s", "time")
    inputs = free_names(ledger.definitions)
    program = assemble(CostModel(collective, ledger.definitions, (), inputs))
    return compile_scalar(program, [program.outputs["time"].register]), inputs
