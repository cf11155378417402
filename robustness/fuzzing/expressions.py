"""Random expressions about a plan: most of them numbers and conditions that mean something, some of them nothing."""

from __future__ import annotations

from random import Random

from fuzzing import vocabulary
from fuzzing.mutations import mutated
from fuzzing.sentences import DEEPEST, sentences
from symsim import units
from symsim.language.figures import unit_of
from symsim.language.function_table import FUNCTIONS, STAGE_FUNCTIONS
from symsim.records.strategy import CHOICES

NEAR_THE_LARGEST = 80
"""Terms of a long sum; the parser's bound is a few times that."""


def expression(draw: Random) -> str:
    """Anything that might be given where an expression about a plan belongs."""
    chance = draw.random() * (0.65 if vocabulary.calm(draw) else 1)
    if chance < 0.4:
        return number(draw)
    if chance < 0.65:
        return condition(draw)
    if chance < 0.8:
        return sentences("strategy").draw(draw, "expression", draw.randint(0, DEEPEST))
    return mutated(draw, number(draw) if draw.random() < 0.5 else condition(draw))


def number(draw: Random, depth: int = 3) -> str:
    """An expression that is a number of a plan, unless its names have no number there."""
    if depth == 0 or draw.random() < 0.2:
        return _leaf(draw)

    def part() -> str:
        return number(draw, depth - draw.randint(1, depth))

    match draw.randrange(9):
        case 0 | 1:
            return f"{part()} {draw.choice('+-*/%')} {part()}"
        case 2:
            return f"({part()}) {draw.choice('+-*/%')} ({part()})"
        case 3:
            return f"({part()}) ** {draw.choice(('2', '3', '-1', '0', '16', '17', '-2', '0.5', 'tp', '1 + 1'))}"
        case 4:
            return f"-({part()})"
        case 5:
            return f"({part()} if {condition(draw, depth - 1)} else {part()})"
        case 6:
            return f"{draw.choice(tuple(STAGE_FUNCTIONS))}({part()})"
        case 7:
            return applied(draw, depth)
        case _:
            return " + ".join([part()] * draw.choice((2, 3, 3, NEAR_THE_LARGEST)))


def applied(draw: Random, depth: int) -> str:
    """A function of any number of arguments, its own number of them most often."""
    function = draw.choice(tuple(FUNCTIONS) if vocabulary.calm(draw) else vocabulary.functions())
    known = FUNCTIONS.get(function) or STAGE_FUNCTIONS.get(function)
    least, most = (known.least, known.most) if known is not None else (1, 2)
    count = draw.randint(least, min(most, 4)) if draw.random() < 0.8 else draw.randint(0, 4)
    return f"{function}({', '.join(number(draw, depth - 1) for _ in range(count))})"


def condition(draw: Random, depth: int = 2) -> str:
    """An expression that holds or does not."""
    if depth > 0 and draw.random() < 0.35:
        one, other = condition(draw, depth - 1), condition(draw, depth - 1)
        return draw.choice((f"{one} and {other}", f"{one} or {other}", f"not ({one})", f"({one}) or ({other})"))
    match draw.randrange(6):
        case 0:
            choice = draw.choice([c for c in CHOICES.values() if c.kind in ("word", "flag", "regions", "text")])
            words = choice.words or (("true", "false") if choice.kind == "flag" else ("none", "full"))
            value = draw.choice(words if vocabulary.calm(draw) else (*words, "true", "false", "none", choice.name))
            return f"{choice.name} {draw.choice(('==', '!='))} {value}"
        case 1:
            values = ", ".join(vocabulary.number(draw) for _ in range(draw.randint(0, 4)))
            return f"{number(draw, 1)} in {{{values}}}"
        case 2:
            return draw.choice(("true", "false", "sequence_parallel", "overlap_tp"))
        case _:
            return f"{number(draw, depth)} {draw.choice(('<=', '>=', '==', '!=', '<', '>'))} {number(draw, depth)}"


