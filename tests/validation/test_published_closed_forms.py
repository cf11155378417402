"""Closed forms of the literature fall out of the operators' own rules.

Source: Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models",
table 2 and section 4: bytes saved by one layer of a GPT with unfused attention and dropout.
"""

from __future__ import annotations

import pytest
import sympy
from click.testing import CliRunner

from symsim.cli.formula import command
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.simplify import terms
from symsim.loading.question import question
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
        ("sequence_parallel=false,recompute=full", 2 * s * b * h),
    ],
)
def test_saved_bytes_of_a_layer(choices: str, form: sympy.Expr) -> None:
    assert terms(saved(choices) - form) == {}


def test_without_parallelism_a_layer_saves_34_sbh_and_its_scores() -> None:
    assert terms(saved("sequence_parallel=false").subs(t, 1) - s * b * h * (34 + score)) == {}


def printed(name: str, *arguments: str) -> str:
    """One formula of a GPT layer as ``symsim formula`` prints it."""
    options = ("gpt3_175b", "--show", "memory", "--per", "stage", "--keep", "hidden,heads", *arguments)
    lines = CliRunner().invoke(command, options).output.splitlines()
    (line,) = [line for line in lines if line.split("=")[0].strip() == name]
    return line.split("=", 1)[1].split("  ")[0].strip()


@pytest.mark.parametrize(
    ("choices", "form"),
    [
        ("sequence_parallel=false --set tp=1", "T·(5·seq·heads + 34·hidden)"),
        ("sequence_parallel=false", "T·((5·seq·heads + 24·hidden)/tp + 10·hidden)"),
        ("sequence_parallel=true", "T·(5·seq·heads + 34·hidden)/tp"),
        ("sequence_parallel=true,recompute={core_attn}", "34·T·hidden/tp"),
        ("sequence_parallel=true,recompute=full", "2·T·hidden/tp"),
    ],
)
def test_they_are_printed_as_published(choices: str, form: str) -> None:
    """T is s·b, and h·(5·a·s/h) is 5·a·s."""
    strategy, *settings = choices.split(" ")
    assert printed("A", "-s", f"attention=unfused,dropout=true,{strategy}", *settings) == form


def test_the_interleaved_schedule_is_printed() -> None:
    assert printed("f", "-s", "vp=2") == "min(m, (pp·(vp − 1) + 2·pp − 2·i − 1)/vp)"


@pytest.mark.parametrize(("p", "v"), [(2, 2), (4, 2), (4, 3), (8, 2), (8, 6), (3, 4)])
def test_interleaving_adds_to_what_the_first_stage_holds(p: int, v: int) -> None:
    """L·(1 + (p − 1)/(p·v)) layers' worth of activations, where that many micro-batches are on their way."""
    asked = question("gpt3_175b", f"vp={v},pp={p},world={p},microbatches={8 * p},seq=2048", None)
    formulas = {d.name: d.expression for d in compile_cost(asked.model, asked.plan.structure).definitions}
    sizes = {symbol("i"): 0, symbol("m"): 10**9, symbol("pp"): p, symbol("vp"): v}
    layers = (formulas["f"] * formulas["n"]).subs(sizes)
    assert layers == 96 * (1 + sympy.Rational(p - 1, p * v))
