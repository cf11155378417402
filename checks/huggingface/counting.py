"""Parameters and FLOPs that symsim counts for a ``config.json``, by the quickest road: no plan is priced."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sympy

import symsim
from symsim.compiler import pipeline
from symsim.compiler.expand import expand
from symsim.compiler.ledger import Ledger
from symsim.compiler.work import model_totals
from symsim.language.library import library_for
from symsim.symbols import symbol

SIZES = {"world": 1, "tp": 1, "pp": 1, "cp": 1, "ep": 1, "etp": 1, "mbs": 1, "gbs": 1}
"""One device, one sequence."""


@dataclass(frozen=True)
class Counted:
    """Elements of a model, all and those that one token uses; FLOPs of one sequence, forward and with its backward.

    FLOPs are those of attention over all pairs.
    """

    parameters: int
    active_parameters: int
    forward_flops: int
    training_flops: int


def counted(config: Mapping[str, object], seq: int = 128) -> Counted:
    """What symsim counts for a configuration.

    Raises:
        symsim.InputError: the importer refuses it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        asked = symsim.load(path, {"world": 1, "mbs": 1, "gbs": 1, "seq": seq}).question
    ledger = Ledger()
    structure = asked.plan.structure
    graph, named, _ = expand(asked.model, library_for(asked.model), structure, frozenset())
    pipeline.sizes(structure, ledger, named)
    model_totals(graph, sympy.Integer(asked.model.largest("vocab")), ledger)
    names = {symbol(d.name): d.expression for d in ledger.definitions}
    numbers = {symbol(name): sympy.Integer(size) for name, size in {**SIZES, "seq": seq}.items()}

    def number(name: str) -> int:
        value = symbol(name)
        while value.free_symbols - set(numbers):
            value = value.subs({s: names[s] for s in value.free_symbols if s in names})
        return int(value.subs(numbers))

    return Counted(
        number("parameters"),
        number("active_parameters"),
        number("flops.forward_per_token") * seq,
        number("flops.per_token") * seq,
    )
