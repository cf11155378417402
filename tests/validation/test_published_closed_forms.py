"""Closed forms of the literature fall out of the operators' own rules.

Source: Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models",
table 2 and section 4: bytes saved by one layer of a GPT with unfused attention and dropout.
"""

from __future__ import annotations

import pytest
import sympy

from symsim.analysis.load import question
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.simplify import terms
from symsim.symbols import symbol

s, b, h, a, t = (symbol(n) for n in ("seq", "mbs", "hidden", "heads", "tp"))
score = 5 * a * s / h


def saved(choices: str) -> sympy.Expr:
    """Bytes saved by one layer, at cp = 1."""
    asked = question("gpt3_175b", f"attention=unfused,dropout=true,{choices}", None, (), needs_sizes=False)
    cost = compile_cost(
        asked.model, asked.plan.structure, frozenset({"hidden", "heads", "kv_heads", "head_dim", "ffn"})
    )
    formulas = {d.name: d.expression for d in cost.definitions}
    dimensions = {symbol("ffn"): 4 * h, symbol("kv_heads"): a, symbol("head_dim"): h / a, symbol("T"): s * b}
    return formulas["A"].subs(dimensions)


@pytest.mark.parametrize(
    ("choices", "form"),
    [
        ("sequence_parallel=false", s * b * h * (10 + 24 / t + score / t)),
        ("sequence_parallel=true", s * b * h / t * (34 + score)),
        ("sequence_parallel=true,recompute={core_attn}", 34 * s * b * h / t),
        ("sequence_parallel=true,recompute=full", 2 * s * b * h / t),
    ],
)
def test_saved_bytes_of_a_layer(choices: str, form: sympy.Expr) -> None:
    assert terms(saved(choices) - form) == {}


def test_without_parallelism_a_layer_saves_34_sbh_and_its_scores() -> None:
    assert terms(saved("sequence_parallel=false").subs(t, 1) - s * b * h * (34 + score)) == {}


def test_interleaving_adds_to_what_the_first_stage_holds() -> None:
    """L·(1 + (p − 1)/(p·v)) layers' worth of activations, for at least that many micro-batches."""
    asked = question("gpt3_175b", "vp=2,world=8,pp=4,gbs=64,seq=2048", None)
    formulas = {d.name: d.expression for d in compile_cost(asked.model, asked.plan.structure).definitions}
    p, v, i, m = symbol("pp"), symbol("vp"), symbol("i"), symbol("m")
    layers = (formulas["f"] * formulas["n"]).subs({i: 0, m: 10**9, p: 4, v: 2})
    assert layers == 96 * (1 + sympy.Rational(4 - 1, 4 * 2))
