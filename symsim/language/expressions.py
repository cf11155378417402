"""Evaluate an expression of the language, exactly and with bounded work.

One interpreter serves numbers and symbols: integers and fractions stay exact, and anything else
that arithmetic works on (a sympy expression, a tensor's bytes) passes through. No text is ever
handed to Python's ``eval``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from operator import add, mul, sub, truediv
from typing import Any, Protocol

from symsim.diagnostics import InputError, Place, error, nearest
from symsim.language import tree
from symsim.language.expression_growth_limit import check_growth
from symsim.language.function_table import FUNCTIONS, STAGE_FUNCTIONS, check_count

MAX_BITS = 2048
"""Largest integer that may arise, in bits."""
MAX_ITEMS = 100_000
"""Most values that a set or a range may hold."""
MAX_EXPONENT = 16
"""Largest power of a size, or of a sum of sizes: its terms are multiplied out."""
MAX_EXPONENT_OF_FUNCTION = 1024
"""Largest power of what counts as one factor, such as ``max(0, 1 - 1 / ep)``."""
SET_HINT = "a set is written {1, 2, 4} or 1..8"

Value = Any
"""int, Fraction, bool, str (a word), frozenset, tuple (a list), or what a scope adds."""


class Word(str):
    """A name that nothing defines: a word such as ``rope``, or a mistake once arithmetic meets it."""

    place: Place
    __slots__ = ("place",)


class Scope(Protocol):
    """What names and functions mean where an expression stands."""

    def lookup(self, name: str) -> Value | None: ...

    def names(self) -> Iterable[str]: ...

    def apply(self, function: str, arguments: tuple[Value, ...], place: Place) -> Value:
        """The value of a known function of numbers."""
        ...

    def settle(self, value: Value, place: Place) -> Value:
        """A plain value for a comparison that selects structure."""
        ...

    def decided(self, operator: str, left: Value, right: Value, outcome: bool) -> None:
        """Told of every comparison that was decided, with both sides as they were before they were settled."""
        ...


class Plain:
    """A scope of plain values: what strategies, systems and the defaults of a family need."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values: dict[str, Value] = dict(values)

    def lookup(self, name: str) -> Value | None:
        return self.values.get(name)

    def names(self) -> Iterable[str]:
        return self.values

    def apply(self, function: str, arguments: tuple[Value, ...], place: Place) -> Value:
        known = FUNCTIONS[function]
        assert known.compute is not None
        try:
            return normal(known.compute(*arguments), place)
        except ValueError as problem:
            raise error("E207", str(problem), place, f"for example {known.example}") from None

    def settle(self, value: Value, place: Place) -> Value:
        return value

    def decided(self, operator: str, left: Value, right: Value, outcome: bool) -> None:
        return None


def evaluate(node: tree.Expression, scope: Scope) -> Value:
    """The value of an expression.

    Raises:
        InputError: an unknown name where a number is needed, a wrong type, a division by zero, or
            a number too large to compute with.
    """
    match node:
        case tree.Number(value=value):
            return value
        case tree.Text(value=text):
            return text
        case tree.Name(name=name, place=place):
            return _name(name, place, scope)
        case tree.Unary(operator="not", operand=operand, place=place):
            return not truth(evaluate(operand, scope), place, scope)
        case tree.Unary(operand=operand, place=place):
            return normal(-number(evaluate(operand, scope), operand.place, scope), place)
        case tree.Binary():
            return _binary(node, scope)
        case tree.Choose(then=then, condition=condition, other=other):
            chosen = truth(evaluate(condition, scope), condition.place, scope)
            return evaluate(then if chosen else other, scope)
        case tree.Apply(function=function, arguments=arguments, place=place):
            check_function(function, len(arguments), place)
            # Numbers only: sympy would hand a text to Python.
            numbers = tuple(number(evaluate(a, scope), a.place, scope) for a in arguments)
            applied = scope.apply(function, numbers, place)
            check_growth(applied, place)
            return applied
        case tree.SetOf(items=items):
            return frozenset(_hashable(evaluate(i, scope), i.place) for i in items)
        case tree.ListOf(items=items):
            return tuple(evaluate(i.value, scope) for i in items for _ in range(i.times))
        case tree.Range(first=first, last=last, place=place):
            if last - first >= MAX_ITEMS:
                message = f"this range holds more than {MAX_ITEMS:,} values"
                raise error("E206", message, place, "take a shorter range, or list the values: {1, 2, 4}")
            return frozenset(range(first, last + 1))
    raise AssertionError(node)


