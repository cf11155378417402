"""A formula as a person would write it: signs in front, one fraction bar, everything in a human order.

:func:`arrange` turns a sympy expression into a small tree of nodes which all emitters print. It
decides what they must agree on (what is above and below the fraction bar, which sign is in
front, what comes first) and nothing of how a thing looks. It reads the expression's structure only:
no simplification, no assumption is ever asked for, so that it costs microseconds.

The order of factors is: conditions, numbers, names, functions, sums. The order of names is that of
:data:`COUNTS`, then of ``order`` (the names that a document defines), then alphabetical, then
:data:`RANKS`, then names of the machine (``hbm.bandwidth``).

The order of terms is: highest degree first, conditional terms late, the constant last. A sum over
quantities that the document has defined goes in the order of their definitions, as a table's total
does. The first term is positive if any is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd, lcm, prod
from typing import TYPE_CHECKING, Final

import sympy

from symsim import functions

if TYPE_CHECKING:
    from sympy import Basic, Expr


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or a floating-point number, not negative."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Name:
    """An input or a definition, as it is called in files and flags."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Two or more terms; a negative one is a :class:`Product` with its sign in front."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """± numerator ÷ denominator. Neither holds another product; the denominator may be empty."""

    numerator: tuple[Node, ...]
    denominator: tuple[Node, ...] = ()
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Power:
    """The exponent is not a negative number: those go into a denominator."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of :mod:`symsim.functions`, or ``floor`` or ``ceiling``, by its name there."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A measured table asked for some dimensions."""

    table: str
    dimensions: tuple[Node, ...]


Node = Number | Name | Sum | Product | Power | Call | Lookup

COUNTS: Final = (
    *("f", "n", "m", "mbs", "T", "gbs", "seq", "layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab"),
    *("experts", "topk", "expert_ffn", "shared_ffn", "dense_layers", "dense_ffn"),
    *("q_rank", "kv_rank", "nope_dim", "rope_dim", "value_dim", "window", "mtp_layers"),
)
"""How much there is of something: written first."""

RANKS: Final = ("world", "dp", "edp", "tp", "cp", "ep", "etp", "pp", "vp", "zero_shard", "gpus_per_node", "i")
"""Over how many ranks it is spread, and which rank is meant: written last."""

RELATIONS: Final = frozenset({"equal", "less", "at_most"})
"""Conditions: 1 where they hold, else 0."""

_NAMES_OF_FUNCTIONS: Final = (
    *("maximum", "minimum", "equal", "less", "at_most", "remainder", "where", "measured"),
    *("stage_sum", "stage_max", "stage_pick", "sum_before", "max_to", "max_from"),
)
_FUNCTIONS: Final[dict[type[Basic], str]] = {
    sympy.floor: "floor",
    sympy.ceiling: "ceiling",
    **{getattr(functions, name): name for name in _NAMES_OF_FUNCTIONS},
}


def arrange(expression: Expr, order: Sequence[str] = ()) -> Node:
    """The expression as a tree in human order; ``order`` lists the names a document defines.

    Raises :class:`TypeError` for anything but arithmetic and the functions of ``symsim.functions``.
    """
    return _Arrangement(order).node(expression)


def arrange_all(expressions: Sequence[Expr], order: Sequence[str]) -> list[Node]:
    """:func:`arrange` for the formulas of one document."""
    arrangement = _Arrangement(order)
    return [arrangement.node(expression) for expression in expressions]


def is_condition(node: Node) -> bool:
    return isinstance(node, Call) and node.function in RELATIONS


def positive(node: Node) -> Node:
    """The node without the sign in front of it."""
    if not (isinstance(node, Product) and node.negative):
        return node
    if len(node.numerator) == 1 and not node.denominator:
        return node.numerator[0]
    return replace(node, negative=False)


