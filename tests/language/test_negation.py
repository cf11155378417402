"""A condition that does not hold, as what is wrong."""

from __future__ import annotations

import pytest

from symsim.diagnostics import Source
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.language.expressions import Plain, evaluate
from symsim.language.negation import what_is_wrong
from symsim.language.parser import parse_expression

VALUES = Plain({"ep": 48, "experts": 64, "tp": 16, "pp": 4, "most": 8, "norm": "batch", "on": True, "off": False})


def wrong(text: str) -> str:
    def told(side: tree.Expression) -> str:
        return expression_text(side) if isinstance(side, tree.Number) else f"{expression_text(side)} = {shown(side)}"

    def shown(side: tree.Expression) -> str:
        value = evaluate(side, VALUES)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return what_is_wrong(parse_expression(Source("<t>", text)), told, lambda part: bool(evaluate(part, VALUES)))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("experts % ep == 0", "ep = 48 does not divide experts = 64"),
        ("experts % (tp * pp * 2) == 0", "tp * pp * 2 = 128 does not divide experts = 64"),
        ("tp <= most", "tp = 16 is more than most = 8"),
        ("tp < 16", "tp = 16 is not less than 16"),
        ("pp >= 8", "pp = 4 is less than 8"),
        ("pp > 4", "pp = 4 is not more than 4"),
        ("pp == 8", "pp = 4 is not 8"),
        ("pp != 4", "pp = 4 is the same as 4"),
        ("norm in {rms, layer}", "norm = batch is none of rms, layer"),
        ("tp <= most and pp <= 4", "tp = 16 is more than most = 8"),
        ("tp <= most and pp >= 8", "tp = 16 is more than most = 8; pp = 4 is less than 8"),
        ("tp <= most or pp >= 8", "tp = 16 is more than most = 8, and pp = 4 is less than 8"),
        ("not on", "on = true"),
        ("off", "off = false"),
        ("not (pp == 4)", "pp == 4 holds"),
    ],
)
def test_what_is_wrong_is_said_with_its_values(condition: str, said: str) -> None:
    assert wrong(condition) == said
