"""How large a symbolic expression may become while a model is expanded.

Formulas are multiplied out and compared term by term, so what counts is how many terms an expression
would have then. Each bound is some ten times what the largest formula of the library needs.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

from symsim.diagnostics import Place, error

MAX_TERMS = 100
MAX_NODES = 400
MAX_DEPTH = 24


class _Size(NamedTuple):
    terms: int
    nodes: int
    depth: int


def check_growth(value: Any, place: Place) -> None:
    """Refuse a symbolic value that has become too large; plain numbers pass.

    Raises:
        InputError: multiplied out it would have over ``MAX_TERMS`` terms, or it nests too deep.
    """
    if not hasattr(value, "free_symbols"):
        return
    size = _size(value)
    if size.terms > MAX_TERMS or size.nodes > MAX_NODES or size.depth > MAX_DEPTH:
        raise error("E110", "this formula grows too large", place, "write it with fewer sums, products and powers")


@lru_cache(maxsize=8192)
def _size(e: Any) -> _Size:
    """Terms when multiplied out, nodes and depth. Shared parts count each time they stand there."""
    if not e.args:
        return _Size(1, 1, 1)
    parts = [_size(a) for a in e.args]
    nodes, depth = 1 + sum(p.nodes for p in parts), 1 + max(p.depth for p in parts)
    if e.is_Add:
        terms = sum(p.terms for p in parts)
    elif e.is_Mul:
        terms = math.prod(p.terms for p in parts)
    elif e.is_Pow and e.exp.is_Integer and e.exp > 1:
        terms = math.comb(parts[0].terms + int(e.exp) - 1, int(e.exp))
    else:
        terms = 1
    return _Size(terms, nodes, depth)
