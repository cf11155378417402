"""Build a class of transformers on the meta device, and say what was built: names, shapes, which are trained."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PreTrainedModel, masking_utils
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
"""model_type → name of the causal language model's class."""

TOKENS = 24
"""Tokens of the short forward pass whose FLOPs tell whether a key changes the work."""

Fingerprint = tuple[tuple[str, tuple[int, ...], bool], ...]
"""Name, shape and ``requires_grad`` of each parameter; tied ones once."""


def prepare() -> None:
    """Quiet warnings about what is tried on purpose, and let masks be made without looking at values.

    A tensor on the meta device has no values, so that nobody can look whether a row holds several sequences.
    """
    masking_utils.find_packed_sequence_indices = lambda position_ids: None
    PreTrainedModel.warn_if_padding_and_no_attention_mask = lambda self, ids, mask: None
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    transformers.logging.set_verbosity_error()


def configuration(model_type: str, keys: Mapping[str, object]) -> Any:
    """The configuration object of a ``config.json`` with these keys, as ``from_pretrained`` makes it."""
    return CONFIG_MAPPING[model_type].from_dict({name: _number(value) for name, value in keys.items()})


def _number(value: Any) -> Any:
    """A number that JSON does not have is ``{"__float__": "Infinity"}`` in a file."""
    if isinstance(value, list):
        return [_number(entry) for entry in value]
    return float(value["__float__"]) if isinstance(value, dict) and "__float__" in value else value


def build(model_type: str, config: Any) -> torch.nn.Module:
    """The causal language model of a configuration, on the meta device; of a text part without one, its body."""
    with torch.device("meta"):
        if model_type in CAUSAL:
            return AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        return text_class(model_type)._from_config(config, attn_implementation="eager")


def text_class(model_type: str) -> Any:
    """The class of a text part that is no causal language model alone: a head's where there is one, else the body's.

    Raises:
        LookupError: its file has none.
    """
    kind = CONFIG_MAPPING[model_type]
    file = importlib.import_module(kind.__module__.replace(".configuration_", ".modeling_"))
    classes = {
        name: found
        for name, found in vars(file).items()
        if isinstance(found, type)
        and getattr(found, "config_class", None) is kind
        and found.__module__ == file.__name__
    }
    for end in ("ForCausalLM", "ForConditionalGeneration", "TextModel", "Model", ""):
        names = [name for name in classes if name.endswith(end) and not name.endswith("PreTrainedModel")]
        if names:
            return classes[min(names, key=len)]
    raise LookupError(f"no class takes {kind.__name__}")


def fingerprint(model: torch.nn.Module) -> Fingerprint:
    return tuple((name, tuple(p.shape), p.requires_grad) for name, p in model.named_parameters())


def flops(model: torch.nn.Module, tokens: int = TOKENS) -> int | None:
    """FLOPs of the products of one forward pass; ``None`` where the class does not run on the meta device."""
    with contextlib.suppress(Exception):
        model.set_experts_implementation("batched_mm")
    ids = torch.zeros((1, tokens), dtype=torch.long, device="meta")
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(input_ids=ids, use_cache=False)
    except Exception:
        return None
    return counter.get_total_flops()


@contextlib.contextmanager
def read_names(kind: type) -> Iterator[set[str]]:
    """The names that a model's own files read of any object of a configuration class inside the ``with``."""
    names: set[str] = set()
    usual = kind.__getattribute__

    def reading(self: object, name: str) -> object:
        if not name.startswith("_") and "/models/" in sys._getframe(1).f_code.co_filename:
            names.add(name)
        return usual(self, name)

    kind.__getattribute__ = reading
    try:
        yield names
    finally:
        kind.__getattribute__ = usual