def is_negative(node: Node) -> bool:
    return isinstance(node, Product) and node.negative


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Sum(terms):
            return terms
        case Product(numerator, denominator):
            return numerator + denominator
        case Power(base, exponent):
            return base, exponent
        case Call(_, arguments) | Lookup(_, arguments):
            return arguments
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order in which they are printed."""
    yield node
    for child in children(node):
        yield from walk(child)


def over_one_denominator(node: Node) -> Node:
    """Sums of quotients as a single quotient; what has no denominator stays as it is.

    ``a/b + c`` becomes ``(a + c·b)/b``, which a floor can divide exactly.
    """
    quotient = _quotient(node)
    if not quotient.denominator:
        return node
    above, below = (prod(map(_integer, side)) for side in (quotient.numerator, quotient.denominator))
    return Product(
        _with_integer(above // gcd(above, below), quotient.numerator) or (Number(1),),
        _with_integer(below // gcd(above, below), quotient.denominator),
        quotient.negative,
    )


def _quotient(node: Node) -> Product:
    match node:
        case Product(numerator, denominator, negative):
            above, below = [*map(_quotient, numerator)], [*map(_quotient, denominator)]
            return Product(
                tuple(f for q in above for f in q.numerator) + tuple(f for q in below for f in q.denominator),
                tuple(f for q in above for f in q.denominator) + tuple(f for q in below for f in q.numerator),
                negative ^ (sum(q.negative for q in (*above, *below)) % 2 == 1),
            )
        case Sum(terms):
            return _sum_of_quotients(terms)
        case _:
            return Product((node,))


def _sum_of_quotients(terms: Iterable[Node]) -> Product:
    quotients = [_quotient(term) for term in terms]
    integers = [prod(map(_integer, quotient.denominator)) for quotient in quotients]
    others = [Counter(f for f in quotient.denominator if not _is_integer(f)) for quotient in quotients]
    integer = lcm(*integers)
    shared = Counter[Node]()
    for each in others:
        shared |= each
    numerator: list[Node] = []
    for quotient, own_integer, own in zip(quotients, integers, others, strict=True):
        scale = integer // own_integer * prod(map(_integer, quotient.numerator))
        factors = _with_integer(scale, (*quotient.numerator, *(shared - own).elements())) or (Number(1),)
        plain = len(factors) == 1 and not quotient.negative
        numerator.append(factors[0] if plain else Product(factors, (), quotient.negative))
    return Product((Sum(tuple(numerator)),), _with_integer(integer, tuple(shared.elements())))


def _with_integer(integer: int, factors: Iterable[Node]) -> tuple[Node, ...]:
    """The factors with ``integer`` in place of those which are integers."""
    rest = tuple(factor for factor in factors if not _is_integer(factor))
    return rest if integer == 1 else (Number(integer), *rest)


class _Arrangement:
    """The state of arranging one document: where each name ranks."""

    def __init__(self, order: Sequence[str]) -> None:
        self._defined = {name: place for place, name in enumerate(order)}
        self._ranks: dict[str, _Rank] = {}

    def node(self, expression: Basic) -> Node:
        if isinstance(expression, sympy.Symbol):
            return Name(expression.name)
        if isinstance(expression, sympy.Add):
            return self._sum(expression)
        if isinstance(expression, sympy.Mul | sympy.Pow | sympy.Rational | sympy.Float):
            return self._product(expression)
        if isinstance(expression, functions.table):
            name, *dimensions = expression.args
            if not isinstance(name, sympy.Symbol):
                raise TypeError(f"the first argument of a table is a symbol with its name, not {name}")
            return Lookup(name.name, tuple(map(self.node, dimensions)))
        function = _FUNCTIONS.get(type(expression))
        if function is None:
            raise TypeError(f"a formula cannot hold {type(expression).__name__}: {expression}")
        return Call(function, tuple(map(self.node, expression.args)))

    def _sum(self, expression: sympy.Add) -> Node:
        terms = list(self._flat_terms(expression))
        terms.sort(key=self._order_of_terms(terms))
        if is_negative(terms[0]):
            leading = next((k for k, term in enumerate(terms) if not is_negative(term)), 0)
            terms.insert(0, terms.pop(leading))
        return Sum(tuple(terms))

    def _flat_terms(self, expression: sympy.Add) -> Iterator[Node]:
        for argument in expression.args:
            if isinstance(argument, sympy.Add):
                yield from self._flat_terms(argument)
            else:
                yield self.node(argument)

    def _product(self, expression: Expr) -> Node:
        above: list[Node] = []
        below: list[Node] = []
        negative = self._collect(expression, above, below)
        numerator = sorted(filter(_is_not_one, above), key=self._factor_key) or [Number(1)]
        denominator = sorted(filter(_is_not_one, below), key=self._factor_key)
        if len(numerator) == 1 and not denominator and not negative:
            return numerator[0]
        return Product(tuple(numerator), tuple(denominator), negative)

    def _collect(self, expression: Basic, above: list[Node], below: list[Node]) -> bool:
        """Put each factor above or below the fraction bar; the answer is whether the sign is minus."""
        negative = False
        if isinstance(expression, sympy.Mul):
            for argument in expression.args:
                negative ^= self._collect(argument, above, below)
        elif isinstance(expression, sympy.Pow):
            base, exponent = expression.args
            if exponent == 1:
                return self._collect(base, above, below)
            if exponent == -1:
                return self._collect(base, below, above)
            arranged = self.node(exponent)
            side = below if is_negative(arranged) else above
            side.append(Power(self.node(base), positive(arranged)))
        elif isinstance(expression, sympy.Rational):
            negative = expression.p < 0
            above.append(Number(abs(expression.p)))
            below.append(Number(expression.q))
        elif isinstance(expression, sympy.Float):
            value = float(expression)
            negative = value < 0
            above.append(Number(abs(value)))
        else:
            node = self.node(expression)
            if isinstance(node, Sum) and all(map(is_negative, node.terms)):
                negative = True
                node = Sum(tuple(map(positive, node.terms)))
            above.append(node)
        return negative

    def _rank(self, name: str) -> _Rank:
        """The position of a name among others; a family such as ``n_dense`` goes with its letter."""
        rank = self._ranks.get(name)
        if rank is None:
            family = name[0] if name[1:2] == "_" else name
            place = self._defined.get(name, len(self._defined))
            if family in _COUNT_PLACES:
                rank = (0, _COUNT_PLACES[family], place, name)
            elif name in _RANK_PLACES:
                rank = (3, _RANK_PLACES[name], 0, name)
            elif name in self._defined:
                rank = (1, place, 0, name)
            else:
                rank = (4 if "." in name else 2, 0, 0, name)
            self._ranks[name] = rank
        return rank

    def _factor_key(self, factor: Node) -> tuple[int, _Rank]:
        match factor:
            case Call(function, _) if function in RELATIONS:
                return 0, _FIRST
            case Number():
                return 1, _FIRST
            case Name(name) | Power(Name(name), _):
                return 2, self._rank(name)
            case Power(Number(), _):
                return 1, _FIRST
            case Sum() | Power(Sum(), _):
                return 4, _FIRST
            case _:
                return 3, _FIRST

    def _order_of_terms(self, terms: Sequence[Node]) -> Callable[[Node], _TermKey]:
        anchors = {term: self._last_defined(term) for term in terms} if self._defined else dict.fromkeys(terms, -1)
        total = all(place >= 0 or _is_constant(term) for term, place in anchors.items())

        def key(term: Node) -> _TermKey:
            numerator, denominator = _sides(term)
            return (
                _is_constant(term),
                anchors[term] if total else 0,
                any(map(is_condition, numerator)),
                -sum(map(_degree, numerator)),
                [self._factor_key(factor) for factor in numerator if not isinstance(factor, Number)],
                [self._factor_key(factor) for factor in denominator],
            )

        return key

    def _last_defined(self, term: Node) -> int:
        """The place of the last definition in the term, sizes aside; −1 if there is none."""
        places = (self._defined.get(node.name, -1) for node in walk(term) if isinstance(node, Name) and _is_whole(node))
        return max(places, default=-1)


_Rank = tuple[int, int, int, str]
_TermKey = tuple[bool, int, bool, float, list[tuple[int, _Rank]], list[tuple[int, _Rank]]]
_FIRST: Final[_Rank] = (0, 0, 0, "")
_COUNT_PLACES: Final = {name: place for place, name in enumerate(COUNTS)}
_RANK_PLACES: Final = {name: place for place, name in enumerate(RANKS)}


def _sides(term: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    return (term.numerator, term.denominator) if isinstance(term, Product) else ((term,), ())


def _is_not_one(factor: Node) -> bool:
    # A floating-point 1.0 is a figure of the machine that happens to be one: it stays.
    return not (_is_integer(factor) and _integer(factor) == 1)


def _is_integer(factor: Node) -> bool:
    return isinstance(factor, Number) and isinstance(factor.value, int)


def _integer(factor: Node) -> int:
    """The factor if it is an integer, else 1."""
    return factor.value if isinstance(factor, Number) and isinstance(factor.value, int) else 1


def _is_constant(term: Node) -> bool:
    numerator, denominator = _sides(term)
    return all(isinstance(factor, Number) for factor in numerator + denominator)


def _is_whole(name: Name) -> bool:
    """Whether the name is a quantity that a total adds up, not a size that multiplies one."""
    family = name.name[0] if name.name[1:2] == "_" else name.name
    return family not in _COUNT_PLACES and name.name not in _RANK_PLACES


def _degree(factor: Node) -> float:
    match factor:
        case Number():
            return 0
        case Name(name) if "." in name:
            # A latency is added to what depends on sizes.
            return 0
        case Power(_, Number(exponent)):
            return exponent
        case Call(function, _) if function in RELATIONS:
            return 0
        case Sum(terms):
            return max(sum(map(_degree, _sides(term)[0])) for term in terms)
        case _:
            return 1
