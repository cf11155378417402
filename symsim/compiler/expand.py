"""Pass 1, model → graph: the family's text unfolded into operators, once per kind of layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy

from symsim.compiler.after_layers import cut
from symsim.compiler.block_environment import surroundings_of
from symsim.compiler.layer_patterns import stretches
from symsim.compiler.legality_rules import in_sizes, make_rule, rule_of, size
from symsim.compiler.operators import OperatorCall
from symsim.compiler.scope import BlockScope, Surroundings
from symsim.compiler.trained import Trained, trained
from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.functions import remainder
from symsim.language import tree
from symsim.language.dimensions import MAX_LISTED
from symsim.language.expressions import Value, describe, evaluate, number, truth
from symsim.language.library import Library
from symsim.records.cost import Rule
from symsim.records.graph import Graph, Operator, Region, Slot, Tensor, Unit
from symsim.records.model import Model
from symsim.records.strategy import Structure
from symsim.symbols import symbol

MAX_OPERATORS = 400
"""Most operators of a model, each kind of layer counted once; a transformer layer has about twenty."""
MAX_CALLS = 40
"""Deepest chain of blocks calling blocks."""
MAX_STATEMENTS = 20_000
"""Most statements that are carried out while a model is unfolded."""
MAX_PATTERN = 128
"""Longest pattern of layers that may repeat."""
MAX_LAYERS = 10**12
MAX_UNROLLED = 64


@dataclass(frozen=True, slots=True)
class Definitions:
    """Named sub-expressions that the library defines, in the order in which they were met.

    ``following`` are the dimensions that follow from kept ones.
    """

    entries: Mapping[str, tuple[sympy.Expr, str]]
    following: Mapping[str, sympy.Expr] = field(default_factory=dict)


def expand(
    model: Model,
    library: Library,
    structure: Structure,
    kept: frozenset[str] = frozenset(),
    assumed: dict[sympy.Expr, bool] | None = None,
) -> tuple[Graph, Definitions, tuple[Rule, ...]]:
    """Unfold a model under structural choices.

    Dimensions in ``kept`` stay symbols; every other dimension is its number. ``assumed`` takes what their
    numbers decided, in order: conditions, each with whether it held. Where all are decided likewise, the
    same is unfolded, or the same error raised.

    Raises:
        InputError: the library or the model's own blocks do not fit together.
    """
    surroundings = surroundings_of(model, library, structure, kept, assumed)
    walk = _Walk(library, surroundings, model.own, trained(structure))
    if model.family not in library.families:
        raise error("E213", f"no family is called '{model.family}'", None, nearest(model.family, library.families))
    graph = walk.family(library.families[model.family])
    walk.trained.check()
    entries = {name: surroundings.defined[name] for name in surroundings.defined}
    formulas = {n: _formula(surroundings.values[n]) for n in model.dimensions if n not in kept}
    following = {n: formula for n, formula in formulas.items() if formula is not None}
    return graph, Definitions(entries, following), tuple(walk.rules.values())


def _formula(value: Value) -> sympy.Expr | None:
    return value if isinstance(value, sympy.Expr) and not value.is_Number else None


_TRACED = "reached by"

OF_PRECISION = frozenset({"precision", "quantised", "operand_block"})
"""What blocks ask of the precision of GEMMs, which may differ between layers."""

ADAPTER = "lora_"
"""The library's block ``lora_f`` is the adapter of operator ``f``."""


def _another(tensor: Tensor, name: str) -> Tensor:
    """A tensor of the same shape."""
    return Tensor(name, tensor.shape, tensor.element, tensor.elements, tensor.bytes)


def _tensors(count: int) -> str:
    return f"{count} tensor{'s' * (count != 1)}"


def _wrong_tensors(name: str, wanted: list[str], given: int, place: Place) -> InputError:
    message = f"'{name}' takes {_tensors(len(wanted) or 1)}, not {given}"
    return error("E235", message, place, f"write {name}({', '.join(wanted or ['x'])}, …)")


@dataclass
class _Frame:
    """One block being unfolded: its values, its named tensors, and the stream through it."""

    scope: BlockScope
    tensors: dict[str, Tensor]
    stream: Tensor
    path: tuple[str, ...]
    regions: tuple[Region, ...]
    body: tuple[tree.Body, _Frame] | None = None
    added: bool = False


