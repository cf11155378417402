"""What a name means inside a block or an operator while a model is expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy

from symsim import functions
from symsim.compiler.rounding import rounded_down, rounded_up
from symsim.diagnostics import Place, error
from symsim.elements import element_bytes
from symsim.language.expressions import Plain, Value
from symsim.language.function_table import FUNCTIONS
from symsim.records.document_lengths import Documents
from symsim.records.graph import Tensor

SYMBOLIC: Mapping[str, Any] = {
    "min": functions.minimum,
    "max": functions.maximum,
    "ceil": rounded_up,
    "floor": rounded_down,
    "remainder": functions.remainder,
    "several": lambda n: functions.less(1, n),
}
"""What functions of the language are in a formula."""


@dataclass
class Surroundings:
    """What every block of one expansion sees: dimensions, choices, sizes, and named definitions.

    ``known`` gives the value behind each dimension that is kept as a symbol, so that a condition on
    it still selects one structure; ``assumed`` collects what was decided so, in order: a condition that is 1
    or 0, and whether it held. ``discarded`` are tensors that recomputation drops. ``by_layer`` are dimensions that
    differ between layers: ``values`` has those of the layer that is being unfolded, and ``read`` collects which
    of them it uses. ``constants`` are tensors to which nothing that is trained leads.
    ``documents`` are those that are packed into sequences.
    """

    values: dict[str, Value]
    known: Mapping[sympy.Symbol, int]
    main_grad_bytes: Value
    defined: dict[str, Any] = field(default_factory=dict)
    discarded: set[Tensor] = field(default_factory=set)
    assumed: dict[sympy.Expr, bool] = field(default_factory=dict)
    by_layer: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    constants: set[Tensor] = field(default_factory=set)
    documents: Documents | None = None

    def enter_layer(self, number: int) -> None:
        """Layers after the last, those of multi-token prediction, are like the last."""
        self.values |= {name: values[min(number, len(values) - 1)] for name, values in self.by_layer.items()}


class BlockScope(Plain):
    """Values of one block: its own over what surrounds it. Names of tensors are kept with them."""

    def __init__(self, surroundings: Surroundings, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self.surroundings = surroundings

    def lookup(self, name: str) -> Value | None:
        value = self.values.get(name)
        if value is not None:
            return value
        if name in self.surroundings.by_layer:
            self.surroundings.read.add(name)
        return self.surroundings.values.get(name)

    def names(self) -> Iterable[str]:
        return [*self.values, *self.surroundings.values]

    def apply(self, function: str, arguments: tuple[Value, ...], place: Place) -> Value:
        symbolic = any(isinstance(a, sympy.Basic) for a in arguments)
        if symbolic and function in SYMBOLIC:
            return SYMBOLIC[function](*(sympy.sympify(a) for a in arguments))
        if symbolic and function in FUNCTIONS:
            raise error("E207", f"{function}() needs plain numbers", place, "sizes of a strategy stay symbols")
        return super().apply(function, arguments, place)

    def settle(self, value: Value, place: Place) -> Value:
        if not isinstance(value, sympy.Basic):
            return value
        settled = sympy.sympify(value.xreplace(dict(self.surroundings.known)))
        if not settled.is_Rational:
            sizes = ", ".join(sorted(map(str, settled.free_symbols)))
            raise error(
                "E220",
                f"a size ({sizes}) cannot choose the structure",
                place,
                "sizes stay symbols; choose by a model's dimension or a structural choice",
            )
        return int(settled) if settled.is_Integer else settled

    def decided(self, operator: str, left: Value, right: Value, outcome: bool) -> None:
        if not isinstance(left, sympy.Basic) and not isinstance(right, sympy.Basic):
            return
        among = right if isinstance(right, frozenset) else (right,)
        holds = sympy.Add(*(_COMPARED[operator](sympy.sympify(left), sympy.sympify(r)) for r in among))
        if not holds.is_Number:
            self.surroundings.assumed[holds] = outcome


_COMPARED: Mapping[str, Any] = {
    "==": functions.equal,
    "in": functions.equal,
    "!=": lambda a, b: 1 - functions.equal(a, b),
    "<": functions.less,
    "<=": functions.at_most,
    ">": lambda a, b: functions.less(b, a),
    ">=": lambda a, b: functions.at_most(b, a),
}
"""1 where a comparison holds, else 0."""


class OperatorScope(BlockScope):
    """In an operator a tensor's name is its bytes, and ``d`` before it the bytes of its gradient.

    ``x.elements`` counts its elements; ``w.main_grad`` is the bytes of a weight's gradient buffer;
    ``x.discarded`` says whether recomputation drops it, ``x.requires_grad`` whether a gradient of it is made.
    Gradients of GEMM operands are not quantised.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        values: Mapping[str, Value],
        named_trained: Callable[[str], bool] = lambda name: True,
    ) -> None:
        """``named_trained``: whether a weight of this name would be trained, for one that another operator holds."""
        super().__init__(surroundings, values)
        self.named_trained = named_trained
        self.tensors: dict[str, Tensor] = {}
        self.trained: dict[Tensor, bool] = {}
        self.local: set[Tensor] = set()

    def lookup(self, name: str) -> Value | None:
        base, _, attribute = name.partition(".")
        tensor = self.tensors.get(base)
        if tensor is not None and not attribute:
            return tensor.bytes
        if tensor is not None and attribute == "elements":
            return tensor.elements
        if tensor is not None and attribute == "main_grad":
            return tensor.elements * self.surroundings.main_grad_bytes
        if tensor is not None and attribute == "discarded":
            return tensor in self.surroundings.discarded
        if tensor is not None and attribute == "requires_grad":
            if tensor in self.local:
                return self.named_trained(base)
            return self.trained.get(tensor, tensor not in self.surroundings.constants)
        value = super().lookup(name)
        if value is None and name.startswith("d") and name[1:] in self.tensors:
            return self.gradient_bytes(self.tensors[name[1:]])
        return value

    def gradient_bytes(self, tensor: Tensor) -> Any:
        if tensor.element != "operand":
            return tensor.bytes
        return tensor.elements * sympy.sympify(element_bytes("activation", str(self.lookup("precision"))))

    def names(self) -> Iterable[str]:
        attributes = (f"{tensor}.{attribute}" for tensor in self.tensors for attribute in ATTRIBUTES)
        return [*self.tensors, *attributes, *super().names()]


ATTRIBUTES = ("elements", "main_grad", "discarded", "requires_grad")
"""What an expression may ask of a tensor, besides its bytes."""
