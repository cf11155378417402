"""Values that a configuration class itself refuses, by the table of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from symsim.diagnostics import Diagnostic, InputError
from symsim.interop.rules.reading import Reading

PER_LAYER = "per_layer_config"
LISTED_LAYERS = ("layer_types", "mlp_layer_types")
"""Lists of which every class wants one entry for each layer."""
HINT = "Hugging Face's own class refuses this file"


def class_refusals(reading: Reading) -> Iterator[Diagnostic]:
    """An error for each value of the file that its class does not take.

    What the class itself gives is not looked at: a padding token beyond a small vocabulary is of form alone.
    """
    for key, reasons in reading.facts.refused.items():
        name = reading.written(key)
        if name is None:
            continue
        value = reading.config[name]
        if value is None and "null" in reasons:
            yield from _refused(reading, key, f"'{name}' must not be null")
        if _is_zero(value) and "zero" in reasons:
            yield from _refused(reading, key, f"'{name}' must not be 0")
        if "beyond vocab_size" in reasons and _is_beyond(value, reading.value("vocab_size")):
            message = f"'{name}' = {value} is no token of a vocabulary of {reading.value('vocab_size')}"
            yield from _refused(reading, key, message)
    yield from _other_lengths(reading)


def _other_lengths(reading: Reading) -> Iterator[Diagnostic]:
    layers = reading.value("num_hidden_layers")
    for key in LISTED_LAYERS:
        listed = reading.config.get(key)
        if isinstance(listed, list) and isinstance(layers, int) and len(listed) != layers:
            yield from _refused(reading, key, f"'{key}' has {len(listed)} entries for {layers} layers")


def refusals_in_layers(reading: Reading) -> Iterator[Diagnostic]:
    """An error for each key that no single layer may have for itself, where no rule has read them."""
    layers = reading.config.get(PER_LAYER) if PER_LAYER not in reading.asked else None
    for number, own in layers.items() if isinstance(layers, Mapping) else ():
        for key in own if isinstance(own, Mapping) else ():
            if reading.facts.own_name(key) in reading.facts.refused_in_layers or _is_missing(reading, key):
                yield from _refused(reading, PER_LAYER, f"'{key}' cannot be of layer {number} alone")


def _is_missing(reading: Reading, key: str) -> bool:
    """Whether neither the class nor the file has the key for the other layers; ``skip`` is no key of a model."""
    return key != "skip" and not reading.facts.knows(key) and not reading.given(key)


def _refused(reading: Reading, key: str, message: str) -> tuple[Diagnostic, ...]:
    problem: InputError = reading.conflict([key], message, HINT)
    return problem.diagnostics


def _is_zero(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == 0


def _is_beyond(value: object, vocabulary: object) -> bool:
    if not isinstance(value, int) or isinstance(value, bool) or not isinstance(vocabulary, int):
        return False
    return not -vocabulary <= value < vocabulary
