"""Pass 1, model → graph: the family's text unfolded into operators, once per kind of layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy

from symsim.compiler.after_layers import cut
from symsim.compiler.block_environment import surroundings_of
from symsim.compiler.layer_patterns import stretches
from symsim.compiler.legality_rules import make_rule, size
from symsim.compiler.scope import BlockScope, Surroundings
from symsim.compiler.trained import Trained, trained
from symsim.compiler.unfold_blocks import BlockWalk, Frame, UnitBuilder, another
from symsim.diagnostics import Place, Source, error, nearest
from symsim.functions import remainder
from symsim.language import tree
from symsim.language.dimensions import MAX_LISTED
from symsim.language.expressions import Value, describe, evaluate, number, truth
from symsim.language.library import Library
from symsim.records.cost import Rule
from symsim.records.graph import Graph, Slot, Tensor, Unit
from symsim.records.model import Model
from symsim.records.strategy import Structure
from symsim.symbols import symbol

MAX_PATTERN = 128
"""Longest pattern of layers that may repeat."""
MAX_LAYERS = 10**12


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


OF_PRECISION = frozenset({"precision", "quantised", "operand_block"})
"""What blocks ask of the precision of GEMMs, which may differ between layers."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of layer that was unfolded; ``read``: what it used of the dimensions that differ between layers."""

    unit: Unit
    output: Tensor
    read: Mapping[str, Value]


class _Walk(BlockWalk):
    def __init__(self, library: Library, surroundings: Surroundings, own: Source | None, chosen: Trained) -> None:
        super().__init__(library, surroundings, own, chosen)
        self._slots: list[Slot] = []
        self._layers: sympy.Expr = sympy.Integer(0)
        self._kinds: dict[tuple[object, ...], list[_Kind]] = {}

    # the family

    def family(self, item: tree.FamilyItem) -> Graph:
        tokens = self.surroundings.values.get("T", symbol("mbs"))
        ids = Tensor("tokens", (tokens,), "int64", tokens, 8 * tokens)
        frame = Frame(BlockScope(self.surroundings, {}), {"x": ids}, ids, (), ())
        prologue: Unit | None = None
        for statement in self._flat(item.body.statements, frame.scope):
            if isinstance(statement, tree.Repeat) and not statement.unrolled:
                if prologue is None:
                    prologue = self._unit.unit(frame.stream, self.surroundings.constants)
                    frame.stream = self._entering_layers(frame.stream)
                frame.stream = self._pipeline(statement, frame)
                frame.tensors["x"] = frame.stream
                self._unit = UnitBuilder("head", frame.stream)
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
        return another(stream, stream.name) if whole and stream in self.surroundings.constants else stream

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

    def _pipeline(self, repeat: tree.Repeat, frame: Frame) -> Tensor:
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

    def _turn(self, pattern: list[tree.Call | tree.Body], frame: Frame, stream: Tensor) -> tuple[list[Unit], Tensor]:
        """The layers of a pattern, once."""
        units: list[Unit] = []
        for call in pattern:
            unit, stream = self._layer(call, frame, stream)
            units.append(unit)
        return units, stream

    def _place(self, pattern: list[Unit], start: sympy.Expr, count: sympy.Expr) -> None:
        """A pattern of layers, ``count`` times from position ``start`` on."""
        self._slots += [Slot(unit, start, len(pattern), residue, count) for residue, unit in enumerate(pattern)]

    def _differing_layers(self, repeat: tree.Repeat, frame: Frame, count: sympy.Expr, times: int) -> Tensor:
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

    def _pattern(self, body: tree.Body, frame: Frame, place: Place) -> list[tree.Call | tree.Body]:
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

    def _layer(self, layer: tree.Call | tree.Body, frame: Frame, stream: Tensor) -> tuple[Unit, Tensor]:
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
            entering = another(stream, "x")
            if constant:
                surroundings.constants.add(entering)
            outside, self._unit = self._unit, UnitBuilder(self._kind_name(name), entering)
            inner = Frame(frame.scope, {**frame.tensors, "x": entering}, entering, (), ())
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