def check_function(name: str, arguments: int, place: Place) -> None:
    """Refuse a function that numbers have not, or have with another number of arguments.

    Raises:
        InputError: an unknown function, a wrong number of arguments, or a function of pipeline stages.
    """
    if name not in FUNCTIONS and name not in STAGE_FUNCTIONS:
        raise error("E204", f"unknown function '{name}'", place, nearest(name, FUNCTIONS))
    check_count(name, arguments, place)
    if name in STAGE_FUNCTIONS:
        hint = "it works in what is asked of a plan: require, --of, --require, --minimize, --subject-to"
        raise error("E204", f"{name}() needs a quantity that each pipeline stage has", place, hint)


def number(value: Value, place: Place, scope: Scope) -> Value:
    """``value`` if arithmetic may use it.

    Raises:
        InputError: it is a flag, a word or a set; an undefined name is reported as such.
    """
    if isinstance(value, Word):
        raise unknown(value, scope, "a number is expected here")
    if isinstance(value, str | bool | frozenset | tuple):
        raise error("E207", f"expected a number, not {describe(value)}", place, "a number is written 8, 0.5 or 2 * 4")
    return value


def parts_of(node: tree.Expression) -> tuple[tree.Expression, ...]:
    match node:
        case tree.Unary(operand=operand):
            return (operand,)
        case tree.Binary(left=left, right=right):
            return (left, right)
        case tree.Choose(then=then, condition=condition, other=other):
            return (then, condition, other)
        case tree.Apply(arguments=items) | tree.SetOf(items=items):
            return items
        case tree.ListOf(items=repeated):
            return tuple(r.value for r in repeated)
    return ()


def refuse_unit(name: str, node: tree.Expression) -> None:
    """Refuse a quantity with a unit where a plain number belongs.

    Raises:
        InputError: some number of the expression has a unit.
    """
    found = next((n for n in numbers_in(node) if n.unit), None)
    if found is not None:
        billions = found.unit == "B" and name.endswith("tokens")
        hint = "B is bytes; ten billion are 10G" if billions else "leave the unit out"
        raise error("E219", f"'{name}' is a plain number, without a unit", found.place, hint)


def numbers_in(node: tree.Expression) -> Iterator[tree.Number]:
    """Every number that is written in an expression, in order."""
    if isinstance(node, tree.Number):
        yield node
    for part in parts_of(node):
        yield from numbers_in(part)


def truth(value: Value, place: Place, scope: Scope) -> bool:
    if isinstance(value, Word):
        raise unknown(value, scope, "true, false or a comparison is expected here")
    value = scope.settle(value, place)
    if not isinstance(value, bool):
        hint = "a condition is true, false or a comparison such as layers > 1"
        raise error("E207", f"expected true or false, not {describe(value)}", place, hint)
    return value


def unknown(word: Word, scope: Scope, expected: str) -> InputError:
    """A word where only a defined name can stand."""
    return error("E203", f"unknown name '{word}'", word.place, nearest(word, scope.names()) or expected)


def describe(value: Value) -> str:
    match value:
        case bool():
            return "a flag (" + ("true" if value else "false") + ")"
        case str():
            return f"the word '{value}'"
        case frozenset():
            return "a set"
        case tuple():
            return "a list"
        case Fraction():
            return decimal(value)
    return f"{value}"


