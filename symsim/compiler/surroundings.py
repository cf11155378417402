"""What every block of a model sees: dimensions, choices, sizes, facts of the framework, named sizes."""

from __future__ import annotations

import sympy

from symsim.compiler.profile import profile_of
from symsim.compiler.scope import BlockScope, Surroundings
from symsim.elements import OPERAND_BLOCK, QUANTISED_PRECISIONS, element_bytes
from symsim.language import tree
from symsim.language.expressions import Value, evaluate, names_in, number
from symsim.language.library import Library
from symsim.records.model import Model
from symsim.records.strategy import Structure
from symsim.symbols import symbol

CURRENT = 10**9
"""Version of a framework that is not stated: later than any."""


def surroundings_of(
    model: Model,
    library: Library,
    structure: Structure,
    kept: frozenset[str],
    assumed: dict[sympy.Expr, bool] | None = None,
) -> Surroundings:
    """Structural choices as plain values, sizes of the strategy and ``kept`` dimensions as symbols.

    ``assumed`` takes what the numbers behind these decide.

    Raises:
        InputError: a default or a definition of the library does not fit the model.
    """
    values: dict[str, Value] = {**profile_of(library, structure).facts}
    known: dict[sympy.Symbol, int] = {}
    for name in ("tp", "cp", "ep", "etp", "mbs", "seq"):
        values[name] = symbol(name)
    for name, given in (*structure.words, *structure.fixed):
        if given is not None:
            values[name] = given
    values |= {name: symbol(name) for name in structure.symbols}
    values["moe_drops"] = "moe_capacity" in structure.symbols
    values["moe_uneven"] = "moe_imbalance" in structure.symbols
    values.setdefault("moe_capacity", 1)
    values["sp"] = symbol("tp") if structure["sequence_parallel"] else 1
    values["quantised"] = structure["precision"] in QUANTISED_PRECISIONS
    values["operand_block"] = OPERAND_BLOCK.get(str(structure["precision"]), 1)
    values["te_version"] = _version_number(structure["te_version"])
    values["framework_version"] = _version_number(structure["framework_version"]) or CURRENT
    for name, dimension in model.dimensions.items():
        if name in kept and isinstance(dimension, int) and not isinstance(dimension, bool):
            values[name] = symbol(name)
            known[symbol(name)] = dimension
        else:
            values[name] = dimension
    surroundings = Surroundings(values, known, element_bytes(str(structure["grad_dtype"]), "bf16"))
    surroundings.assumed = {} if assumed is None else assumed
    if kept:
        _derive(model, library.families[model.family], kept, surroundings)
    for item in library.defines.values():
        scope = BlockScope(surroundings, {})
        if all(scope.lookup(n) is not None for n in names_in(item.value)):
            expression = sympy.sympify(number(evaluate(item.value, scope), item.place, scope))
            if expression.is_Number:
                values[item.name] = expression
                continue
            surroundings.defined[item.name] = (expression, item.meaning)
            values[item.name] = symbol(item.name)
    return surroundings


def _derive(model: Model, family: tree.FamilyItem, kept: frozenset[str], surroundings: Surroundings) -> None:
    """Dimensions that follow from kept ones by the family's defaults follow them as formulas too."""
    values = surroundings.values
    for _ in range(2):  # a default may use one that stands behind it
        for parameter in family.parameters:
            given = parameter.name in kept or parameter.name not in model.derived
            if given or isinstance(values[parameter.name], str | bool) or parameter.default is None:
                continue
            scope = BlockScope(surroundings, {})
            derived = sympy.sympify(evaluate(parameter.default, scope))
            if isinstance(derived, sympy.Expr) and derived.xreplace(dict(surroundings.known)) == values[parameter.name]:
                values[parameter.name] = derived


def _version_number(text: Value | None) -> int:
    """``2.11.0`` → 2011000, so that versions compare as numbers; unset is 0."""
    if not isinstance(text, str):
        return 0
    major, minor, patch = ([int(p) if p.isdigit() else 0 for p in text.split(".")] + [0, 0, 0])[:3]
    return (major * 1000 + minor) * 1000 + patch
