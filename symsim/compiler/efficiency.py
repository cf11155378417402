"""Which share of the peak a kernel reaches: the machine's entry for its sizes, else the form that the library states.

A form (``efficiency matmul(m, k, n, …)`` in ``models/library/efficiency.sym``) is an expression in the sizes
of one call and in coefficients of the machine; ``level`` is the share that large calls reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy
from sympy import Dummy, Expr, Symbol

from symsim.compiler.ledger import Ledger
from symsim.compiler.scope import SYMBOLIC
from symsim.diagnostics import Place, error, nearest
from symsim.elements import QUANTISED_PRECISIONS
from symsim.functions import measured, table
from symsim.language import tree
from symsim.language.expressions import Plain, Value, evaluate, number
from symsim.language.figures import COEFFICIENTS, is_coefficient
from symsim.language.library import Library
from symsim.records.graph import PHASES, Kernel, PhaseName
from symsim.symbols import symbol

DEPTH = "ramp_k"
"""The coefficient that is a time: what a tile's start and end cost, in steps of the sum at the bf16 rate."""


class Efficiencies:
    """The forms of a library, each evaluated once for a phase and then put to the sizes of its calls."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._forms: dict[tuple[str, PhaseName, str], _Form] = {}
        self._shares: dict[tuple[str, PhaseName, str, tuple[Expr, ...]], Expr] = {}

    def define(
        self, name: str, kernels: Sequence[Kernel], phase: PhaseName, precision: str, ledger: Ledger
    ) -> list[Expr]:
        """The share of the peak of each kernel of a phase, as definitions ``NAME.efficiency``."""
        shares = []
        for k, kernel in enumerate(kernels):
            own = f"{name}.efficiency" + (f"_{k + 1}" if len(kernels) > 1 else "")
            meaning = f"share of the {precision} peak that its {kernel.rate.replace('_', ' ')} reaches"
            shares.append(ledger.define(own, self.of(kernel, phase, precision), meaning, "", "time.operator"))
        return shares

    def of(self, kernel: Kernel, phase: PhaseName, precision: str) -> Expr:
        """The formula of one kernel's share; one call of the same sizes has the same."""
        key = (kernel.rate, phase, precision, kernel.shape)
        if key not in self._shares:
            self._shares[key] = self._share(kernel, phase, precision)
        return self._shares[key]

    def _share(self, kernel: Kernel, phase: PhaseName, precision: str) -> Expr:
        """Tables are measured in bf16: a narrower format takes a factor."""
        narrow = precision if precision in QUANTISED_PRECISIONS else ""
        form = self._forms.get((kernel.rate, phase, narrow))
        if form is None:
            form = self._forms[kernel.rate, phase, narrow] = _form(self._library, kernel.rate, phase, narrow)
        entry = table(Symbol(f"{kernel.rate}.{phase}.efficiency"), *kernel.shape)
        share = measured(entry, form.at(kernel))
        return share * symbol("matmul.fp8_relative_efficiency") if narrow else share


class _Form:
    def __init__(self, item: tree.EfficiencyItem | None, sizes: Sequence[Expr], value: Expr) -> None:
        self._item = item
        self._sizes = sizes
        self._value = value

    def at(self, kernel: Kernel) -> Expr:
        if self._item is None:
            return self._value
        if len(self._sizes) != len(kernel.shape):
            wanted = ", ".join(self._item.sizes)
            message = f"an operator gives {len(kernel.shape)} sizes of '{kernel.rate}', whose efficiency takes {wanted}"
            raise error("E250", message, self._item.place, "give both the same sizes, in the same order")
        return put(self._value, dict(zip(self._sizes, kernel.shape, strict=True)))


def _form(library: Library, rate: str, phase: PhaseName, narrow: str) -> _Form:
    item = form_of(library, rate, phase)
    prefix = f"{rate}.{phase}"
    if item is None:
        return _Form(None, (), symbol(f"{prefix}.level"))
    sizes, value = expression(item, prefix)
    if narrow:
        deeper = symbol(f"{prefix}.{DEPTH}") * symbol(f"matmul.{narrow}") / symbol("matmul.bf16")
        value = value.xreplace({symbol(f"{prefix}.{DEPTH}"): deeper})
    return _Form(item, sizes, value)


