"""Other values to try for one key of a configuration."""

from __future__ import annotations

import typing
from collections.abc import Iterator

LAYER_WORDS = ("full_attention", "sliding_attention", "chunked_attention", "linear_attention", "conv", "moe", "hybrid")
"""Kinds of layer that configurations name."""

MLP_WORDS = ("sparse", "dense")
"""Kinds of feed-forward that configurations name."""

ACTIVATIONS = ("gelu", "relu", "silu", "gelu_pytorch_tanh")
"""Functions of a feed-forward."""


def others(name: str, value: object, raw: object, annotation: object, layers: int) -> Iterator[object]:
    """Values of the same kind as ``value``, the filled-in value of key ``name``; ``raw`` is the class's own default."""
    shapes = kinds(annotation)
    if isinstance(value, bool) or (value is None and bool in shapes):
        yield not value
    elif isinstance(value, int):
        yield from dict.fromkeys((value * 2, value // 2, value + 1, value - 1, value + 2, 1))
    elif isinstance(value, float):
        yield from dict.fromkeys((value * 2 if value else 0.1, value / 2, 1.0, 2.0))
        if int in shapes or value == int(value):
            yield int(value) + 1
    elif isinstance(value, str):
        words = literals(annotation) or (ACTIVATIONS if is_activation(name) else ())
        yield from (word for word in words if word != value)
    elif isinstance(value, (list, tuple)):
        yield from lists(name, list(value), layers)
    if value is None:
        if int in shapes or not shapes:
            yield from (1, 2, 8, 64)
        if float in shapes:
            yield from (0.5, 30.0)
        if list in shapes or not shapes:
            yield from lists(name, [], layers)
        if str in shapes:
            yield from literals(annotation) or ACTIVATIONS
    if raw is not None and type(None) in shapes:
        yield None


def lists(name: str, value: list, layers: int) -> Iterator[list]:
    """Lists of the same kind: of words, of numbers."""
    if all(isinstance(entry, str) for entry in value) and (value or "types" in name):
        words = MLP_WORDS if "mlp" in name else LAYER_WORDS
        length = len(value) or layers
        for word in dict.fromkeys([*value, *words]):
            if [word] * length != value:
                yield [word] * length
        yield value[::-1]
        return
    if value and all(isinstance(entry, int) for entry in value):
        yield [entry * 2 for entry in value]
        yield [0 if entry else 1 for entry in value]
        yield value[:-1]
    for plain in ([], [1], [0, 1], [0] * layers, [1] * layers):
        if plain != value:
            yield plain


def is_activation(name: str) -> bool:
    return "act" in name.split("_") or "activation" in name or name == "afn"


def kinds(annotation: object) -> set[type]:
    """The plain types that an annotation allows; none where nothing is known."""
    if annotation in (object, typing.Any):
        return set()
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return {annotation}
    origin = typing.get_origin(annotation)
    if origin in (list, dict, tuple):
        return {list if origin is tuple else origin}
    if origin is typing.Literal:
        return {type(word) for word in typing.get_args(annotation)}
    return set().union(*(kinds(part) for part in typing.get_args(annotation)))


def literals(annotation: object) -> tuple[object, ...]:
    """The words that an annotation allows, where it lists them."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return tuple(word for part in typing.get_args(annotation) for word in literals(part))


def may_be_null(hint: object) -> bool:
    """Whether the type of a field has ``None`` among its kinds."""
    return hint is None or type(None) in typing.get_args(hint)
