"""The parser of each kind of file, with its LALR tables read from a file instead of computed from the grammar.

``grammar/tables.json.gz`` holds what lark makes of ``grammar/*.lark``. It is used where it was made of the grammar as
it is, by the release of lark that runs; else the grammar is compiled, which takes some 0.2 s more. After a
change of the grammar write it anew::

    python -m symsim.language.grammar_tables
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from symsim import resources

if TYPE_CHECKING:
    from lark import Lark

STARTS: Mapping[str, tuple[str, ...]] = {
    "model": ("start", "call"),
    "strategy": ("start", "expression"),
    "system": ("start",),
    "config": ("start",),
}
"""Kinds of files, and what a text of each may be parsed as."""

FILE = "tables.json.gz"


def parser_of(kind: str, separators: Callable[[], Any]) -> Lark:
    """Lark's parser of a kind of file; ``separators`` makes what goes over its tokens."""
    from lark import Lark, __version__

    known = _tables().get(kind)
    if known is not None and (known["lark"], known["of"]) == (__version__, stamp(kind)):
        data, memo = _unpacked(known["data"], known["memo"])
        return Lark._load_from_dict(data, memo, postlex=separators())  # type: ignore[no-any-return, no-untyped-call]
    return compiled(kind, separators)


def compiled(kind: str, separators: Callable[[], Any]) -> Lark:
    """The same, from the grammar."""
    from lark import Lark

    return Lark(
        _grammar(kind),
        start=list(STARTS[kind]),
        parser="lalr",
        lexer="contextual",
        postlex=separators(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


def stamp(kind: str) -> str:
    """A hash of the grammar and what it is parsed as."""
    return hashlib.sha256(f"{STARTS[kind]}\0{_grammar(kind)}".encode()).hexdigest()


def _grammar(kind: str) -> str:
    return resources.grammar_text("common") + resources.grammar_text(kind)


@cache
def _tables() -> Mapping[str, Any]:
    try:
        return json.loads(gzip.decompress((resources.root() / "grammar" / FILE).read_bytes()))  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError, zlib.error):
        return {}


def packed(kind: str, parser: Lark) -> dict[str, Any]:
    """The entry of a parser: lark's own serialization, with its tables as rows ``[state, token, action, to, …]``."""
    from lark import __version__
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    data, memo = parser.memo_serialize([TerminalDef, Rule])
    data["options"] = {name: value for name, value in data["options"].items() if name != "postlex"}
    table = dict(data["parser"]["parser"])
    table["tokens"] = [table["tokens"][k] for k in range(len(table["tokens"]))]
    table["states"] = [
        [state, *(n for token, (action, to) in row.items() for n in (token, action, to["@"] if action else to))]
        for state, row in table["states"].items()
    ]
    data["parser"] = {**data["parser"], "parser": table}
    return {"lark": __version__, "of": stamp(kind), "data": data, "memo": [memo[k] for k in range(len(memo))]}


def _unpacked(data: dict[str, Any], memo: list[Any]) -> tuple[dict[str, Any], dict[int, Any]]:
    table = data["parser"]["parser"]
    states: dict[int, dict[int, tuple[int, Any]]] = {}
    for state, *row in table["states"]:
        cells = zip(row[::3], row[1::3], row[2::3], strict=True)
        states[state] = {token: (action, {"@": to} if action else to) for token, action, to in cells}
    table = {**table, "tokens": dict(enumerate(table["tokens"])), "states": states}
    return {**data, "parser": {**data["parser"], "parser": table}}, dict(enumerate(memo))


def main() -> None:
    """Write the tables of every kind of file."""
    from symsim.language.parser import Separators

    entries = {kind: packed(kind, compiled(kind, Separators)) for kind in STARTS}
    content = json.dumps(entries, separators=(",", ":")).encode()
    (resources.root() / "grammar" / FILE).write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main()
