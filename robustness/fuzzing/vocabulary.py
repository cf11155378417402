"""Every word of the language, taken from the code and the shipped texts: a word that is added there is used here."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random

from symsim import resources, units
from symsim.analysis.evaluate import evaluator
from symsim.emit.quantity import ALIASES
from symsim.language import figures
from symsim.language.function_table import FUNCTIONS, STAGE_FUNCTIONS
from symsim.language.systems import load_system
from symsim.loading.question import question
from symsim.records.strategy import CHOICES, SIZE_SYMBOLS
from symsim.symbols import VOCABULARY

MODEL = "llama(hidden=64, layers=4, heads=4, ffn=128, vocab=256)"
EXPERTS = "moe(hidden=64, layers=4, heads=4, experts=8, topk=2, expert_ffn=32, vocab=256)"
PLAN = "world=8,tp=2,pp=2,gbs=16,seq=128"
SYSTEM = "h100_sxm"

HOSTILE_NUMBERS = (
    *("0", "1", "2", "3", "7", "-1", "0.5", "1.0", "1e3", "12", "64", "1000", "4096", "99999", "1000000000"),
    *("1000000000000", "1000000000001", "9007199254740992", "9007199254740993", "1e30", "1e39", "1e40", "1e-39"),
    *("1e999999999", "0.1", "0.000001", "1_000", "1__0", "0x10", "1.2.3", "1f1b", "2**2000", "1/3", "3/7", "1e-300"),
    *("9" * 39, "9" * 41, "9" * 700, "10**400", "1..8", "8..1", "1..100000", "1..1e3", "inf", "nan", "Infinity"),
)
HOSTILE_PIECES = (
    *("\0", "\x1b[31m", "\u202e", "\u200b", "\ufeff", "\ufffd", "\x85", "\u2028", "\t", "\r", "\r\n", "\n", "\f"),
    *("'", '"', '"""', "\\", "`", "$", "#", "//", ";", ";;", ",", ",,", "=", "==", ":", "..", "...", "->", "|", "@"),
    *("(" * 120, "{" * 120, "-" * 300, "not " * 300, "1+" * 300 + "1", "x." * 50, "é", "модель", "６４", "😀"),
    *("%s", "%n", "{0}", "{x!r}", "[bold]x[/bold]", "[/]", "<b>", "&lt;", "${HOME}", "../../etc/passwd", "/dev/zero"),
)
"""Pieces that some reader, printer or terminal might take for more than text."""


@cache
def functions() -> tuple[str, ...]:
    """Functions of expressions and of formulas."""
    from symsim import functions as of_formulas

    classes = [n for n, v in vars(of_formulas).items() if isinstance(v, type) and n[:1].islower()]
    return tuple(dict.fromkeys([*FUNCTIONS, *STAGE_FUNCTIONS, *classes, "abs", "sqrt", "log", "table"]))


@cache
def figure_names() -> tuple[str, ...]:
    """Figures of machines: those that may be stated and those that shipped machines state."""
    may = [f"{group}.{figure}" for group, names in figures._OF.items() for figure in names]
    stated = [name for system in resources.shipped("systems") for name in load_system(system).figures]
    return tuple(dict.fromkeys([*may, *stated, "nvlink.bandwidth", "pcie.bandwidth", "gpus_per_node", "sms"]))


@cache
def outputs() -> tuple[str, ...]:
    """Outputs of the formulas of a small dense model and of one with experts."""
    names: dict[str, None] = {}
    for model in (MODEL, EXPERTS):
        asked = question(model, PLAN, SYSTEM)
        names |= dict.fromkeys(evaluator(asked.model, asked.plan.structure).program.outputs)
    return tuple(names)


@cache
def dimensions() -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for m in (MODEL, EXPERTS) for n in question(m, PLAN, None).model.dimensions))


def sizes() -> tuple[str, ...]:
    return tuple(n for n, c in CHOICES.items() if c.kind in ("size", "number"))


def given_sizes() -> tuple[str, ...]:
    """Sizes that every plan has."""
    return SIZE_SYMBOLS


@cache
def quantities() -> tuple[str, ...]:
    """Names that an expression about a plan may use."""
    return tuple(dict.fromkeys([*outputs(), *sizes(), *dimensions(), *figure_names(), *ALIASES, *VOCABULARY, *CHOICES]))


@cache
def texts(kind: str) -> Mapping[str, str]:
    """Shipped texts of a kind (``model``, ``strategy`` or ``system``) by a name to report."""
    if kind == "model":
        files = [*resources.library_files(), *resources.shipped("models").values()]
    else:
        folder = {"strategy": "strategies", "system": "systems"}[kind]
        files = list(resources.shipped(folder).values())
    return {f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8") for path in files}


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@cache
def names_of_texts() -> tuple[str, ...]:
    """Every name that a shipped text has."""
    found = {
        n for kind in ("model", "strategy", "system") for text in texts(kind).values() for n in _NAME.findall(text)
    }
    return tuple(sorted(found))


@cache
def words() -> tuple[str, ...]:
    """Words that choices and texts may have as values."""
    of_choices = [w for c in CHOICES.values() for w in (c.name, *c.words)]
    return tuple(dict.fromkeys([*of_choices, "none", "full", "true", "false", *names_of_texts()]))


@cache
def words_of_code(folder: str) -> tuple[str, ...]:
    """Texts that look like names in the sources of a part of symsim: keys and values that it reads."""
    found: dict[str, None] = {}
    for path in sorted((Path(figures.__file__).resolve().parents[1] / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found[node.value] = None
    return tuple(found)


class Draw(Random):
    """Random choices of one input; a ``calm`` one has few words that mean nothing, so that more of it is accepted."""

    calm = False


def calm(draw: Random) -> bool:
    return isinstance(draw, Draw) and draw.calm and draw.random() < 0.97


@cache
def of_a_run() -> tuple[str, ...]:
    """Outputs that are one number for the whole run."""
    asked = question(MODEL, PLAN, SYSTEM)
    found = evaluator(asked.model, asked.plan.structure).program.outputs
    return tuple(n for n, o in found.items() if o.scope == "run")


@cache
def stated() -> tuple[str, ...]:
    return tuple(load_system(SYSTEM).figures)


def name(draw: Random) -> str:
    """Any name; sometimes one that is a letter off."""
    if calm(draw):
        return draw.choice(draw.choice((of_a_run(), sizes(), stated(), dimensions())))
    pool = draw.choice((quantities(), words(), functions(), tuple(units.UNITS), quantities()))
    chosen = draw.choice(pool)
    if draw.random() < 0.05:
        chosen = misspelt(draw, chosen)
    return chosen


def misspelt(draw: Random, word: str) -> str:
    place = draw.randrange(len(word) + 1)
    return word[:place] + draw.choice(("", "x", "_", ".", "é", word[:1])) + word[place + draw.randint(0, 1) :]


def number(draw: Random) -> str:
    if calm(draw) or draw.random() < 0.5:
        return str(draw.choice((1, 2, 4, 8, 16, 3, 5, 6, 12, 32, 64, 128, 256)))
    if draw.random() < 0.5:
        return str(draw.randint(-5, 300))
    return draw.choice(HOSTILE_NUMBERS)


def quantity(draw: Random) -> str:
    return f"{number(draw)} {draw.choice(tuple(units.UNITS))}"


def shipped(draw: Random, kind: str) -> str:
    return draw.choice(tuple(resources.shipped(kind)))
