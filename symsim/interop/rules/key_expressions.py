"""Expressions over the keys of another tool's file: what the rules of ``formats/`` are written in.

They are those of the language, with JSON's values: ``null`` is a value, a list is indexed, a text may be a row of
letters. A name is a key; a word stands in double quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symsim.diagnostics import InputError, Place, error, nearest
from symsim.interop.rules.reading import Reading, spoken
from symsim.language import tree
from symsim.language.expressions import MAX_BITS, normal

Value = Any
"""int, Fraction, bool, str, None, tuple (a list) or a mapping (an object)."""

MAX_DIGITS = 12
"""Longest number in a text."""
MAX_ROUNDS = 4096
"""Longest list that a rule goes through."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What names mean in a rule: the keys of one file, ``maps`` of words, and the layer that is asked for."""

    reading: Reading
    maps: Mapping[str, Mapping[str, str]]
    layer: int | None = None
    layers: int | None = None

    def at(self, layer: int, layers: int) -> Keys:
        return Keys(self.reading, self.maps, layer, layers)


def evaluate(node: tree.Expression, keys: Keys) -> Value:
    """The value of an expression.

    Raises:
        InputError: a key has another type than the rule needs, or a value that cannot be expressed.
    """
    match node:
        case tree.Number(value=value):
            return value
        case tree.Text(value=text):
            return text
        case tree.Name(name=name):
            return _name(name, keys)
        case tree.Unary(operator="not", operand=operand):
            return not _truth(operand, keys)
        case tree.Unary(operand=operand):
            return -_number(operand, keys)
        case tree.Choose(then=then, condition=condition, other=other):
            return evaluate(then if _truth(condition, keys) else other, keys)
        case tree.ListOf(items=items):
            return tuple(evaluate(i.value, keys) for i in items for _ in range(i.times))
        case tree.SetOf(items=items):
            return tuple(evaluate(i, keys) for i in items)
        case tree.Range(first=first, last=last):
            return tuple(range(first, min(last, first + MAX_ROUNDS) + 1))
        case tree.Binary():
            return _binary(node, keys)
        case tree.Apply(function=function, arguments=arguments, place=place):
            return _apply(function, arguments, place, keys)
    raise AssertionError(node)


def asked(node: tree.Expression) -> list[str]:
    """The keys that an expression reads, in the order of the text."""
    names = (n.name for n in tree.descendants(node) if isinstance(n, tree.Name))
    return [n for n in dict.fromkeys(names) if n not in ("null", "layer", "true", "false")]


def filled(text: str, keys: Keys) -> str:
    """A message with the values of the keys that stand in braces."""
    return _BRACES.sub(lambda match: spoken(keys.reading.value(match[1])), text)


def in_braces(text: str) -> list[str]:
    """The keys whose values a message shows."""
    return _BRACES.findall(text)


_BRACES = re.compile(r"\{([\w.]+)\}")


def _name(name: str, keys: Keys) -> Value:
    if name in ("true", "false"):
        return name == "true"
    if name == "null":
        return None
    if name == "layer" and keys.layer is not None:
        return keys.layer
    return keys.reading.value(name)


def _truth(node: tree.Expression, keys: Keys) -> bool:
    """A flag; null is false, as it is to Python."""
    value = evaluate(node, keys)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(node, value, "true or false", "write true or false, without quotes", keys)


def _number(node: tree.Expression, keys: Keys) -> Value:
    value = evaluate(node, keys)
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        raise _wrong(node, value, "a whole number", "write it without quotes, a point or an exponent", keys)
    return value


def _list(node: tree.Expression, keys: Keys) -> tuple[Value, ...] | str:
    """A list; a text is a row of letters, and null an empty list."""
    value = evaluate(node, keys)
    if value is None:
        return ()
    if not isinstance(value, tuple | str):
        raise _wrong(node, value, "a list", "a list is written [ … ]", keys)
    if len(value) > MAX_ROUNDS:
        message = f"a list of {len(value):,} values"
        raise error("E510", message, keys.reading.place_of(asked(node)), f"at most {MAX_ROUNDS:,} are read")
    return value


