"""Lark's raw parse, made into the nodes of :mod:`symsim.language.tree`: one method a rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lark import Token, Tree

from symsim.diagnostics import Place, Source, error
from symsim.language import tree
from symsim.language.parser import read_number, read_quantity

MAX_TREE_DEPTH = 200
"""Deepest tree that is built; bounds the recursion of every later walk over it."""

MAX_REPEATED = 1024
"""Most times that a value repeats in a list."""

_COMPUTE_TRAITS = ("recomputing", "causal", "unmasked")
_PUNCTUATION = frozenset({"EQUAL", "COMMA", "LPAR", "RPAR", "LBRACE", "RBRACE", "LSQB", "RSQB", "RANGE", "IF", "ARROW"})


class Builder:
    """Builds the nodes of one source. ``build`` is the only entry.

    ``before``: lines of the source before what was parsed.
    """

    def __init__(self, source: Source, before: int = 0) -> None:
        self._source = source
        self._before = before
        self._depth = 0

    def build(self, raw: Tree[Token]) -> Any:
        self._depth += 1
        if self._depth > MAX_TREE_DEPTH:
            hint = f"at most {MAX_TREE_DEPTH} operators follow each other; put parts into parentheses"
            raise error("E104", "this expression is too long or too deep", self._place(raw), hint)
        children = [c for c in raw.children if not (isinstance(c, Token) and c.type in _PUNCTUATION)]
        node = getattr(self, f"_{raw.data.rstrip('_')}")(raw, children)
        self._depth -= 1
        return node

    def _place(self, raw: Tree[Token] | Token) -> Place:
        at = raw if isinstance(raw, Token) else raw.meta
        line, column = getattr(at, "line", None) or 1, getattr(at, "column", None) or 1
        end = getattr(at, "end_column", None) or column + 1
        width = end - column if (getattr(at, "end_line", line) or line) == line else 1
        return Place(self._source, self._before + line, column, max(1, width))

    def _all(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(self.build(c) for c in children if isinstance(c, Tree))

    # expressions

    def _number(self, raw: Any, children: list[Any]) -> tree.Number:
        place = self._place(raw)
        return tree.Number(read_number(children[0], place), place)

    def _quantity(self, raw: Any, children: list[Any]) -> tree.Number:
        value, unit = read_quantity(children[0], children[1], self._place(children[1]))
        return tree.Number(value, self._place(raw), unit)

    def _range(self, raw: Any, children: list[Any]) -> tree.Range:
        place = self._place(raw)
        first, last = (read_number(c, place) for c in children)
        if not isinstance(first, int) or not isinstance(last, int):
            raise error("E109", "a range runs from one whole number to another", place, "for example 1..8")
        if last < first:
            raise error("E109", "this range runs downwards and holds nothing", place, f"write {last}..{first}")
        return tree.Range(first, last, place)

    def _text(self, raw: Any, children: list[Any]) -> tree.Text:
        return tree.Text(_unquote(children[0]), self._place(raw))

    def _version(self, raw: Any, children: list[Any]) -> tree.Text:
        return tree.Text(str(children[0]), self._place(raw))

    def _name(self, raw: Any, children: list[Any]) -> tree.Name:
        return tree.Name(str(children[0]), self._place(raw))

    def _apply(self, raw: Any, children: list[Any]) -> tree.Apply:
        return tree.Apply(str(children[0]), self._all(children[1:]), self._place(raw))

    def _set(self, raw: Any, children: list[Any]) -> tree.SetOf:
        return tree.SetOf(self._all(children), self._place(raw))

    def _list(self, raw: Any, children: list[Any]) -> tree.ListOf:
        place = self._place(raw)
        items = [i if isinstance(i, tree.Repeated) else tree.Repeated(1, i, i.place) for i in self._all(children)]
        return tree.ListOf(tuple(items), place)

    def _repeated(self, raw: Any, children: list[Any]) -> tree.Repeated:
        place = self._place(raw)
        times = read_number(children[0], place)
        if not isinstance(times, int) or not 1 <= times <= MAX_REPEATED:
            hint = "for example [repeat 5 sliding, full]"
            raise error("E109", f"a value of a list repeats 1 to {MAX_REPEATED:,} times", place, hint)
        return tree.Repeated(times, self.build(children[1]), place)

    def _group(self, raw: Any, children: list[Any]) -> tree.Expression:
        return self.build(children[0])  # type: ignore[no-any-return]

    def _unary(self, raw: Any, children: list[Any]) -> tree.Unary:
        return tree.Unary(str(children[0]), self.build(children[1]), self._place(raw))

    def _binary(self, raw: Any, children: list[Any]) -> tree.Binary:
        left, operator, right = children
        symbol = "**" if operator == "^" else str(operator)
        return tree.Binary(symbol, self.build(left), self.build(right), self._place(raw))

    def _choose(self, raw: Any, children: list[Any]) -> tree.Choose:
        then, condition, other = self._all(children)
        return tree.Choose(then, condition, other, self._place(raw))

    # model files

    def _start(self, raw: Any, children: list[Any]) -> Any:
        parts = self._all(children)
        header = parts[0] if parts and isinstance(parts[0], tree.Header) else None
        if header is not None and all(isinstance(p, tree.SystemEntry) for p in parts[1:]) and len(parts) > 1:
            return tree.SystemFile(header, parts[1:])
        if header is not None or any(isinstance(p, tree.Assign | tree.Require | tree.Objective) for p in parts):
            return tree.StrategyFile(header, parts[1:] if header else parts)
        return parts

    def _model(self, raw: Any, children: list[Any]) -> tree.ModelItem:
        title = _unquote(children[1]) if isinstance(children[1], Token) else None
        return tree.ModelItem(str(children[0]), title, self.build(children[-1]), self._place(children[0]))

    def _note(self, raw: Any, children: list[Any]) -> tree.NoteItem:
        return tree.NoteItem(_unquote(children[0]), self._place(raw))

    def _family(self, raw: Any, children: list[Any]) -> tree.FamilyItem:
        title = next((_unquote(c) for c in children if isinstance(c, Token) and c.type == "STRING"), None)
        *parameters, body = self._all(children)
        _once(parameters)
        return tree.FamilyItem(str(children[0]), tuple(parameters), title, body, self._place(children[0]))

    def _layer(self, raw: Any, children: list[Any]) -> tree.BlockItem:
        return self._block(raw, children, is_layer=True)

    def _block(self, raw: Any, children: list[Any], is_layer: bool = False) -> tree.BlockItem:
        words = [c for c in children if isinstance(c, Token)]
        names = [str(w) for w in words if w.type == "NAME"]
        kinds = {w.type for w in words}
        *parameters, body = self._all(children)
        region = names[1] if len(names) > 1 else None
        _once(parameters)
        return tree.BlockItem(
            names[0],
            tuple(parameters),
            "WITH_BODY" in kinds,
            region,
            "DISCARD" in kinds,
            is_layer,
            body,
            self._place(children[0]),
        )

    def _define(self, raw: Any, children: list[Any]) -> tree.DefineItem:
        return tree.DefineItem(
            str(children[0]), self.build(children[1]), _unquote(children[2]), self._place(children[0])
        )

    def _words(self, raw: Any, children: list[Any]) -> tree.WordsItem:
        name, *words = (str(c) for c in children)
        return tree.WordsItem(name, tuple(words), self._place(children[0]))

    def _parameter(self, raw: Any, children: list[Any]) -> tree.Parameter:
        default = self.build(children[1]) if len(children) > 1 else None
        return tree.Parameter(str(children[0]), default, False, self._place(raw))

    def _bracket_parameter(self, raw: Any, children: list[Any]) -> tree.Parameter:
        default = self.build(children[1]) if len(children) > 1 else None
        return tree.Parameter(str(children[0]), default, True, self._place(raw))

    def _body(self, raw: Any, children: list[Any]) -> tree.Body:
        return tree.Body(self._all(children), self._place(raw))

    def _bind(self, raw: Any, children: list[Any]) -> tree.Bind:
        return tree.Bind(tuple(str(c) for c in children[:-1]), self.build(children[-1]), self._place(raw))

    def _invoke(self, raw: Any, children: list[Any]) -> tree.Call:
        return self.build(children[0])  # type: ignore[no-any-return]

    def _call(self, raw: Any, children: list[Any]) -> tree.Call:
        parts = self._all(children)
        body = parts[-1] if parts and isinstance(parts[-1], tree.Body) else None
        arguments = parts[:-1] if body is not None else parts
        _once(a for a in arguments if a.keyword is not None)
        return tree.Call(str(children[0]), arguments, body, self._place(children[0]))

    def _argument(self, raw: Any, children: list[Any]) -> tree.Argument:
        keyword = str(children[0]) if isinstance(children[0], Token) else None
        return tree.Argument(keyword, self.build(children[-1]), self._place(raw))

    def _repeat(self, raw: Any, children: list[Any], unrolled: bool = False) -> tree.Repeat:
        return tree.Repeat(self.build(children[0]), self.build(children[1]), unrolled, self._place(raw))

    def _unroll(self, raw: Any, children: list[Any]) -> tree.Repeat:
        return self._repeat(raw, children, unrolled=True)

    def _region(self, raw: Any, children: list[Any]) -> tree.Region:
        discard = any(isinstance(c, Token) and c.type == "DISCARD" for c in children)
        return tree.Region(str(children[0]), discard, self.build(children[-1]), self._place(raw))

    def _if(self, raw: Any, children: list[Any]) -> tree.If:
        condition, then, *other = (self.build(c) for c in children)
        return tree.If(condition, _statements(then), _statements(other[0]) if other else (), self._place(raw))

    _operator_if = _phase_if = _optimizer_if = _if

    def _let(self, raw: Any, children: list[Any]) -> tree.Let:
        return tree.Let(str(children[0]), self.build(children[1]), self._place(raw))

    def _require(self, raw: Any, children: list[Any]) -> tree.Require:
        message = _unquote(children[1]) if len(children) > 1 else None
        return tree.Require(self.build(children[0]), message, self._place(raw))

    # rules for configuration files

    def _config(self, raw: Any, children: list[Any]) -> tree.ConfigItem:
        *names, family = (str(c) if c.type == "NAME" else _unquote(c) for c in children if isinstance(c, Token))
        parts = self._all(children)
        arguments = tuple(p for p in parts if isinstance(p, tree.Argument))
        _once(arguments)
        rules = next((p for p in parts if isinstance(p, tuple)), ())
        when = next((p for p in parts if not isinstance(p, tree.Argument | tuple)), None)
        like = names[1] if len(names) > 1 else None
        return tree.ConfigItem(names[0], like, when, family, arguments, rules, self._place(children[0]))

    def _when(self, raw: Any, children: list[Any]) -> tree.Expression:
        return self.build(children[0])  # type: ignore[no-any-return]

    def _config_argument(self, raw: Any, children: list[Any]) -> tree.Argument:
        return tree.Argument(str(children[0]), self.build(children[1]), self._place(raw))

    def _config_body(self, raw: Any, children: list[Any]) -> tuple[Any, ...]:
        return self._all(children)

    def _remark(self, raw: Any, children: list[Any]) -> tree.Remark:
        return tree.Remark(self.build(children[0]), _unquote(children[1]), self._place(raw))

    def _refuse(self, raw: Any, children: list[Any]) -> tree.Refuse:
        return tree.Refuse(self.build(children[0]), _unquote(children[1]), self._place(raw))

    def _inert(self, raw: Any, children: list[Any]) -> tree.Inert:
        return tree.Inert(tuple(map(str, children)), self._place(raw))

    def _word_map(self, raw: Any, children: list[Any]) -> tree.WordMap:
        entries = dict(self._all(children))
        return tree.WordMap(str(children[0]), entries, self._place(children[0]))

    def _map_entry(self, raw: Any, children: list[Any]) -> tuple[str, str]:
        given, word = children
        return (str(given) if given.type == "NAME" else _unquote(given)), str(word)

    # operators

    def _operator(self, raw: Any, children: list[Any]) -> tree.OperatorItem:
        *given, outputs, items = (self.build(c) for c in children[1:])
        inputs = tuple(g for g in given if isinstance(g, tree.TensorShape))
        parameters = tuple(g for g in given if isinstance(g, tree.Parameter))
        _once(given)
        return tree.OperatorItem(str(children[0]), inputs, parameters, outputs, items, self._place(children[0]))

    def _many(self, raw: Any, children: list[Any]) -> tuple[Any, ...]:
        return self._all(children)

    _outputs = _operator_body = _phase_body = _optimizer_body = _many

    def _output(self, raw: Any, children: list[Any]) -> tree.Output:
        view = str(children[1]) if len(children) > 1 else None
        return tree.Output(self.build(children[0]), view, self._place(raw))

    def _tensor(self, raw: Any, children: list[Any]) -> tree.TensorShape:
        element = str(children[-1]) if isinstance(children[-1], Token) and len(children) > 1 else None
        return tree.TensorShape(str(children[0]), self._all(children[1:]), element, self._place(raw))

    def _weight(self, raw: Any, children: list[Any]) -> tree.Weight:
        tensor, *traits = (self.build(c) for c in children)
        active = next((t for t in traits if not isinstance(t, str)), None)
        return tree.Weight(tensor, frozenset(t for t in traits if isinstance(t, str)), active, self._place(raw))

    def _weight_trait(self, raw: Any, children: list[Any]) -> str:
        return str(children[0])

    def _inner(self, raw: Any, children: list[Any]) -> Any:
        return self.build(children[0])

    _active = _inner

    def _local(self, raw: Any, children: list[Any]) -> tree.Local:
        return tree.Local(self.build(children[0]), self._place(raw))

    def _buffer(self, raw: Any, children: list[Any]) -> tree.Buffer:
        return tree.Buffer(self.build(children[0]), self._place(raw))

    def _passes(self, raw: Any, children: list[Any]) -> tree.Passes:
        output, *inputs = (str(c) for c in children)
        return tree.Passes(output, tuple(inputs), self._place(raw))

    def _holds(self, raw: Any, children: list[Any]) -> tree.Holds:
        return tree.Holds(tuple(str(c) for c in children), self._place(raw))

    def _apart(self, raw: Any, children: list[Any]) -> tree.Apart:
        return tree.Apart(self._all(children), self._place(raw))

    def _exchange(self, raw: Any, children: list[Any]) -> tree.Exchange:
        result, kind, operand, axis = children
        return tree.Exchange(str(result), str(kind), str(operand), str(axis), self._place(kind))

    def _saves(self, raw: Any, children: list[Any]) -> tree.Saves:
        return tree.Saves(self._all(children), self._place(raw))

    def _phase(self, raw: Any, children: list[Any]) -> tree.Phase:
        return tree.Phase(str(children[0]), self.build(children[1]), self._place(raw))

    def _matmul(self, raw: Any, children: list[Any]) -> tree.Compute:
        """``matmul(m, k, n)``: 2·m·k·n FLOPs, rated by its three sizes."""
        place = self._place(raw)
        m, k, n = self._all(children)
        flops: tree.Expression = tree.Number(2, place)
        for size in (m, k, n):
            flops = tree.Binary("*", flops, size, place)
        return tree.Compute(flops, "matmul", (m, k, n), None, None, None, place)

    def _compute(self, raw: Any, children: list[Any]) -> tree.Compute:
        traits = {c.data: self.build(c) for c in children if isinstance(c, Tree) and c.data in _COMPUTE_TRAITS}
        flops, *shape = (self.build(c) for c in children if isinstance(c, Tree) and c.data not in _COMPUTE_TRAITS)
        rate = next(str(c) for c in children if isinstance(c, Token))
        recomputing, causal, unmasked = (traits.get(t) for t in _COMPUTE_TRAITS)
        return tree.Compute(flops, rate, tuple(shape), recomputing, causal, unmasked, self._place(raw))

    _recomputing = _causal = _unmasked = _inner

    def _traffic(self, raw: Any, children: list[Any]) -> tree.Traffic:
        rate = str(children[1]) if len(children) > 1 else "hbm"
        return tree.Traffic(self.build(children[0]), rate, self._place(raw))

    def _counted(self, raw: Any, children: list[Any]) -> tree.Counted:
        return tree.Counted(self.build(children[0]), self._place(raw))

    def _workspace(self, raw: Any, children: list[Any]) -> tree.Workspace:
        return tree.Workspace(self.build(children[0]), self._place(raw))

    def _message(self, raw: Any, children: list[Any]) -> tree.Message:
        copies = self.build(children[3]) if len(children) > 3 else None
        return tree.Message(str(children[0]), self.build(children[1]), str(children[2]), copies, self._place(raw))

    def _optimizer(self, raw: Any, children: list[Any]) -> tree.OptimizerItem:
        title = next((_unquote(c) for c in children if isinstance(c, Token) and c.type == "STRING"), None)
        return tree.OptimizerItem(str(children[0]), title, self.build(children[-1]), self._place(children[0]))

    def _state(self, raw: Any, children: list[Any]) -> tree.State:
        count = next((self.build(c) for c in children[1:-1]), None)
        return tree.State(str(children[0]), str(children[-1]), count, self._place(raw))

    def _step(self, raw: Any, children: list[Any]) -> tree.Traffic:
        return tree.Traffic(self.build(children[0]), "hbm", self._place(raw))

    def _profile(self, raw: Any, children: list[Any]) -> tree.ProfileItem:
        title = next((_unquote(c) for c in children if isinstance(c, Token) and c.type == "STRING"), None)
        return tree.ProfileItem(str(children[0]), title, self._all(children), self._place(children[0]))

    def _defaults(self, raw: Any, children: list[Any]) -> tree.DefaultsItem:
        return tree.DefaultsItem(str(children[0]), self._all(children), self._place(children[0]))

    def _fact(self, raw: Any, children: list[Any]) -> tree.Fact:
        return tree.Fact(str(children[0]), self.build(children[1]), *self._origin(children))

    def _efficiency(self, raw: Any, children: list[Any]) -> tree.EfficiencyItem:
        name, *sizes = (c for c in children if isinstance(c, Token))
        *lets, value = self.build(children[-1])
        taken = [tree.Parameter(str(s), None, False, self._place(s)) for s in sizes]
        _once([*taken, *(tree.Parameter(let.name, None, False, let.place) for let in lets)])
        return tree.EfficiencyItem(str(name), tuple(map(str, sizes)), tuple(lets), value, self._place(name))

    _efficiency_body = _many

    def _reaches(self, raw: Any, children: list[Any]) -> tree.Expression:
        return self.build(children[0])  # type: ignore[no-any-return]

    # strategies and systems

    def _header(self, raw: Any, children: list[Any]) -> tree.Header:
        title = _unquote(children[1]) if len(children) > 1 else None
        return tree.Header(str(children[0]), title, self._place(children[0]))

    def _assign(self, raw: Any, children: list[Any]) -> tree.Assign:
        return tree.Assign(str(children[0]), self.build(children[1]), False, self._place(children[0]))

    def _among(self, raw: Any, children: list[Any]) -> tree.Assign:
        return tree.Assign(str(children[0]), self.build(children[-1]), True, self._place(children[0]))

    def _objective(self, raw: Any, children: list[Any]) -> tree.Objective:
        return tree.Objective(str(children[0]), self.build(children[1]), self._place(raw))

    def _figure(self, raw: Any, children: list[Any]) -> tree.FigureEntry:
        return tree.FigureEntry(str(children[0]), self.build(children[1]), *self._origin(children))

    def _calibrated(self, raw: Any, children: list[Any]) -> tree.Calibrated:
        return tree.Calibrated(_unquote(children[0]), self.build(children[1]), self._place(raw))

    def _origin(self, children: list[Any]) -> tuple[str | None, Place, tree.Calibrated | None]:
        """Behind the value of a figure or a fact: its source, its place, and what it was before a fit."""
        text = next((_unquote(c) for c in children[2:] if isinstance(c, Token)), None)
        fitted = next((self.build(c) for c in children[2:] if isinstance(c, Tree)), None)
        return text, self._place(children[0]), fitted

    # ``group`` in a system file is a named group; in an expression it is a parenthesis.
    def _named_group(self, raw: Any, children: list[Any]) -> tree.Group:
        return tree.Group(str(children[0]), self._all(children), self._place(children[0]))

    def _source_entry(self, raw: Any, children: list[Any]) -> tree.SourceEntry:
        return tree.SourceEntry(_unquote(children[0]), self._place(raw))


def _once(named: Iterable[tree.Parameter | tree.Argument | tree.TensorShape]) -> None:
    """Refuse a name that is given twice in one list."""
    first: dict[str, Place] = {}
    for node in named:
        name = (node.keyword or "") if isinstance(node, tree.Argument) else node.name
        if name in first:
            place = replace(node.place, width=len(name))
            raise error("E201", f"'{name}' is given twice", place, f"first given at {first[name]}")
        first[name] = node.place


def _statements(node: Any) -> tuple[tree.Node, ...]:
    if isinstance(node, tree.Body):
        return node.statements
    return node if isinstance(node, tuple) else (node,)


def _unquote(token: Any) -> str:
    return str(token)[1:-1]
