"""What a family writes after its repeated layers, cut into the units that a pipeline may put on stages of their own.

Without multi-token prediction it is one unit, the head. With it there are up to three:

- ``final_norm``: what comes before the first head and the first multi-token layer, the last norm; it lies with the last
  layer;
- ``mtp``: the layers that are called there, all of multi-token prediction (``m`` in a layout);
- ``head``: everything else, the head with the losses of all predictions.

Source: Megatron-Core 0.16.1, transformer_block.has_final_layernorm_in_this_stage, gpt_model.GPTModel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symsim.records.graph import AfterLayers, Operator, Tensor, Unit, Weight

MULTI_TOKEN = "mtp"
"""The unit of these layers."""


def cut(unit: Unit, multi_token: frozenset[int]) -> AfterLayers:
    """``multi_token`` are the operators, by their number, that are inside layers of multi-token prediction."""
    operators = unit.operators
    if not multi_token:
        return AfterLayers(unit)
    heads = (k for k, o in enumerate(operators) if k not in multi_token and any(w.embedding for w in o.weights))
    begins = min([*multi_token, *heads])
    groups = {
        "final_norm": operators[:begins],
        MULTI_TOKEN: tuple(o for k, o in enumerate(operators) if k in multi_token),
        "head": tuple(o for k, o in enumerate(operators) if k >= begins and k not in multi_token),
    }
    made = {t: name for name, own in groups.items() for o in own for t in _made(o)}
    units = {name: _unit(name, own, made, unit) for name, own in groups.items() if own}
    head = units.get("head") or Unit("head", (), unit.input, None)
    return AfterLayers(head, units.get("final_norm"), units[MULTI_TOKEN])


def _made(operator: Operator) -> Iterable[Tensor]:
    """What an operator makes. A view has been made before."""
    read = (*operator.inputs, *operator.holds)
    return (t for t in (*operator.outputs, *operator.saves) if t not in read)


def _unit(name: str, operators: tuple[Operator, ...], made: dict[Tensor, str], whole: Unit) -> Unit:
    """Operators as a unit: what other units make enters it as tensors of its own."""
    entering: dict[Tensor, Tensor] = {}
    stream = whole.input

    def inside(tensor: Tensor) -> Tensor:
        if made.get(tensor) == name or tensor is stream:
            return tensor
        return entering.setdefault(tensor, replace(tensor))

    held: set[tuple[object, ...]] = set()
    own = tuple(
        replace(
            o,
            inputs=tuple(map(inside, o.inputs)),
            outputs=tuple(map(inside, o.outputs)),
            saves=tuple(map(inside, o.saves)),
            passes={inside(a): inside(b) for a, b in o.passes.items()},
            holds=tuple(map(inside, o.holds)),
            weights=tuple(w for w in o.weights if _first(w, held)),
        )
        for o in operators
    )
    first = next(iter(entering.values()), stream)
    reads_stream = any(stream in (*o.inputs, *o.holds, *o.saves) for o in own)
    output = own[-1].outputs[0] if name != "head" and own[-1].outputs else None
    constants = frozenset(entering.get(t, t) for t in whole.constants)
    return Unit(name, own, stream if reads_stream else first, output, constants)


def _first(weight: Weight, held: set[tuple[object, ...]]) -> bool:
    """Whether a unit does not hold a weight yet: copies of the embedding in several layers are one table."""
    if not weight.tied:
        return True
    key = (weight.name.rsplit(".", 1)[-1], weight.shape)
    if key in held:
        return False
    held.add(key)
    return True
