"""Sums and maxima over some of the stages, in the code for numbers and in the code for arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symsim.compiler.ledger import Ledger, free_names
from symsim.emit.code import compile_array, compile_scalar
from symsim.emit.program import assemble, from_json, to_json
from symsim.functions import max_from, max_to, stage_max, stage_sum, sum_before
from symsim.records.cost import CostModel
from symsim.symbols import symbol

i, tp = symbol("i"), symbol("tp")


def outputs(ledger: Ledger, names: list[str], arrays: bool, **given: Any) -> tuple[Any, ...]:
    definitions = ledger.definitions
    inputs = ("pp", *(n for n in free_names(definitions) if n != "pp"))
    program = from_json(to_json(assemble(CostModel("", definitions, (), inputs))))
    wanted = [program.outputs[n].register for n in names]
    function = (compile_array if arrays else compile_scalar)(program, wanted)
    return function.run([given[n] for n in function.inputs], lambda *_: 0)


def ledger() -> Ledger:
    """A scan of a stage, one of a scan, one of a number, and a stage that uses a number of the run."""
    found = Ledger()
    zigzag = found.define("zigzag", (i - 2) ** 2 * tp, "", "", "time")
    before = found.define("before", sum_before(zigzag), "", "", "time")
    found.define("to", max_to(before - zigzag), "", "", "time")
    found.define("from", max_from(zigzag) + zigzag, "", "", "time")
    found.define("count", sum_before(tp), "", "", "time")
    most = found.define("most", stage_max(zigzag), "", "", "time")
    share = found.define("share", zigzag / most, "", "", "time")
    found.define("shares", stage_sum(share), "", "", "time")
    return found


NAMES = ["before", "to", "from", "count", "share", "shares"]
EXPECTED = ([0, 8, 10, 10, 12], [-8, 6, 10, 10, 10], [16, 10, 8, 10, 16], [0, 2, 4, 6, 8], [1, 0.25, 0, 0.25, 1], 2.5)


def test_scopes() -> None:
    scopes = {d.name: d.scope for d in ledger().definitions}
    assert [n for n, s in scopes.items() if s == "run"] == ["most", "shares"]


def test_numbers() -> None:
    assert outputs(ledger(), NAMES, arrays=False, pp=5, tp=2) == EXPECTED


def test_one_output_of_a_later_turn_alone() -> None:
    assert outputs(ledger(), ["to"], arrays=False, pp=5, tp=2) == (EXPECTED[1],)


@pytest.mark.parametrize("pp", [1, 3, 5])
def test_arrays_are_numbers_and_nothing_past_the_last_stage(pp: int) -> None:
    found = outputs(ledger(), NAMES, arrays=True, pp=np.array([pp, 5]), tp=2)
    alone = outputs(ledger(), NAMES, arrays=False, pp=pp, tp=2)
    for several, one in zip(found, alone, strict=True):
        first = several[0] if np.ndim(several) else several
        assert np.array_equal(np.ravel(first)[: np.size(one)], np.ravel(one))
        assert np.isnan(np.ravel(first)[np.size(one) :]).all()