def decimal(value: Fraction) -> str:
    """A fraction as people write it: ``1.5``, or ``8192/63`` where decimals would not end."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return f"{float(value):g}" if rest == 1 and value.denominator <= 10**6 else str(value)


def normal(value: Value, place: Place) -> Value:
    """Fractions without a denominator become integers; numbers past the bound are refused."""
    if isinstance(value, Fraction) and value.denominator == 1:
        value = value.numerator
    if isinstance(value, int | Fraction) and _bits(value) > MAX_BITS:
        raise out_of_bounds("number", place)
    return value


def _bits(value: int | Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def out_of_bounds(what: str, place: Place) -> InputError:
    hint = "sizes go up to 10^12, and numbers are written with at most 40 digits"
    return error("E107", f"this {what} is too large or too small to mean anything here", place, hint)


def _name(name: str, place: Place, scope: Scope) -> Value:
    if name in ("true", "false"):
        return name == "true"
    value = scope.lookup(name)
    if value is None:
        word = Word(name)
        word.place = place
        return word
    return value


def _binary(node: tree.Binary, scope: Scope) -> Value:
    operator, place = node.operator, node.place
    if operator in ("and", "or"):
        left = truth(evaluate(node.left, scope), node.left.place, scope)
        if left is (operator == "or"):
            return left
        return truth(evaluate(node.right, scope), node.right.place, scope)
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if operator in ("==", "!=", "<", "<=", ">", ">=", "in"):
        return _compare(operator, left, right, node, scope)
    left, right = number(left, node.left.place, scope), number(right, node.right.place, scope)
    if operator in ("/", "%") and right == 0:
        raise error("E208", "division by zero", node.right.place, "the divisor is 0 with the values given")
    result = normal(_arithmetic(operator, left, right, place, scope), place)
    check_growth(result, place)
    return result


def _arithmetic(operator: str, left: Value, right: Value, place: Place, scope: Scope) -> Value:
    if operator in _OF_SIZES and (hasattr(left, "free_symbols") or hasattr(right, "free_symbols")):
        return _of_sizes(operator, left, right)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return Fraction(left, right) if isinstance(left, int) and isinstance(right, int) else left / right
        case "%":
            plain = isinstance(left, int | Fraction) and isinstance(right, int | Fraction)
            return left % right if plain else scope.apply("remainder", (left, right), place)
    return _power(left, right, place)


_OF_SIZES: Mapping[str, Any] = {"+": add, "-": sub, "*": mul, "/": truediv}


@lru_cache(maxsize=16384, typed=True)
def _of_sizes(operator: str, left: Value, right: Value) -> Value:
    """Kept: the phases of an operator, kinds of layers and variants of a model compute the same again."""
    return _OF_SIZES[operator](left, right)


def _power(left: Value, right: Value, place: Place) -> Value:
    if not isinstance(right, int):
        raise error("E209", "an exponent must be a whole number", place, "for example x ** 2")
    if isinstance(left, int | Fraction):
        if abs(right) * _bits(left) > MAX_BITS:
            raise out_of_bounds("power", place)
        if left == 0 and right < 0:
            raise error("E208", "division by zero", place, "0 has no negative power")
        return Fraction(left) ** right
    one_factor = getattr(left, "is_Function", False)
    if abs(right) > (MAX_EXPONENT_OF_FUNCTION if one_factor else MAX_EXPONENT):
        raise out_of_bounds("power", place)
    return left**right


def _compare(operator: str, left: Value, right: Value, node: tree.Binary, scope: Scope) -> bool:
    if isinstance(left, Word) and isinstance(node.left, tree.Name) and scope.lookup(node.left.name) is None:
        raise unknown(left, scope, "a name or a number is compared here")
    outcome = _outcome(
        operator, scope.settle(left, node.left.place), scope.settle(right, node.right.place), node, scope
    )
    scope.decided(operator, left, right, outcome)
    return outcome


def _outcome(operator: str, left: Value, right: Value, node: tree.Binary, scope: Scope) -> bool:
    if operator == "in":
        if not isinstance(right, frozenset):
            raise error("E207", f"expected a set after 'in', not {describe(right)}", node.right.place, SET_HINT)
        return left in right
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    left, right = number(left, node.left.place, scope), number(right, node.right.place, scope)
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


def _hashable(value: Value, place: Place) -> Value:
    try:
        hash(value)
    except TypeError:
        raise error("E207", "this cannot be a member of a set", place, SET_HINT) from None
    return value


def collect(problems: list[InputError]) -> None:
    """Raise all collected errors as one, if there are any."""
    if problems:
        raise InputError([d for p in problems for d in p.diagnostics])


def names_in(node: tree.Expression) -> set[str]:
    """Every name that an expression uses."""
    if isinstance(node, tree.Name):
        return {node.name} - {"true", "false"}
    return set().union(*map(names_in, parts_of(node)))