def _leaf(draw: Random) -> str:
    if vocabulary.calm(draw):
        pools = (vocabulary.of_a_run(), vocabulary.given_sizes(), vocabulary.stated(), vocabulary.dimensions())
        return draw.choice(draw.choice(pools)) if draw.random() < 0.7 else vocabulary.number(draw)
    chance = draw.random()
    if chance < 0.35:
        return draw.choice(vocabulary.outputs())
    if chance < 0.55:
        return draw.choice(vocabulary.sizes())
    if chance < 0.65:
        return draw.choice(vocabulary.figure_names())
    if chance < 0.72:
        return draw.choice(vocabulary.dimensions())
    if chance < 0.8:
        return draw.choice(vocabulary.quantities())
    return f"{vocabulary.number(draw)} {draw.choice(tuple(units.UNITS))}" if chance < 0.85 else vocabulary.number(draw)


def value_of(draw: Random, name: str) -> str:
    """A value for a choice, a dimension or a figure, as it is written behind ``=``; most often one that it may have."""
    choice = CHOICES.get(name)
    chance = 1 if vocabulary.calm(draw) else draw.random()
    if chance < 0.1:
        return expression(draw)
    if chance < 0.2:
        return draw.choice((vocabulary.number(draw), vocabulary.name(draw), "none", "full", "true", "{}"))
    if choice is None:
        unit = draw.choice([u for u, (_, base) in units.UNITS.items() if base == unit_of(name)] or [""])
        if unit and (vocabulary.calm(draw) or draw.random() < 0.5):
            return f"{vocabulary.number(draw)} {unit}"
        return vocabulary.quantity(draw) if "." in name and draw.random() < 0.3 else vocabulary.number(draw)
    match choice.kind:
        case "size":
            return draw.choice(("1", "2", "4", "8", "16", "3", "64", "128", vocabulary.number(draw)))
        case "number":
            return draw.choice(("1", "1.5", "2", "0.5", vocabulary.number(draw)))
        case "flag":
            return draw.choice(("true", "false"))
        case "word":
            return draw.choice(choice.words or vocabulary.words())
        case "regions":
            regions = (
                "core_attn",
                "layernorm",
                "mlp",
                "moe",
                "moe_act",
                "attention",
                "optimizer",
                "weights",
                "routed_experts",
            )
            some = draw.sample(regions, draw.randint(1, 3))
            return draw.choice(("none", "full", f"{{{', '.join(some)}}}", f"{{{draw.choice(vocabulary.words())}}}"))
    return draw.choice(('"Et|(tt|)*2L"', '"Ett|ttL"', '"2.11.0"', '"x"', '"Et*4|L"', f'"{vocabulary.name(draw)}"'))


def choices(draw: Random, searched: bool = False) -> list[str]:
    """Choices of a strategy that give a small plan, and a few more; with ``searched`` some of them as sets."""
    base = {"world": "8", "tp": "2", "pp": "2", "mbs": "1", "gbs": "16", "seq": "128"}
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        name = draw.choice(tuple(CHOICES)) if vocabulary.calm(draw) or draw.random() < 0.85 else vocabulary.name(draw)
        base[name] = value_of(draw, name)
    if not vocabulary.calm(draw) and draw.random() < 0.1:
        base.pop(draw.choice(list(base)))
    found = [f"{n}={v}" for n, v in base.items()]
    if searched:
        for name in draw.sample(list(base), min(len(base), draw.randint(1, 3))):
            found[list(base).index(name)] = f"{name} in {among(draw, name)}"
        for _ in range(draw.choice((0, 0, 1))):
            found.append(f"require {condition(draw)}")
        if draw.random() < 0.3:
            found.append(f"{draw.choice(('minimize', 'maximize'))} {number(draw)}")
    return found


def among(draw: Random, name: str) -> str:
    """A set of values, written in any of the ways there are."""
    match 5 if vocabulary.calm(draw) else draw.randrange(6):
        case 0:
            return f"{draw.randint(0, 3)}..{draw.choice(('1', '4', '8', '9', vocabulary.number(draw)))}"
        case 1:
            return f"divisors({draw.choice(('layers', 'heads', '12', 'hidden', vocabulary.number(draw), 'world'))})"
        case 2:
            return sentences("strategy").draw(draw, "expression", DEEPEST - 2)
        case _:
            return f"{{{', '.join(value_of(draw, name) for _ in range(draw.choice((0, 1, 2, 2, 3, 4))))}}}"
