"""Entries of the cache with the right seal that someone else wrote."""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fuzzing import vocabulary
from fuzzing.inputs import Input
from fuzzing.mutations import json_text, mutated_json
from symsim.analysis.evaluate import _EVALUATORS, answer, machine_of
from symsim.emit import program
from symsim.loading.question import question

SHIPPED = "tp8_pp4"
"""A strategy that is a file: inline ones are not kept."""

_POWERS = ((1e300, 300), (10.0, 1000), (2, 10**6), (3, 10**9), (7, 10**5), (1e-300, -300))
"""Constants of which a power is too much to compute."""


@cache
def entries() -> dict[str, bytes]:
    """What the cache has after one plan was evaluated: content by key."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("SYMSIM_CACHE", "")
        os.environ["SYMSIM_CACHE"] = folder
        _EVALUATORS.clear()
        asked = question("llama3_8b", SHIPPED, vocabulary.SYSTEM)
        answer(asked.model, asked.plan, machine_of(asked))
        os.environ["SYMSIM_CACHE"] = before
        return {p.stem: p.read_bytes().partition(b"\n")[2] for p in sorted(Path(folder).glob("*.json"))}


@cache
def _documents() -> dict[str, Any]:
    return {key: json.loads(content) for key, content in entries().items()}


def cache_entry(draw: Random) -> Input:
    """One plan, evaluated with a cache of which one entry is another."""
    known = _documents()
    key = draw.choice(tuple(known))
    document = known[key]
    if "instructions" in document and draw.random() < 0.7:
        document = _program(draw, document)
    else:
        document = mutated_json(draw, document, _words())
    text = json.dumps(document) if draw.random() < 0.9 else json_text(draw, document)
    arguments = ("eval", "llama3_8b", "-s", SHIPPED, "-y", vocabulary.SYSTEM, "--json")
    return Input("cache entry", arguments, cached={key: text.encode("utf-8", errors="replace")})


@cache
def _words() -> tuple[str, ...]:
    return (*program.OPERATIONS, "const", "table", "stage", "run", "zero", *vocabulary.outputs()[:50])


def _program(draw: Random, document: dict[str, Any]) -> dict[str, Any]:
    """A program with a few instructions that are others, of the right form more often than not."""
    instructions = [list(i) for i in document["instructions"]]
    inputs = len(document["inputs"])
    for _ in range(draw.choice((1, 2, 4))):
        k = draw.randrange(1, len(instructions))
        match draw.randrange(5):
            case 0:
                base, exponent = draw.choice(_POWERS)
                instructions[k - 1] = ["const", base]
                instructions[k] = ["const", exponent]
                if k + 1 < len(instructions):
                    instructions[k + 1] = ["pow", inputs + k - 1, inputs + k]
            case 1:
                operation = draw.choice(tuple(program.OPERATIONS))
                instructions[k] = [operation, *(draw.randrange(inputs + k) for _ in range(draw.choice((1, 2, 2, 3))))]
            case 2:
                instructions[k] = [
                    "const",
                    draw.choice((0, -1, 10**300, 1e308, -1e308, 5e-324, 10**4000, 2**53 + 1, True)),
                ]
            case 3:
                place = draw.randrange(len(instructions[k]))
                instructions[k][place] = draw.choice((0, 1, -1, inputs + k, 10**9, "add", None, 1.5))
            case _:
                # A register squared again and again: 2^k digits unless somebody stops it.
                for j in range(k, min(k + 60, len(instructions))):
                    instructions[j] = ["mul", inputs + j - 1, inputs + j - 1]
    return {**document, "instructions": instructions}
