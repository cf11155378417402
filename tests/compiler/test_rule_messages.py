"""Rules of the library, the families and the compiler say what is wrong, with the plan's values."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy

from symsim.analysis.evaluate import answer, evaluator
from symsim.compiler.legality_rules import in_sizes, make_rule
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.records.rule_message import with_values, without_values
from symsim.resources import shipped
from symsim.symbols import symbol
from tests.models.counting import others_slow


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{ep} does not divide experts = 64", "ep = 48 does not divide experts = 64"),
        ("{tp·cp} does not divide heads = 32", "tp·cp = 6 does not divide heads = 32"),
        ("{2·pp} is more", "2·pp = 8 is more"),
        ("{14 336/tp} is odd", "14 336/tp = 4779 is odd"),
        ("{mbs·dp} does not divide {gbs}", "mbs·dp = 1 does not divide gbs = 5"),
        ("{microbatches} is odd", "microbatches = 5 is odd"),
        ("{unheard} is odd", "unheard is odd"),
        ("no size in it", "no size in it"),
    ],
)
def test_values_are_put_in(message: str, said: str) -> None:
    sizes = {"ep": 48, "tp": 3, "cp": 2, "pp": 4, "mbs": 1, "gbs": 5, "world": 24}
    assert with_values(message, {n: Fraction(v) for n, v in sizes.items()}) == said


def test_of_no_plan_in_particular_names_stand_alone() -> None:
    assert without_values("{tp·cp} does not divide heads = 32") == "tp·cp does not divide heads = 32"


def test_a_size_of_zero_below_a_line_has_no_value() -> None:
    assert with_values("{8/tp} is odd", {"tp": 0}) == "8/tp is odd"


REFUSED = {
    "deepseek_v3 world=48,ep=48,gbs=48,seq=4096": "ep = 48 does not divide experts = 256",
    "llama3_8b world=7,tp=2,gbs=8,seq=4096": "tp·cp·pp = 2 does not divide world = 7",
    "llama3_8b world=8,gbs=12,mbs=2,seq=4096": "mbs·dp = 16 does not divide gbs = 12",
    "llama3_8b world=24,tp=3,gbs=24,seq=4096": "tp = 3 does not divide ffn = 14336",
    "llama3_8b world=8,pp=3,tp=2,gbs=8,seq=4096": "pp = 3 does not divide 32 layers",
    "mixtral_8x7b world=8,gbs=8,seq=4096,moe_imbalance=5": "2·moe_imbalance = 10 is more than experts = 8",
    "llama3_8b world=8,gbs=8,pp=2,schedule=dualpipe,seq=4096": "microbatches = 2 is less than 2·pp = 4",
    "llama3_8b world=8,gbs=8,seq=4096,zero=2,zero_shard=3": "zero_shard = 3 does not divide dp·cp = 8",
}


@pytest.mark.parametrize("plan", REFUSED)
def test_an_impossible_plan_is_told_what_is_wrong_with_it(plan: str) -> None:
    model, _, strategy = plan.partition(" ")
    asked = question(model, strategy, None)
    with pytest.raises(InputError) as caught:
        answer(asked.model, asked.plan, None)
    assert f"this plan is not possible: {REFUSED[plan]}" in str(caught.value)


STATEMENTS = ("is a multiple of", "spreads", "spread the", "is at most", "are spread evenly", "needs at least")
"""Words of rules that state what should hold."""


@pytest.mark.parametrize("model", others_slow(shipped("models")))
def test_no_rule_states_what_should_hold(model: str) -> None:
    asked = question(model, "world=64,gbs=64,seq=4096,mbs=1", None, needs_sizes=False)
    for rule in evaluator(asked.model, asked.plan.structure).program.rules:
        said = without_values(rule.message)
        assert not any(words in said for words in STATEMENTS), said


@pytest.mark.parametrize("relation", ["==", ">=", "<="])
def test_a_rule_in_sizes_is_the_same_rule(relation: str) -> None:
    """Broken by the same plans, by the same amount, in names that a strategy gives."""
    m, gbs, dp = (symbol(n) for n in ("m", "gbs", "dp"))
    rule = make_rule(m, relation, 2 * dp, "too few")
    found = in_sizes(rule, {m: gbs / dp})
    assert (found.kind, found.message, found.names) == (rule.kind, "too few", ("dp", "gbs"))
    assert sympy.simplify(found.amount - rule.amount.subs(m, gbs / dp)) == 0
    assert in_sizes(rule, {symbol("tp"): dp}) is rule
