"""What the index of a checkpoint says: ``model.safetensors.index.json`` next to a ``config.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

NAMES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
MAX_BYTES = 64 * 1024 * 1024
"""Longest index that is read; that of a model of 671 G parameters has 9 MB."""
ELEMENT_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def stated_parameters(folder: Path, config: Mapping[str, object]) -> tuple[int, str] | None:
    """The parameters that an index next to a configuration states, and its name; ``None`` where it states none.

    An index states the bytes of all tensors, newer ones the parameters too. Bytes count only where the configuration
    says one type of element for all of them.
    """
    for name in NAMES:
        try:
            with (folder / name).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            stated = json.loads(raw)["metadata"] if len(raw) <= MAX_BYTES else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if not isinstance(stated, Mapping):
            continue
        if (count := _whole(stated.get("total_parameters"))) is not None:
            return count, name
        total = _whole(stated.get("total_size"))
        size = ELEMENT_BYTES.get(str(config.get("dtype", config.get("torch_dtype"))))
        if total is not None and size is not None and "quantization_config" not in config:
            return total // size, name
    return None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**18:
        return None
    return int(value)
