"""Blocks of the language unfolded, statement by statement, into the operators of a unit.

What a family does with units and layers stands in :mod:`symsim.compiler.expand`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import sympy

from symsim.compiler.legality_rules import in_sizes, rule_of
from symsim.compiler.operators import OperatorCall
from symsim.compiler.scope import BlockScope, Surroundings
from symsim.compiler.trained import Trained
from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.expressions import Value, evaluate, truth
from symsim.language.library import Library
from symsim.records.cost import Rule
from symsim.records.graph import Operator, Region, Tensor, Unit
from symsim.symbols import symbol

MAX_OPERATORS = 400
"""Most operators of a model, each kind of layer counted once; a transformer layer has about twenty."""
MAX_CALLS = 40
"""Deepest chain of blocks calling blocks."""
MAX_STATEMENTS = 20_000
"""Most statements that are carried out while a model is unfolded."""
MAX_UNROLLED = 64

_TRACED = "reached by"

ADAPTER = "lora_"
"""The library's block ``lora_f`` is the adapter of operator ``f``."""


def another(tensor: Tensor, name: str) -> Tensor:
    """A tensor of the same shape."""
    return Tensor(name, tensor.shape, tensor.element, tensor.elements, tensor.bytes)


def _tensors(count: int) -> str:
    return f"{count} tensor{'s' * (count != 1)}"


def _wrong_tensors(name: str, wanted: list[str], given: int, place: Place) -> InputError:
    message = f"'{name}' takes {_tensors(len(wanted) or 1)}, not {given}"
    return error("E235", message, place, f"write {name}({', '.join(wanted or ['x'])}, …)")


@dataclass
class Frame:
    """One block being unfolded: its values, its named tensors, and the stream through it."""

    scope: BlockScope
    tensors: dict[str, Tensor]
    stream: Tensor
    path: tuple[str, ...]
    regions: tuple[Region, ...]
    body: tuple[tree.Body, Frame] | None = None
    added: bool = False


@dataclass
class UnitBuilder:
    name: str
    input: Tensor | None
    operators: list[Operator] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    in_layers: set[int] = field(default_factory=set)

    def unit(self, output: Tensor | None, constants: set[Tensor]) -> Unit:
        met = {t for o in self.operators for t in (*o.inputs, *o.outputs)}
        return Unit(self.name, tuple(self.operators), self.input, output, frozenset(met & constants))

    def unique(self, name: str) -> str:
        count = self.names[name] = self.names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"