def _wrong(node: tree.Expression, value: Value, wanted: str, hint: str, keys: Keys) -> InputError:
    names = asked(node)
    if value is None and names and not any(map(keys.reading.given, names)):
        missing = f"the configuration has no '{names[0]}'"
        return error("E508", missing, Place(keys.reading.source, 1, 1), "it is needed, and no class gives it")
    what = f"'{names[0]}'" if len(names) == 1 else "this"
    return error("E509", f"{what} must be {wanted}, not {spoken(value)}", keys.reading.place_of(names), hint)


def _binary(node: tree.Binary, keys: Keys) -> Value:
    operator = node.operator
    if operator in ("and", "or"):
        left = _truth(node.left, keys)
        return left if left is (operator == "or") else _truth(node.right, keys)
    if operator in ("==", "!="):
        left, right = evaluate(node.left, keys), evaluate(node.right, keys)
        return (_same(left, right)) is (operator == "==")
    if operator == "in":
        left, among = evaluate(node.left, keys), _list(node.right, keys)
        if isinstance(among, str) and not isinstance(left, str):
            raise _wrong(node.right, among, "a list", "for example [0, 1]", keys)
        strange = next((v for v in among if type(v) is not type(left)), None) if isinstance(among, tuple) else None
        if strange is not None and not asked(node.right):
            wanted = "a text" if isinstance(strange, str) else spoken(strange)
            raise _wrong(node.left, left, wanted, f"one of {', '.join(map(str, among))}", keys)
        if strange is not None:
            raise _wrong(node.right, strange, "a list of such values as are asked for", "for example [0, 1]", keys)
        return left in among
    left, right = _number(node.left, keys), _number(node.right, keys)
    if operator in ("<", "<=", ">", ">="):
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])
    if operator in ("/", "%") and right == 0:
        names = asked(node.right)
        raise error("E510", f"'{names[0] if names else right}' must not be 0", keys.reading.place_of(names))
    return normal(_arithmetic(operator, left, right, node.place), node.place)


