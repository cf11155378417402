"""What every block of a model sees: dimensions, choices, sizes, facts of the framework, named sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy

from symsim.compiler.document_packing import documents_of
from symsim.compiler.profile import profile_of
from symsim.compiler.scope import BlockScope, Surroundings
from symsim.diagnostics import error
from symsim.elements import OPERAND_BLOCK, QUANTISED_PRECISIONS, element_bytes
from symsim.language import tree
from symsim.language.dimensions import LAYER
from symsim.language.expressions import Value, evaluate, names_in, number
from symsim.language.library import Library
from symsim.records.model import Model
from symsim.records.strategy import (
    CHOICES,
    FLASH_ATTN,
    FLASH_ATTN_DETERMINISTIC,
    TE_WORKSPACE,
    TORCH_WORKSPACE,
    Structure,
)
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
    values = _Choices(structure, profile_of(library, structure).facts)
    known: dict[sympy.Symbol, int] = {}
    values["moe_drops"] = "moe_capacity" in structure.symbols
    values["moe_uneven"] = "moe_imbalance" in structure.symbols
    values["sp"] = symbol("tp") if structure["sequence_parallel"] else 1
    values["quantised"] = structure["precision"] in QUANTISED_PRECISIONS
    values["operand_block"] = OPERAND_BLOCK.get(str(structure["precision"]), 1)
    values["te_version"] = version_number(structure["te_version"])
    values["framework_version"] = version_number(structure["framework_version"]) or CURRENT
    chosen = symbol(FLASH_ATTN_DETERMINISTIC if structure["deterministic"] else FLASH_ATTN)
    kernel = structure["attention_kernel"]
    values["output_copies"] = chosen if kernel == "auto" else sympy.Integer(kernel == "flash_attn")
    values["te_gemm_bytes"] = symbol(TE_WORKSPACE)
    values["torch_gemm_bytes"] = 2 * _torch_workspace(structure["cublas_workspace"])
    for name, dimension in model.dimensions.items():
        if name in kept and isinstance(dimension, int) and not isinstance(dimension, bool):
            values[name] = symbol(name)
            known[symbol(name)] = dimension
        elif not isinstance(dimension, tuple):
            values[name] = dimension
    surroundings = Surroundings(values, known, element_bytes(str(structure["grad_dtype"]), "bf16"))
    surroundings.documents = documents_of(structure) if structure["packed"] else None
    surroundings.assumed = {} if assumed is None else assumed
    surroundings.by_layer = {n: v for n, v in model.dimensions.items() if isinstance(v, tuple)}
    if structure["first_last_layers_bf16"]:
        surroundings.by_layer = {**surroundings.by_layer, **_ends_in_bf16(model, structure)}
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


def _ends_in_bf16(model: Model, structure: Structure) -> dict[str, tuple[Value, ...]]:
    """What blocks ask of precision, layer by layer: the first and the last ones multiply in bf16.

    Source: Megatron-Core 0.16.1, fp8_utils.py (is_first_last_bf16_layer).

    Raises:
        InputError: a family without a dimension ``layers``.
    """
    layers = model.dimensions.get("layers")
    if not isinstance(layers, int):
        message = f"first_last_layers_bf16 has no formula for family '{model.family}', which has no dimension layers"
        raise error("E321", message, None, "leave it out", about="first_last_layers_bf16")
    start, end = (structure[f"num_layers_at_{which}_in_bf16"] for which in ("start", "end"))
    assert isinstance(start, int) and isinstance(end, int)
    precision = str(structure["precision"])
    plain = [k < start or k >= layers - end for k in range(layers)]
    return {
        "precision": tuple("bf16" if one else precision for one in plain),
        "quantised": tuple(not one for one in plain),
        "operand_block": tuple(1 if one else OPERAND_BLOCK.get(precision, 1) for one in plain),
    }


class _Choices(dict[str, Value]):
    """What a block may ask, and the choices of a structure, each of which is asked for when a block does.

    A size of the strategy is its symbol; what no choice says may be a fact of the framework.
    """

    def __init__(self, structure: Structure, facts: Mapping[str, Value]) -> None:
        super().__init__()
        self._structure = structure
        self._facts = facts

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __missing__(self, name: str) -> Value:
        found = self._chosen(name)
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._chosen(name) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*super().__iter__(), *SIZES, *CHOICES, *self._facts)))

    def _chosen(self, name: str) -> Value | None:
        if name in CHOICES:
            if name in self._structure.symbols:
                return symbol(name)
            given = self._structure.get(name)
            if given is not None:
                return given
            return symbol(name) if name in SIZES else DEFAULTS.get(name)
        return self._facts.get(name)


SIZES = ("tp", "cp", "ep", "etp", "mbs", "seq")
"""Sizes of a strategy that blocks may use."""

DEFAULTS: Mapping[str, Value] = {"moe_capacity": 1}
"""What blocks see of a number that is not given."""


def _derive(model: Model, family: tree.FamilyItem, kept: frozenset[str], surroundings: Surroundings) -> None:
    """Dimensions that follow from kept ones by the family's defaults follow them as formulas too."""
    values = surroundings.values
    for _ in range(2):  # a default may use a later one
        for parameter in family.parameters:
            given = parameter.name in kept or parameter.name not in model.derived
            if given or parameter.default is None or parameter.name in surroundings.by_layer:
                continue
            varied = isinstance(parameter.default, tree.ListOf) or LAYER in names_in(parameter.default)
            if varied or isinstance(values[parameter.name], str | bool):
                continue
            scope = BlockScope(surroundings, {})
            derived = sympy.sympify(evaluate(parameter.default, scope))
            if isinstance(derived, sympy.Expr) and derived.xreplace(dict(surroundings.known)) == values[parameter.name]:
                values[parameter.name] = derived


def _torch_workspace(config: Value | None) -> sympy.Expr:
    """Bytes that torch keeps for the GEMMs of one thread: the forward pass is one, autograd's backward pass another.

    ``:4096:2:16:8`` is two blocks of 4096 KiB and eight of 16 KiB; without a configuration it depends on the GPU.
    Source: pytorch/pytorch: aten/src/ATen/cuda/CublasHandlePool.cpp, parseChosenWorkspaceSize.
    """
    if not isinstance(config, str):
        return symbol(TORCH_WORKSPACE)
    numbers = [int(part) for part in config.strip(":").split(":")]
    return sympy.Integer(1024 * sum(size * count for size, count in zip(numbers[::2], numbers[1::2], strict=True)))


def version_number(text: Value | None) -> int:
    """``2.11.0`` → 2011000, so that versions compare as numbers; unset is 0."""
    if not isinstance(text, str):
        return 0
    major, minor, patch = ([int(p) if p.isdigit() else 0 for p in text.split(".")] + [0, 0, 0])[:3]
    return (major * 1000 + minor) * 1000 + patch