@dataclass
class _UnitBuilder:
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of layer that was unfolded; ``read``: what it used of the dimensions that differ between layers."""

    unit: Unit
    output: Tensor
    read: Mapping[str, Value]


class _Walk:
    def __init__(self, library: Library, surroundings: Surroundings, own: Source | None, chosen: Trained) -> None:
        self.library = library
        self.trained = chosen
        self.surroundings = surroundings
        self._own = own
        self._operators = 0
        self._statements = 0
        self.rules: dict[str, Rule] = {}
        self._unit = _UnitBuilder("embedding", None)
        self._slots: list[Slot] = []
        self._layers: sympy.Expr = sympy.Integer(0)
        self._kinds: dict[tuple[object, ...], list[_Kind]] = {}
        self._region_count = 0
        self._layers_of_head = 0
        self._in_layer_of_head = False
        self._depth = 0

    # the family

    def family(self, item: tree.FamilyItem) -> Graph:
        tokens = self.surroundings.values.get("T", symbol("mbs"))
        ids = Tensor("tokens", (tokens,), "int64", tokens, 8 * tokens)
        frame = _Frame(BlockScope(self.surroundings, {}), {"x": ids}, ids, (), ())
        prologue: Unit | None = None
        for statement in self._flat(item.body.statements, frame.scope):
            if isinstance(statement, tree.Repeat) and not statement.unrolled:
                if prologue is None:
                    prologue = self._unit.unit(frame.stream, self.surroundings.constants)
                    frame.stream = self._entering_layers(frame.stream)
                frame.stream = self._pipeline(statement, frame)
                frame.tensors["x"] = frame.stream
                self._unit = _UnitBuilder("head", frame.stream)
            else:
                if isinstance(statement, tree.Call) and self._is_layer(statement) and statement.body is None:
                    raise error(
                        "E226", "a layer outside of the repeated layers", statement.place, "write: repeat 1 { … }"
                    )
                self._statement(statement, frame)
        if prologue is None:
            raise error("E227", f"family '{item.name}' repeats no layers", item.place, "write: repeat layers { … }")
        self._check_ends_in_bf16()
        whole = self._unit.unit(None, self.surroundings.constants)
        after = cut(whole, frozenset(self._unit.in_layers))
        return Graph(prologue, tuple(self._slots), after, self._layers, self._regions(), self._layers_of_head)

    def _check_ends_in_bf16(self) -> None:
        """No more layers are kept in bf16 than a stage has. Source: Megatron-Core 0.16.1, transformer_config.py."""
        values = self.surroundings.values
        for name in ("num_layers_at_start_in_bf16", "num_layers_at_end_in_bf16"):
            if values["first_last_layers_bf16"]:
                wrong = f"{name} = {values[name]} is more than {{pp}} stages leave of {size(self._layers)} layers each"
                self._rule(make_rule(symbol("pp") * sympy.sympify(values[name]), "<=", self._layers, wrong))

    def _entering_layers(self, stream: Tensor) -> Tensor:
        """What enters the first layer. Where it needs no gradient, layers that are recomputed whole are given one all
        the same: a reentrant checkpoint runs backward only if an input of it does.

        Source: NVIDIA-NeMo/Megatron-Bridge, peft/recompute.py; Hugging Face transformers, enable_input_require_grads.
        """
        whole = self.surroundings.values["recompute"] == "full"
        return _another(stream, stream.name) if whole and stream in self.surroundings.constants else stream

    def _regions(self) -> frozenset[str]:
        """Regions that some layer of the model is in."""
        return frozenset(r.name for slot in self._slots for o in slot.unit.operators for r in o.regions)

    def _flat(self, statements: tuple[tree.Node, ...], scope: BlockScope) -> list[tree.Node]:
        """Statements with every ``if`` decided and ``let`` carried out where it stands."""
        out: list[tree.Node] = []
        for statement in statements:
            if isinstance(statement, tree.If):
                chosen = truth(evaluate(statement.condition, scope), statement.condition.place, scope)
                out += self._flat(statement.then if chosen else statement.other, scope)
            elif isinstance(statement, tree.Let):
                scope.values[statement.name] = evaluate(statement.value, scope)
            else:
                out.append(statement)
        return out

    def _is_layer(self, call: tree.Call) -> bool:
        item = self.library.blocks.get(call.callee)
        return item is not None and item.is_layer

    def _pipeline(self, repeat: tree.Repeat, frame: _Frame) -> Tensor:
        """``repeat n { … }``: the pattern of layers inside, n times."""
        if self._unit.name == "head" and self._unit.operators:
            raise error("E226", "layers after the head", repeat.place, "all layers come before the head")
        count = sympy.sympify(number(evaluate(repeat.count, frame.scope), repeat.count.place, frame.scope))
        times = frame.scope.settle(count, repeat.count.place)
        times = int(times) if isinstance(times, sympy.Integer) else times
        if not isinstance(times, int) or not 0 <= times <= MAX_LAYERS:
            message = f"layers repeat a whole number of times, not {describe(times)}"
            raise error("E228", message, repeat.count.place, "write: repeat layers { … }")
        if not count.is_integer:
            whole = remainder(count, sympy.Integer(1))
            self._rule(make_rule(whole, "==", sympy.Integer(0), f"{size(count)} layers are no whole number"))
        if not count.is_nonnegative:
            self._rule(make_rule(count, ">=", sympy.Integer(0), f"{size(count)} layers are fewer than none"))
        # No layers of a kind are no part of a model's formulas.
        frame.scope.decided("<", count, 1, times < 1)
        start = self._layers
        stream = frame.stream
        if self.surroundings.by_layer:
            return self._differing_layers(repeat, frame, count, times)
        pattern = self._pattern(repeat.body, frame, repeat.place)
        constant = stream in self.surroundings.constants
        units, stream = self._turn(pattern, frame, stream)
        if constant and stream not in self.surroundings.constants and times > 1:
            # The gradient ends inside of the first turn, whose layers are other kinds.
            frame.scope.decided("<", count, 2, False)
            self._place(units, start, sympy.Integer(1))
            units, stream = self._turn(pattern, frame, stream)
            self._place(units, start + len(pattern), count - 1)
        elif times != 0:
            self._place(units, start, count)
        self._layers = self._layers + count * len(pattern)
        return stream

    def _turn(self, pattern: list[tree.Call | tree.Body], frame: _Frame, stream: Tensor) -> tuple[list[Unit], Tensor]:
        """The layers of a pattern, once."""
        units: list[Unit] = []
        for call in pattern:
            unit, stream = self._layer(call, frame, stream)
            units.append(unit)
        return units, stream

    def _place(self, pattern: list[Unit], start: sympy.Expr, count: sympy.Expr) -> None:
        """A pattern of layers, ``count`` times from position ``start`` on."""
        self._slots += [Slot(unit, start, len(pattern), residue, count) for residue, unit in enumerate(pattern)]

    def _differing_layers(self, repeat: tree.Repeat, frame: _Frame, count: sympy.Expr, times: int) -> Tensor:
        """Layers with dimensions of their own, one after the other; what repeats becomes a pattern again."""
        if times > MAX_LISTED:
            message = f"{times:,} layers differ by their dimensions"
            raise error("E254", message, repeat.count.place, f"at most {MAX_LISTED:,} layers may differ")
        frame.scope.decided("==", count, times, True)
        first = position = int(self._layers)
        stream = frame.stream
        units: list[Unit] = []
        outside = dict(self.surroundings.values)
        for _ in range(times):
            self.surroundings.enter_layer(position)
            pattern = self._pattern(repeat.body, frame, repeat.place)
            if len(pattern) != 1 and not self.surroundings.by_layer.keys() <= OF_PRECISION:
                message = "dimensions that differ between layers need one layer at a time"
                raise error("E229", message, repeat.place, "write: repeat layers { one_layer }")
            for layer in pattern:
                self.surroundings.enter_layer(position)
                unit, stream = self._layer(layer, frame, stream)
                units.append(unit)
                position += 1
        self.surroundings.values |= {n: outside[n] for n in OF_PRECISION & self.surroundings.by_layer.keys()}
        for stretch in stretches(units):
            start, turns = sympy.Integer(first + stretch.start), sympy.Integer(stretch.turns)
            for residue in range(stretch.period):
                self._slots.append(Slot(units[stretch.start + residue], start, stretch.period, residue, turns))
        self._layers = self._layers + len(units)
        return stream

    def _pattern(self, body: tree.Body, frame: _Frame, place: Place) -> list[tree.Call | tree.Body]:
        """The layers of one turn: calls of layers, or the whole body as one layer."""
        statements = self._flat(body.statements, frame.scope)
        if not any(isinstance(s, tree.Repeat) or (isinstance(s, tree.Call) and self._is_layer(s)) for s in statements):
            return [body]
        out: list[tree.Call | tree.Body] = []
        for statement in statements:
            if isinstance(statement, tree.Call) and self._is_layer(statement):
                out.append(statement)
            elif isinstance(statement, tree.Repeat):
                count = frame.scope.settle(evaluate(statement.count, frame.scope), statement.count.place)
                inner = self._pattern(statement.body, frame, statement.place)
                if not isinstance(count, int) or not 0 <= count * len(inner) <= MAX_PATTERN:
                    message = f"a pattern has at most {MAX_PATTERN} layers"
                    raise error("E228", message, statement.count.place, "repeat a shorter pattern more often")
                frame.scope.decided("==", evaluate(statement.count, frame.scope), count, True)
                out += inner * count
            else:
                hint = "put it into a layer, or write all of the pattern without layers"
                raise error("E229", "only layers and repeats are allowed between layers", place, hint)
        return out

    def _layer(self, layer: tree.Call | tree.Body, frame: _Frame, stream: Tensor) -> tuple[Unit, Tensor]:
        """Unfold one kind of layer, or give what was unfolded for the same kind before."""
        if isinstance(layer, tree.Call):
            values = self._arguments(layer, self.library.blocks[layer.callee].parameters, frame)[1]
            key: tuple[object, ...] = (layer.callee, *sorted(values.items(), key=str))
            name = layer.callee
        else:
            key, name = (id(layer),), "layer"
        surroundings = self.surroundings
        constant = stream in surroundings.constants
        key = (constant, *key)
        known = self._kinds.setdefault(key, [])
        found = next((k for k in known if all(surroundings.values[n] == v for n, v in k.read.items())), None)
        if found is None:
            outside_read, surroundings.read = surroundings.read, set()
            entering = _another(stream, "x")
            if constant:
                surroundings.constants.add(entering)
            outside, self._unit = self._unit, _UnitBuilder(self._kind_name(name), entering)
            inner = _Frame(frame.scope, {**frame.tensors, "x": entering}, entering, (), ())
            result = self._call(layer, inner) if isinstance(layer, tree.Call) else self._body(layer, inner)
            if not self._unit.operators:
                raise error("E246", f"'{name}' is a layer without operators", layer.place, "a layer computes something")
            read = {n: surroundings.values[n] for n in sorted(surroundings.read)}
            if constant and result not in surroundings.constants:
                self._unit.name += "_first"
            known.append(found := _Kind(self._unit.unit(result, surroundings.constants), result, read))
            self._unit = outside
            surroundings.read |= outside_read
        return found.unit, found.output

    def _kind_name(self, name: str) -> str:
        """The name of a kind of layer: where layers differ by words, these."""
        words = [v for n in self.surroundings.by_layer if isinstance(v := self.surroundings.values[n], str)]
        name = "_".join(dict.fromkeys(words)) or name
        taken = [kind.unit.name for kinds in self._kinds.values() for kind in kinds]
        return name if name not in taken else f"{name}_{sum(t.startswith(name) for t in taken) + 1}"

    # blocks

    def _body(self, body: tree.Body, frame: _Frame) -> Tensor:
        for statement in body.statements:
            self._statement(statement, frame)
        return frame.stream

    def _statement(self, statement: tree.Node, frame: _Frame) -> None:
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

    def _call(self, call: tree.Call, frame: _Frame) -> Tensor:
        return self._results(call, frame, None)[0]

    def _results(self, call: tree.Call, frame: _Frame, label: str | None) -> tuple[Tensor, ...]:
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

    def _given_body(self, call: tree.Call, frame: _Frame) -> Tensor:
        assert frame.body is not None
        body, outer = frame.body
        tensors, _ = self._arguments(call, (), frame)
        stream = tensors[0] if tensors else frame.stream
        tensors_inside = {**outer.tensors, "x": stream}
        inner = _Frame(outer.scope, tensors_inside, stream, outer.path, frame.regions, outer.body, outer.added)
        return self._body(body, inner)

    def _block(self, call: tree.Call, frame: _Frame, label: str | None) -> Tensor:
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
        return self._body(item.body, _Frame(scope, inside, stream, path, regions, body, frame.added))

    def _layer_of_head(self, call: tree.Call, frame: _Frame, label: str | None) -> Tensor:
        """A layer after all others, of multi-token prediction; layers inside of it are parts of it."""
        first = len(self._unit.operators)
        self._layers_of_head += 1
        self._in_layer_of_head = True
        result = self._block(call, frame, label)
        self._in_layer_of_head = False
        self._unit.in_layers.update(range(first, len(self._unit.operators)))
        return result

    def _operator(self, call: tree.Call, frame: _Frame, label: str | None) -> tuple[Tensor, ...]:
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
        frame: _Frame,
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
        return self._body(adapter.body, _Frame(scope, inside, inputs[0], path, frame.regions, added=True))

    def _dropped(self, regions: tuple[Region, ...]) -> bool:
        """Whether recomputation drops what leaves the operators of these regions."""
        chosen = self.surroundings.values["recompute"]
        named = (r for r in regions if isinstance(chosen, frozenset) and r.name in chosen)
        outermost = next(named, None)
        return outermost is not None and outermost.discard

    def _arguments(
        self, call: tree.Call, parameters: tuple[tree.Parameter, ...], frame: _Frame
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
