"""Documents of different lengths in a step: how many there are, how many of its tokens are padding, what they take.

Packed, documents follow each other in a sequence, and ``packing_fill`` of it is filled; else each document is a
sequence of its own, padded to ``seq``. What packing changes in the kernels themselves stands in
:mod:`symsim.compiler.operators`.
"""

from __future__ import annotations

import sympy

from symsim.compiler.ledger import Ledger
from symsim.compiler.legality_rules import make_rule
from symsim.records.cost import Rule
from symsim.records.document_lengths import Documents
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def documents_of(structure: Structure) -> Documents | None:
    lengths = structure["lengths"]
    return None if lengths is None else Documents.read(str(lengths))


def documents_of_a_step(structure: Structure, ledger: Ledger) -> None:
    """``documents``, and ``padded_tokens`` if there are any, where the strategy has lengths of documents."""
    documents = documents_of(structure)
    if documents is None:
        return
    gbs, seq, mean = symbol("gbs"), symbol("seq"), sympy.sympify(documents.mean)
    fill = symbol("packing_fill") if "packing_fill" in structure.symbols else sympy.Integer(1)
    count = gbs * seq * fill / mean if structure["packed"] else gbs
    ledger.define("documents", count, "documents in one step", "", "sizes")
    padded = gbs * seq * (1 - fill) if structure["packed"] else gbs * (seq - mean)
    ledger.define("padded_tokens", padded, "tokens of one step that are padding", "tokens", "sizes")


def rate_of_documents(ledger: Ledger) -> None:
    """Tokens of documents in a second: those that are no padding."""
    if "documents" in ledger:
        real = symbol("gbs") * symbol("seq") - ledger.value("padded_tokens")
        meaning = "tokens of documents per second"
        ledger.define("throughput.document_tokens_per_s", real / symbol("time.iteration"), meaning, "1/s", "time")


def rules(structure: Structure) -> tuple[Rule, ...]:
    """The longest document fits into a sequence."""
    documents = documents_of(structure)
    if documents is None:
        return ()
    longest = sympy.Integer(documents.longest)
    wrong = f"a document of {documents.longest} tokens is longer than {{seq}}"
    return (make_rule(symbol("seq"), ">=", longest, wrong),)
