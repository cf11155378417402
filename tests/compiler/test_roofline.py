"""An operator takes the longer of its arithmetic and its traffic; what moves data also waits for the first byte."""

from __future__ import annotations

from typing import Any

import pytest
from sympy import Integer

from symsim.compiler.operator_times import PLAIN, roofline
from symsim.functions import maximum
from symsim.symbols import symbol

compute, moved, softmax, latency = (symbol(n) for n in ("a", "b", "c", "hbm.latency"))


@pytest.mark.parametrize(
    ("arithmetic", "traffic", "expected"),
    [
        (compute, {}, compute),
        (compute, {PLAIN: moved}, maximum(compute, moved + latency)),
        (compute, {"softmax": softmax}, compute + softmax + latency),
        (compute, {PLAIN: moved, "softmax": softmax}, maximum(compute, moved + latency) + softmax + latency),
        (Integer(0), {PLAIN: moved}, moved + latency),
        (Integer(0), {PLAIN: moved, "softmax": softmax}, moved + softmax + latency),
        (Integer(0), {}, Integer(0)),
    ],
)
def test_a_kernel_takes_its_arithmetic_or_its_traffic(arithmetic: Any, traffic: dict[str, Any], expected: Any) -> None:
    assert roofline(arithmetic, traffic) == expected