class BlockWalk:
    """Carries out the statements of blocks; what they call is added to the unit at hand."""

    def __init__(self, library: Library, surroundings: Surroundings, own: Source | None, chosen: Trained) -> None:
        self.library = library
        self.trained = chosen
        self.surroundings = surroundings
        self._own = own
        self._operators = 0
        self._statements = 0
        self.rules: dict[str, Rule] = {}
        self._unit = UnitBuilder("embedding", None)
        self._region_count = 0
        self._layers_of_head = 0
        self._in_layer_of_head = False
        self._depth = 0

    def _body(self, body: tree.Body, frame: Frame) -> Tensor:
        for statement in body.statements:
            self._statement(statement, frame)
        return frame.stream

    def _statement(self, statement: tree.Node, frame: Frame) -> None:
        self._statements += 1
        if self._statements > MAX_STATEMENTS:
            message = f"this model takes more than {MAX_STATEMENTS:,} statements"
            raise error("E236", message, statement.place, "do blocks call each other many times over?")
        match statement:
            case tree.Call():
                frame.stream = self._call(statement, frame)
            case tree.Bind(names=names, call=call, place=place):
                label = f"{call.callee}_{names[0]}" if names[0] in frame.tensors else names[0]
                results = self._results(call, frame, label if len(names) == 1 else None)
                if len(results) != len(names):
                    message = f"'{call.callee}' gives {_tensors(len(results))}, not {len(names)}"
                    raise error("E230", message, place, f"name {_tensors(len(results))} before the '='")
                frame.tensors |= dict(zip(names, results, strict=True))
                frame.stream = results[0]
            case tree.Let(name=name, value=value):
                frame.scope.values[name] = evaluate(value, frame.scope)
            case tree.If(condition=condition, then=then, other=other):
                chosen = truth(evaluate(condition, frame.scope), condition.place, frame.scope)
                for inner in then if chosen else other:
                    self._statement(inner, frame)
            case tree.Repeat(unrolled=True, count=count, body=body):
                times = frame.scope.settle(evaluate(count, frame.scope), count.place)
                if not isinstance(times, int) or not 0 <= times <= MAX_UNROLLED:
                    hint = "repeat, in a family, makes many layers"
                    raise error("E228", f"unroll takes a whole number from 0 to {MAX_UNROLLED}", count.place, hint)
                frame.scope.decided("==", evaluate(count, frame.scope), times, True)
                for _ in range(times):
                    self._body(body, frame)
            case tree.Region(name=name, discard=discard, body=body):
                outside, frame.regions = frame.regions, (*frame.regions, self._region(name, discard))
                self._body(body, frame)
                frame.regions = outside
            case tree.Require():
                self._require(statement, frame.scope)
            case tree.Repeat(place=place):
                raise error("E231", "repeat is allowed only in a family", place, "inside a block write unroll")
            case _:
                raise AssertionError(statement)

    def _require(self, statement: tree.Require, scope: BlockScope) -> None:
        rule = rule_of(statement, scope, self._sizes())
        if rule is not None:
            self._rule(rule)

    def _sizes(self) -> dict[sympy.Expr, sympy.Expr]:
        """Defined names and what they are in sizes."""
        return {symbol(name): expression for name, (expression, _) in self.surroundings.defined.items()}

    def _rule(self, rule: Rule) -> None:
        rule = in_sizes(rule, self._sizes())
        self.rules.setdefault(f"{rule.message}: {rule.amount}", rule)

    def _region(self, name: str, discard: bool) -> Region:
        self._region_count += 1
        return Region(self._region_count, name, discard)

    def _call(self, call: tree.Call, frame: Frame) -> Tensor:
        return self._results(call, frame, None)[0]

    def _results(self, call: tree.Call, frame: Frame, label: str | None) -> tuple[Tensor, ...]:
        self._depth += 1
        if self._depth > MAX_CALLS:
            raise error(
                "E232",
                f"blocks call each other more than {MAX_CALLS} deep",
                call.place,
                f"does '{call.callee}' call itself?",
            )
        try:
            if call.callee == "body" and frame.body is not None:
                return (self._given_body(call, frame),)
            if call.callee in self.library.operators:
                return self._operator(call, frame, label)
            if call.callee in self.library.blocks:
                return (self._block(call, frame, label),)
        except InputError as problem:
            raise InputError(self._traced(d, call) for d in problem.diagnostics) from None
        finally:
            self._depth -= 1
        hint = nearest(call.callee, [*self.library.blocks, *self.library.operators])
        hint = hint or "'symsim list library' shows blocks and operators"
        if call.callee == "body":
            hint = "body is allowed only in a block declared 'with body'"
        raise error("E233", f"no block or operator is called '{call.callee}'", call.place, hint)

    def _traced(self, problem: Diagnostic, call: tree.Call) -> Diagnostic:
        """An error in the library, with the line of the user's own file that led there."""
        mine = self._own is not None and call.place.source == self._own
        if not mine or problem.place is None or problem.place.source == self._own or _TRACED in (problem.hint or ""):
            return problem
        hint = problem.hint
        if problem.code == "E203":
            hint = "the library uses it: give the family a dimension of this name"
        trace = f"{_TRACED} '{call.callee}' at {call.place}"
        return replace(problem, hint=f"{hint}; {trace}" if hint else trace)

    def _given_body(self, call: tree.Call, frame: Frame) -> Tensor:
        assert frame.body is not None
        body, outer = frame.body
        tensors, _ = self._arguments(call, (), frame)
        stream = tensors[0] if tensors else frame.stream
        tensors_inside = {**outer.tensors, "x": stream}
        inner = Frame(outer.scope, tensors_inside, stream, outer.path, frame.regions, outer.body, outer.added)
        return self._body(body, inner)

    def _block(self, call: tree.Call, frame: Frame, label: str | None) -> Tensor:
        item = self.library.blocks[call.callee]
        tensors, values = self._arguments(call, item.parameters, frame)
        if (call.body is not None) is not item.takes_body:
            asked = "needs a body" if item.takes_body else "takes no body"
            hint = f"write {item.name} {{ … }}" if item.takes_body else "a block that takes one is declared 'with body'"
            raise error("E234", f"'{item.name}' {asked}", call.place, hint)
        if item.is_layer and self._unit.name == "head" and not self._in_layer_of_head:
            return self._layer_of_head(call, frame, label)
        stream = tensors[0] if tensors else frame.stream
        path = frame.path if item.takes_body or item.is_layer else (*frame.path, label or item.name)
        regions = frame.regions if item.region is None else (*frame.regions, self._region(item.region, item.discard))
        wanted = [p.name for p in item.parameters if p.bracketed]
        if (wanted and len(tensors) != len(wanted)) or len(tensors) > max(1, len(wanted)):
            raise _wrong_tensors(item.name, wanted, len(tensors), call.place)
        scope = BlockScope(self.surroundings, values)
        body = (call.body, frame) if call.body is not None else None
        inside = {"x": stream, **dict(zip(wanted, tensors, strict=False))}
        return self._body(item.body, Frame(scope, inside, stream, path, regions, body, frame.added))

    def _layer_of_head(self, call: tree.Call, frame: Frame, label: str | None) -> Tensor:
        """A layer after all others, of multi-token prediction; layers inside of it are parts of it."""
        first = len(self._unit.operators)
        self._layers_of_head += 1
        self._in_layer_of_head = True
        result = self._block(call, frame, label)
        self._in_layer_of_head = False
        self._unit.in_layers.update(range(first, len(self._unit.operators)))
        return result

    def _operator(self, call: tree.Call, frame: Frame, label: str | None) -> tuple[Tensor, ...]:
        item = self.library.operators[call.callee]
        if call.body is not None:
            raise error("E234", f"'{item.name}' takes no body", call.place, "it is an operator")
        tensors, values = self._arguments(call, item.parameters, frame)
        if not tensors and len(item.inputs) == 1:
            tensors = (frame.stream,)
        if len(tensors) != len(item.inputs):
            raise _wrong_tensors(item.name, [t.name for t in item.inputs], len(tensors), call.place)
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            message = f"more than {MAX_OPERATORS} operators"
            raise error("E236", message, call.place, "repeat layers instead of writing them out")
        path = (self._unit.name, ".".join((*frame.path, label or item.name)))
        name = self._unit.unique(path[-1])

        def is_trained(weight: str, traits: frozenset[str]) -> bool:
            if frame.added:
                return True
            of_table = "embedding" in traits and self._unit.name == "embedding"
            named = self.trained.weight((*path, weight), frame.regions, "tied" in traits, of_table)
            return named and "frozen" not in traits

        made = OperatorCall(item, self.surroundings, values, name, is_trained, frame.added)
        node = made.node(tensors, frame.regions, call.place)
        for require, scope in made.requires:
            self._require(require, scope)
        if node.has_backward and self._dropped(frame.regions):
            self.surroundings.discarded.update(t for t in node.outputs if t not in node.inputs)
        self._unit.operators.append(node)
        adapter = self.library.blocks.get(ADAPTER + item.name)
        if adapter is not None and not frame.added and self.trained.has_adapter(path, frame.regions):
            return (self._adapter(adapter, call, tensors, node, values, frame, (*frame.path, label or item.name)),)
        return node.outputs

    def _adapter(
        self,
        adapter: tree.BlockItem,
        call: tree.Call,
        inputs: tuple[Tensor, ...],
        node: Operator,
        values: dict[str, Value],
        frame: Frame,
        path: tuple[str, ...],
    ) -> Tensor:
        """The low-rank adapter of a linear layer: a block of its input, its output, and the values of its call."""
        names = [p.name for p in adapter.parameters if p.bracketed]
        wanted = {p.name for p in adapter.parameters if not p.bracketed}
        if len(names) != 2 or not wanted <= values.keys():
            hint = f"write block {adapter.name}(x[], y[], …), with parameters of the operator alone"
            raise error("E235", f"'{adapter.name}' is called with input and output", adapter.place, hint)
        given = {n: v for n, v in values.items() if n in wanted}
        inside = {"x": inputs[0], **dict(zip(names, (inputs[0], node.outputs[0]), strict=True))}
        scope = BlockScope(self.surroundings, given)
        return self._body(adapter.body, Frame(scope, inside, inputs[0], path, frame.regions, added=True))

    def _dropped(self, regions: tuple[Region, ...]) -> bool:
        """Whether recomputation drops what leaves the operators of these regions."""
        chosen = self.surroundings.values["recompute"]
        named = (r for r in regions if isinstance(chosen, frozenset) and r.name in chosen)
        outermost = next(named, None)
        return outermost is not None and outermost.discard

    def _arguments(
        self, call: tree.Call, parameters: tuple[tree.Parameter, ...], frame: Frame
    ) -> tuple[tuple[Tensor, ...], dict[str, Value]]:
        """Tensors first, then values by position or name; defaults may use earlier parameters."""
        tensors: list[Tensor] = []
        values: dict[str, Value] = {}
        parameters = tuple(p for p in parameters if not p.bracketed)
        names = [p.name for p in parameters]
        position = 0
        for argument in call.arguments:
            node = argument.value
            if isinstance(node, tree.Name) and node.name in frame.tensors and argument.keyword is None:
                tensors.append(frame.tensors[node.name])
                continue
            keyword = argument.keyword
            if keyword is None:
                if position >= len(names):
                    takes = f"it takes {', '.join(names)}" if names else "it takes no values"
                    misspelt = nearest(node.name, frame.tensors) if isinstance(node, tree.Name) else None
                    if misspelt is not None and misspelt.startswith("did you mean"):
                        takes += f"; for a tensor: {misspelt}"
                    raise error("E237", f"'{call.callee}' takes no further argument here", argument.place, takes)
                keyword, position = names[position], position + 1
            if keyword not in names:
                message = f"'{call.callee}' has no parameter '{keyword}'"
                raise error("E238", message, argument.place, nearest(keyword, names) or "it takes no values")
            if keyword in values:
                hint = "once by its place, once by its name"
                raise error("E201", f"'{keyword}' is given twice", argument.place, hint)
            values[keyword] = evaluate(node, frame.scope)
        for parameter in parameters:
            if parameter.name in values:
                continue
            if parameter.default is None:
                hint = f"write {call.callee}({parameter.name} = …)"
                raise error("E239", f"'{call.callee}' needs '{parameter.name}'", call.place, hint)
            scope = BlockScope(self.surroundings, values)
            values[parameter.name] = evaluate(parameter.default, scope)
        return tuple(tensors), values
