"""Formulas as a JSON document, for other programs and for the web page.

::

    {"schema": "symsim.formula/1", "title": …,
     "definitions": [{"name", "scope", "part", "meaning", "unit", "identifier", "text", "latex", "python"}, …],
     "inputs": [{"name", "meaning", "unit", "identifier", "latex"}, …]}

``python`` is what :mod:`symsim.emit.python` assigns to ``identifier``: for a definition of scope
``stage`` a list over ``stages``, else one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from symsim.emit import document, latex, python, text
from symsim.records.cost import Definition

SCHEMA: Final = "symsim.formula/1"

_Entry = dict[str, str]


def definitions(formulas: Sequence[Definition], title: str) -> dict[str, str | list[_Entry]]:
    """The document as plain dictionaries, lists and strings, ready for ``json.dumps``."""
    arranged = document.arranged(formulas)
    notation = python.Notation.of(arranged)
    return {
        "schema": SCHEMA,
        "title": title,
        "definitions": [_definition(formula, notation) for formula in arranged],
        "inputs": [_input(entry, notation) for entry in document.inputs(arranged)],
    }


def _definition(formula: document.Formula, notation: python.Notation) -> _Entry:
    definition = formula.definition
    return {
        "name": definition.name,
        "scope": definition.scope,
        "part": definition.part,
        "meaning": definition.meaning,
        "unit": definition.unit,
        "identifier": notation.identifiers[definition.name],
        "text": text.render(formula.body),
        "latex": latex.render(formula.body),
        "python": notation.assigned(formula),
    }


def _input(entry: document.Input, notation: python.Notation) -> _Entry:
    return {
        "name": entry.name,
        "meaning": entry.meaning,
        "unit": entry.unit,
        "identifier": notation.identifiers[entry.name],
        "latex": latex.name(entry.name),
    }