def form_of(library: Library, rate: str, phase: str) -> tree.EfficiencyItem | None:
    """The form of a class of kernels: that of the phase, else that of every phase."""
    return library.efficiencies.get(f"{rate}.{phase}") or library.efficiencies.get(rate)


def expression(item: tree.EfficiencyItem, prefix: str) -> tuple[tuple[Expr, ...], Expr]:
    """Symbols of the sizes, and the form in them and in the figures ``PREFIX.level``, ``PREFIX.ramp_k`` …

    Raises:
        InputError: the form uses a name that is neither a size nor a coefficient of its own.
    """
    sizes = {name: Dummy(name) for name in item.sizes}
    figures = {name: symbol(f"{prefix}.{name}") for name in coefficients(item)}
    scope = _Names({**sizes, **figures})
    for let in item.lets:
        scope.values[let.name] = evaluate(let.value, scope)
    value = number(evaluate(item.value, scope), item.value.place, scope)
    return tuple(sizes.values()), sympy.sympify(value)


def check_form(item: tree.EfficiencyItem) -> None:
    """Refuse a form of a phase that does not exist, or with a name or a value that cannot be."""
    rate, dot, phase = item.name.partition(".")
    if dot and phase not in PHASES:
        hint = nearest(phase, PHASES) or f"the phases are {', '.join(PHASES)}"
        raise error("E251", f"'{phase}' is not a phase of '{rate}'", item.place, hint)
    expression(item, item.name)


def coefficients(item: tree.EfficiencyItem) -> tuple[str, ...]:
    """The figures of the machine that a form names, in the order of the alphabet.

    Raises:
        InputError: a name that is neither a size, nor a ``let``, nor a coefficient.
    """
    known = {*item.sizes, *(let.name for let in item.lets)}
    used: set[str] = set()
    for node in (*(let.value for let in item.lets), item.value):
        for part in tree.descendants(node):
            if isinstance(part, tree.Name) and part.name not in known:
                used.add(_coefficient(part, known))
    return tuple(sorted(used))


def _coefficient(node: tree.Name, known: set[str]) -> str:
    if not is_coefficient(node.name):
        hint = nearest(node.name, [*known, *COEFFICIENTS]) or f"coefficients are {', '.join(COEFFICIENTS)}"
        raise error("E203", f"unknown name '{node.name}'", node.place, hint)
    return node.name


def _rounded_up(amount: Expr) -> Expr:
    """⌈amount⌉ as it stands: tiles are figures, so that nothing is known of it, and sympy would ask at length."""
    return amount if amount.is_Integer else sympy.ceiling(amount, evaluate=False)


def put(value: Expr, sizes: Mapping[Expr, Expr]) -> Expr:
    """The value with sizes in the place of their symbols."""
    if not value.args:
        return sizes.get(value, value)
    parts = [put(part, sizes) for part in value.args]
    return _rounded_up(parts[0]) if isinstance(value, sympy.ceiling) else value.func(*parts)


_FUNCTIONS = {**SYMBOLIC, "ceil": _rounded_up}


class _Names(Plain):
    def apply(self, function: str, arguments: tuple[Value, ...], place: Place) -> Value:
        if function not in _FUNCTIONS or not any(isinstance(a, sympy.Basic) for a in arguments):
            return super().apply(function, arguments, place)
        return _FUNCTIONS[function](*map(sympy.sympify, arguments))

    def settle(self, value: Value, place: Place) -> Value:
        """One form serves all sizes and machines, so that neither can choose between two."""
        if not isinstance(value, sympy.Basic) or value.is_Rational:
            return value
        names = ", ".join(sorted(str(name).lstrip("_") for name in value.free_symbols))
        message = f"an efficiency cannot depend on a comparison of {names}"
        raise error("E220", message, place, "min(…) and max(…) of sizes and coefficients can be used")
