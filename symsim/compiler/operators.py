"""One call of an operator of the library, made into a node of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import sympy

from symsim.compiler.scope import OperatorScope, Surroundings
from symsim.diagnostics import Place, error, nearest
from symsim.elements import ELEMENT_NAMES, element_bytes
from symsim.language import tree
from symsim.language.expressions import Value, evaluate, names_in, number, truth
from symsim.records.document_lengths import Documents
from symsim.records.graph import (
    PHASES,
    WITHOUT_GRADIENT,
    Kernel,
    Message,
    Operator,
    PhaseName,
    Region,
    Tensor,
    Weight,
    Work,
)

TRANSPOSE = {"gather": "scatter", "scatter": "gather", "copy": "reduce", "reduce": "copy", "all_to_all": "all_to_all"}
"""What an exchange does backward. ``copy`` sends nothing forward and sums gradients backward."""

COLLECTIVE = {
    "gather": "all_gather",
    "scatter": "reduce_scatter",
    "copy": None,
    "reduce": "all_reduce",
    "all_to_all": "all_to_all",
}
AXES = ("tp", "cp", "cp_a2a", "cp_ring", "ep", "etp")
"""Axes over which an operator may send; gradients travel over dp and edp by themselves."""


SEQUENCE, FILL = "seq", "packing_fill"


class OperatorCall:
    """Evaluates the items of one operator in order; ``node`` is what comes out."""

    def __init__(
        self,
        item: tree.OperatorItem,
        surroundings: Surroundings,
        values: Mapping[str, Value],
        name: str,
        trained: Callable[[str, frozenset[str]], bool] = lambda name, traits: True,
        added: bool = False,
    ) -> None:
        """``trained`` tells of a weight, by its name and traits, whether it is; ``added``: an adapter's operator."""
        self.item = item
        self.name = name
        self._trained = trained
        self._added = added
        self.requires: list[tuple[tree.Require, OperatorScope]] = []
        self._scope = OperatorScope(surroundings, values, lambda name: trained(name, frozenset()))
        self._weights: list[Weight] = []
        self._saves: list[Tensor] = []
        self._buffers: list[Tensor] = []
        self._passes: dict[Tensor, Tensor] = {}
        self._holds: list[Tensor] = []
        self._apart: tuple[sympy.Expr, ...] = ()
        self._exchanges: list[tuple[str, Tensor, Tensor, str]] = []
        self._work: dict[PhaseName, _Phase] = {phase: _Phase() for phase in PHASES}

    def node(self, inputs: tuple[Tensor, ...], regions: tuple[Region, ...], place: Place) -> Operator:
        self._bind_inputs(inputs, place)
        declared = self.item.items
        self._run(i for i in declared if isinstance(i, tree.Let))
        outputs = tuple(self._output(o) for o in self.item.outputs)
        self._run(i for i in declared if not isinstance(i, tree.Let))
        for kind, operand, result, axis in self._exchanges:
            self._send("forward", kind, operand, result, axis)
            self._send("input_grad", TRANSPOSE[kind], result, operand, axis)
        saves = tuple(dict.fromkeys(self._saves))
        weights, buffers = tuple(self._weights), tuple(self._buffers)
        read = tuple(t for t in inputs if t not in self._holds)
        work = {phase: collected.work() for phase, collected in self._work.items()}
        unknown = self._without_gradients(read, outputs)
        for phase in unknown:
            work[phase] = _nothing(work[phase])
        if self._vectors_alone():
            work["weight_grad"] = replace(_nothing(work["weight_grad"]), traffic=work["weight_grad"].traffic)
        if self._added:
            work = {phase: replace(done, counted=sympy.Integer(0)) for phase, done in work.items()}
        has_backward = len(unknown) < 2
        saves = saves if has_backward else ()
        return Operator(
            self.name,
            self.item.name,
            regions,
            read,
            outputs,
            saves,
            buffers,
            weights,
            self._passes,
            tuple(self._holds),
            work,
            has_backward,
            self._apart,
        )

    def _without_gradients(self, read: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> tuple[PhaseName, ...]:
        """The gradients that no one asks for, as autograd decides it: of inputs that nothing trained leads to, of
        weights that are not trained. What such an operator gives needs none either."""
        constants = self._scope.surroundings.constants
        to_input = any(t not in constants and t.element not in WITHOUT_GRADIENT for t in read)
        to_weight = any(w.trained for w in self._weights) if self._weights else to_input
        if not to_input and not to_weight:
            constants.update(t for t in outputs if t not in read)
        wanted = {"input_grad": to_input, "weight_grad": to_weight}
        return tuple(phase for phase in PHASES if not wanted.get(phase, True))

    def _vectors_alone(self) -> bool:
        """Whether biases alone are trained of an operator with a matrix, whose are the kernels of ``weight_grad``."""
        matrices = [w for w in self._weights if len(w.shape) - w.expert >= 2]
        return bool(matrices) and not any(w.trained for w in matrices)

    def _bind_inputs(self, inputs: tuple[Tensor, ...], place: Place) -> None:
        for pattern, given in zip(self.item.inputs, inputs, strict=True):
            if len(pattern.shape) != len(given.shape):
                message = f"'{self.item.name}' takes '{pattern.name}' with {len(pattern.shape)} dimensions"
                hint = f"it is declared {pattern.name}[{', '.join('…' for _ in pattern.shape)}]"
                raise error("E221", f"{message}, and '{given.name}' has {len(given.shape)}", place, hint)
            for dimension, size in zip(pattern.shape, given.shape, strict=True):
                if isinstance(dimension, tree.Name):
                    self._match(dimension.name, size, given, place)
            self._scope.tensors[pattern.name] = given

    def _match(self, name: str, size: sympy.Expr, given: Tensor, place: Place) -> None:
        """A dimension's name stands for one size in all inputs."""
        known = self._scope.values.setdefault(name, size)
        if known is not size and sympy.expand(known - size) != 0:
            message = f"{self.item.name} needs inputs of one size '{name}': here {known} and, of '{given.name}', {size}"
            raise error("E243", message, place, "tensors whose sizes have one name must have equal sizes")

    def _run(self, items: Iterable[tree.Node]) -> None:
        for item in items:
            self._item(item)

    def _item(self, item: tree.Node) -> None:
        match item:
            case tree.Let(name=name, value=value):
                self._scope.values[name] = evaluate(value, self._scope)
            case tree.If(condition=condition, then=then, other=other):
                self._run(then if truth(evaluate(condition, self._scope), condition.place, self._scope) else other)
            case tree.Require():
                self.requires.append((item, self._scope))
            case tree.Weight():
                self._weight(item)
            case tree.Local(tensor=tensor):
                self._scope.local.add(self._tensor(tensor))
            case tree.Buffer(tensor=tensor):
                self._buffers.append(self._tensor(tensor))
            case tree.Passes(output=output, inputs=names, place=place):
                self._passes |= {self._held(n, place): self._held(output, place) for n in names}
            case tree.Holds(names=names, place=place):
                self._holds += [self._held(n, place) for n in names]
            case tree.Apart(columns=columns):
                amounts = [a for a in map(self._amount, columns) if a != 0]
                self._apart = tuple(a / sympy.Add(*amounts) for a in amounts)
            case tree.Exchange():
                self._exchange(item)
            case tree.Saves(items=items):
                self._saves += [self._saved(s) for s in items]
            case tree.Phase(name=name, work=work):
                for entry in work:
                    self._entry(self._work[name], entry)  # type: ignore[index]
            case _:
                raise AssertionError(item)

    def _runs_of(self, entry: tree.Compute) -> list[OperatorScope]:
        """What a kernel is evaluated in: of a kernel that works on sequences, once for the documents of each length."""
        documents = self._scope.surroundings.documents
        if documents is None or not any(SEQUENCE in names_in(size) for size in entry.shape):
            return [self._scope]
        return [self._of_length(length, documents) for length, _ in documents.counts]

    def _of_length(self, length: int, documents: Documents) -> OperatorScope:
        """The scope in which a document is the sequence: ``seq`` its tokens, ``mbs`` how many of that length a
        micro-batch has, and the tokens of the operator those that are in them."""
        scope = OperatorScope(self._scope.surroundings, self._scope.values, self._scope.named_trained)
        scope.tensors, scope.trained, scope.local = self._scope.tensors, self._scope.trained, self._scope.local
        filled = sympy.sympify(scope.lookup(FILL)) * sympy.sympify(documents.share(length))
        sequences, tokens = (sympy.sympify(scope.lookup(n)) for n in ("mbs", SEQUENCE))
        scope.values |= {SEQUENCE: sympy.Integer(length), "mbs": sequences * tokens * filled / length}
        first = self.item.inputs[0].shape[0]
        if isinstance(first, tree.Name):
            scope.values[first.name] = sympy.sympify(self._scope.lookup(first.name)) * filled
        for item in self.item.items:
            if isinstance(item, tree.Let):
                scope.values[item.name] = evaluate(item.value, scope)
        return scope

    def _kernel(self, entry: tree.Compute, scope: OperatorScope) -> Kernel:
        def amount(node: tree.Expression | None, default: sympy.Expr) -> sympy.Expr:
            return default if node is None else sympy.sympify(number(evaluate(node, scope), node.place, scope))

        total = amount(entry.flops, sympy.Integer(0))
        again = amount(entry.recomputing, sympy.Integer(0))
        causal, unmasked = (amount(node, total - again) for node in (entry.causal, entry.unmasked))
        sizes = tuple(amount(s, sympy.Integer(0)) for s in entry.shape)
        return Kernel(total, entry.rate, sizes, again, causal, unmasked)

    def _amount(self, node: tree.Expression) -> sympy.Expr:
        return sympy.sympify(number(evaluate(node, self._scope), node.place, self._scope))

    def _dimension(self, node: tree.Expression) -> sympy.Expr:
        size = self._amount(node)
        if size.is_Number and not size > 0:
            hint = "put a part that may be absent into an if"
            raise error("E247", f"a dimension of a tensor must be positive, not {size}", node.place, hint)
        return size

    def _tensor(self, declared: tree.TensorShape, default: str = "activation") -> Tensor:
        element = declared.element or default
        if element not in ELEMENT_NAMES:
            raise error("E222", f"unknown element type '{element}'", declared.place, nearest(element, ELEMENT_NAMES))
        shape = tuple(self._dimension(d) for d in declared.shape)
        elements = sympy.Mul(*shape)
        size = element_bytes(element, str(self._scope.lookup("precision")))
        tensor = Tensor(f"{self.name}.{declared.name}", shape, element, elements, elements * sympy.sympify(size))
        self._scope.tensors[declared.name] = tensor
        return tensor

    def _output(self, declared: tree.Output) -> Tensor:
        if declared.view is None:
            return self._tensor(declared.tensor)
        shared = self._held(declared.view, declared.place)
        self._scope.tensors[declared.tensor.name] = shared
        return shared

    def _weight(self, item: tree.Weight) -> None:
        tensor = self._tensor(item.tensor)
        active = self._amount(item.active) if item.active is not None else sympy.Integer(1)
        traits = {name: name in item.traits for name in ("expert", "tied", "embedding")}
        traits["quantised"] = "quantised" in item.traits and self._scope.lookup("quantised") is True
        trained = self._trained(item.tensor.name, frozenset(item.traits))
        self._scope.trained[tensor] = trained
        self._weights.append(
            Weight(
                tensor.name,
                tensor.shape,
                tensor.elements,
                active=active,
                trained=trained,
                added=self._added,
                **traits,
            )
        )

    def _saved(self, item: tree.TensorShape | tree.Name) -> Tensor:
        if isinstance(item, tree.TensorShape):
            return self._tensor(item)
        return self._held(item.name, item.place)

    def _held(self, name: str, place: Place) -> Tensor:
        if name not in self._scope.tensors:
            raise error("E223", f"no tensor is called '{name}' here", place, nearest(name, self._scope.tensors))
        return self._scope.tensors[name]

    def _exchange(self, item: tree.Exchange) -> None:
        if item.kind not in TRANSPOSE:
            raise error("E224", f"unknown exchange '{item.kind}'", item.place, nearest(item.kind, TRANSPOSE))
        operand = self._held(item.operand, item.place)
        self._axis(item.axis, item.place)
        result = self._held(item.result, item.place)
        self._exchanges.append((item.kind, operand, result, item.axis))

    def _axis(self, axis: str, place: Place) -> None:
        if axis not in AXES:
            raise error("E225", f"'{axis}' is not a parallel axis", place, nearest(axis, AXES))

    def _send(self, phase: PhaseName, kind: str, operand: Tensor, result: Tensor, axis: str) -> None:
        """A gathered buffer is what an all-gather gives, what a reduce-scatter takes."""
        collective = COLLECTIVE[kind]
        if collective is not None:
            full = operand if kind == "scatter" else result
            amount = full.bytes if phase == "forward" else self._scope.gradient_bytes(full)
            self._work[phase].messages.append(Message(collective, amount, axis))

    def _entry(self, phase: _Phase, entry: tree.Node) -> None:
        match entry:
            case tree.Compute():
                phase.kernels += [self._kernel(entry, scope) for scope in self._runs_of(entry)]
            case tree.Traffic(amount=amount, rate=rate):
                phase.traffic[rate] = phase.traffic.get(rate, sympy.Integer(0)) + self._amount(amount)
            case tree.Counted(amount=amount):
                phase.counted = self._amount(amount)
            case tree.Workspace(amount=amount):
                phase.workspace = phase.workspace + self._amount(amount)
            case tree.Message(collective=collective, amount=amount, axis=axis, copies=copies, place=place):
                self._axis(axis, place)
                wanted = self._amount(copies) if copies is not None else None
                phase.messages.append(Message(collective, self._amount(amount), axis, wanted))
            case tree.If(condition=condition, then=then, other=other):
                chosen = truth(evaluate(condition, self._scope), condition.place, self._scope)
                for inner in then if chosen else other:
                    self._entry(phase, inner)
            case _:
                raise AssertionError(entry)


class _Phase:
    """The work of one phase while it is being collected."""

    def __init__(self) -> None:
        self.kernels: list[Kernel] = []
        self.traffic: dict[str, Any] = {}
        self.messages: list[Message] = []
        self.workspace: Any = sympy.Integer(0)
        self.counted: Any = None

    def work(self) -> Work:
        counted = sum((k.unmasked for k in self.kernels), sympy.Integer(0)) if self.counted is None else self.counted
        return Work(tuple(self.kernels), dict(self.traffic), tuple(self.messages), self.workspace, counted)


def _nothing(work: Work) -> Work:
    """A phase that does not run; Megatron's own count of FLOPs has it all the same."""
    return Work((), {}, (), sympy.Integer(0), work.counted)