def _same(left: Value, right: Value) -> bool:
    """Equal, and of one type: ``true`` is not 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _arithmetic(operator: str, left: Any, right: Any, place: Place) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return Fraction(left) / right
        case "%":
            return left % right
    if not isinstance(right, int) or not 0 <= right <= 64 or left.numerator.bit_length() * right > MAX_BITS:
        raise error("E209", "an exponent of a rule is a small whole number", place, "for example 2 ** 8")
    return left**right


def _apply(function: str, arguments: tuple[tree.Expression, ...], place: Place, keys: Keys) -> Value:
    if function in keys.maps:
        return _mapped(function, arguments[0], keys)
    match function, arguments:
        case "first", _:
            return next((v for a in arguments if (v := evaluate(a, keys)) is not None), None)
        case "given", (tree.Name(name=name),):
            return keys.reading.given(name)
        case "in_layer", (tree.Name(name=name), index):
            return keys.reading.in_layer(name, int(_number(index, keys)))
        case "at", (listed, index):
            return _at(listed, index, keys)
        case "letter", (text, index):
            return _letter(text, index, keys)
        case "period", (listed, item, other):
            return _period(_list(listed, keys), evaluate(item, keys), evaluate(other, keys))
        case "part", (whole, tree.Text(value=path)):
            return keys.reading.part(evaluate(whole, keys), path)
        case "length", (listed,):
            return len(_list(listed, keys))
        case "count", (listed, item):
            wanted = evaluate(item, keys)
            return sum(_same(v, wanted) for v in _list(listed, keys))
        case ("before", (listed, item, index)):
            wanted = evaluate(item, keys)
            return sum(_same(v, wanted) for v in _list(listed, keys)[: int(_number(index, keys))])
        case "numbers", (text,):
            return _numbers(text, keys)
        case "is_list", (value,):
            return isinstance(evaluate(value, keys), tuple)
    if function in _NUMERIC:
        return normal(_NUMERIC[function](*(_number(a, keys) for a in arguments)), place)
    raise error("E204", f"unknown function '{function}'", place, nearest(function, [*_FUNCTIONS, *keys.maps]))


_NUMERIC: Mapping[str, Callable[..., Any]] = {"min": min, "max": max, "ceil": math.ceil, "floor": math.floor}
_FUNCTIONS = (
    *_NUMERIC,
    *("first", "given", "at", "in_layer", "part", "letter", "length", "count", "before", "period"),
    *("is_list", "numbers"),
)


def _at(listed: tree.Expression, index: tree.Expression, keys: Keys) -> Value:
    """One value of a list, which has one for each layer; a number or a flag is the same for all."""
    value = evaluate(listed, keys)
    if isinstance(value, int | Fraction):
        return value
    if not isinstance(value, tuple):
        raise _wrong(listed, value, "a list", "a list is written [ … ]", keys)
    return _picked(value, listed, index, keys)


def _numbers(text: tree.Expression, keys: Keys) -> tuple[Value, ...]:
    """Whole numbers of a list, or of a text that has commas between them."""
    value = evaluate(text, keys)
    if not isinstance(value, str):
        return tuple(_list(text, keys))
    parts = value.split(",", MAX_ROUNDS)
    if len(parts) > MAX_ROUNDS or not all(p.strip().isdecimal() and len(p) <= MAX_DIGITS for p in parts):
        raise _wrong(text, value, "numbers with commas between them", 'for example "3,4,5"', keys)
    return tuple(int(p) for p in parts)


def _letter(text: tree.Expression, index: tree.Expression, keys: Keys) -> str:
    value = evaluate(text, keys)
    if not isinstance(value, str):
        raise _wrong(text, value, "a text", "write it in double quotes", keys)
    return str(_picked(tuple(value), text, index, keys))


def _picked(values: tuple[Value, ...], listed: tree.Expression, index: tree.Expression, keys: Keys) -> Value:
    at = int(_number(index, keys))
    by_layer = isinstance(index, tree.Name) and index.name == "layer"
    if not 0 <= at < len(values) or (by_layer and len(values) != keys.layers):
        wanted = f"there are {keys.layers} layers" if by_layer else f"one is needed for layer {at}"
        message = f"{spoken_list(asked(listed))} has {len(values)} values, and {wanted}"
        raise keys.reading.conflict(asked(listed), message)
    return values[at]


def _period(values: tuple[Value, ...] | str, wanted: Value, other: Value) -> int:
    """Every how many layers a value comes, last in each turn of others; 0 where they come in no such order."""
    first = next((k for k, v in enumerate(values) if _same(v, wanted)), len(values)) + 1
    return first * all(_same(v, other if (k + 1) % first else wanted) for k, v in enumerate(values))


def spoken_list(names: list[str]) -> str:
    return ", ".join(f"'{n}'" for n in names) or "this"


def _mapped(table: str, node: tree.Expression, keys: Keys) -> str | tuple[str, ...]:
    """What a word is called here; of a list, each of its words."""
    given = evaluate(node, keys)
    if isinstance(given, tuple):
        return tuple(_word(table, word, node, keys) for word in given)
    return _word(table, given, node, keys)


def _word(table: str, word: Value, node: tree.Expression, keys: Keys) -> str:
    known, names = keys.maps[table], asked(node)
    if not isinstance(word, str):
        raise _wrong(node, word, "a text", "write it in double quotes", keys)
    if word not in known:
        message = f"{spoken_list(names)}: {spoken(word)} cannot be expressed"
        raise keys.reading.inexpressible(names, message, f"known here: {', '.join(sorted(known))}")
    return known[word]


def hold(check: tree.Require | tree.Refuse, keys: Keys) -> None:
    """``require`` is what can be expressed; ``refuse`` is what the tool itself refuses."""
    holds = evaluate(check.condition, keys)
    message = check.message or "this cannot be expressed"
    names = [*in_braces(message), *asked(check.condition)]
    if isinstance(check, tree.Refuse) and holds:
        raise keys.reading.conflict(names, filled(message, keys), keys.reading.refused_by)
    if isinstance(check, tree.Require) and not holds:
        raise keys.reading.inexpressible(names, filled(message, keys))
