"""Write a model as a person would: one call of a family, without what the family gives anyway."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from symsim.language.parser import keywords
from symsim.language.quoting import one_line

Dimension = int | str | bool
Given = Mapping[str, Dimension]

WIDTH = 100
"""Columns of the text."""

ORDER = (
    "hidden",
    "layers",
    "heads",
    "kv_heads",
    "head_dim",
    "q_rank",
    "kv_rank",
    "nope_dim",
    "rope_dim",
    "value_dim",
    "state",
    "groups",
    "kernel",
    "chunk",
    "linear_key_heads",
    "linear_value_heads",
    "linear_key_dim",
    "linear_value_dim",
    "full_every",
    "ffn",
    "experts",
    "topk",
    "expert_ffn",
    "shared_ffn",
    "shared_gate",
    "dense_layers",
    "dense_ffn",
    "mtp_layers",
    "vocab",
    "tied",
    "positions",
    "max_positions",
    "embedding_norm",
    "norm",
    "activation",
    "bias",
    "qkv_bias",
    "mlp_bias",
    "qk_norm",
    "window",
    "locals",
)
"""Dimensions as they are written: sizes of the stream, attention, feed-forward, vocabulary, variants."""


def _same(name: str) -> Callable[[Given], object]:
    return lambda given: given.get(name, False)


def _head_share(given: Given) -> object:
    hidden, heads = given["hidden"], given["heads"]
    assert isinstance(hidden, int) and isinstance(heads, int)
    return hidden / heads


def _four_hidden(given: Given) -> object:
    hidden = given["hidden"]
    assert isinstance(hidden, int)
    return 4 * hidden


def _twice_head_share(given: Given) -> object:
    hidden, heads = given["hidden"], given["heads"]
    assert isinstance(hidden, int) and isinstance(heads, int)
    return 2 * hidden / heads


_Default = Dimension | Callable[[Given], object]
_SHARED: Mapping[str, _Default] = {
    "kv_heads": _same("heads"),
    "head_dim": _head_share,
    "tied": False,
    "positions": "rope",
    "max_positions": 0,
    "embedding_norm": False,
    "norm": "rms",
    "activation": "swiglu",
    "bias": False,
    "qkv_bias": _same("bias"),
    "mlp_bias": _same("bias"),
    "qk_norm": False,
    "window": 0,
}
_EXPERTS: Mapping[str, _Default] = {
    **_SHARED,
    "shared_ffn": 0,
    "shared_gate": False,
    "dense_layers": 0,
    "dense_ffn": _same("expert_ffn"),
}
DEFAULTS: Mapping[str, Mapping[str, _Default]] = {
    "llama": _SHARED,
    "gpt": {
        **_SHARED,
        "ffn": _four_hidden,
        "tied": True,
        "positions": "learned",
        "max_positions": 2048,
        "norm": "layer",
        "activation": "gelu",
        "bias": True,
    },
    "nemotron": {**_SHARED, "ffn": _four_hidden, "norm": "layer", "activation": "relu2"},
    "gemma": {**_SHARED, "tied": True, "activation": "geglu", "locals": 5},
    "moe": {**_EXPERTS, "ffn": _same("expert_ffn")},
    "deepseek": {**_EXPERTS, "q_rank": 0, "mtp_layers": 0},
    "gpt_oss": {**_SHARED, "bias": True, "window": 128},
    "mamba": {
        **_SHARED,
        "head_dim": _twice_head_share,
        "state": 128,
        "groups": 1,
        "kernel": 4,
        "chunk": 256,
        "tied": True,
        "positions": "none",
    },
    "qwen3_next": {
        **_SHARED,
        "linear_key_heads": 16,
        "linear_value_heads": 32,
        "linear_key_dim": 128,
        "linear_value_dim": 128,
        "kernel": 4,
        "full_every": 4,
    },
}
"""What each family of ``models/families`` gives when a dimension is left out; tests hold the two together."""


def model_text(name: str, title: str, family: str, dimensions: Given, comments: Sequence[str] = ()) -> str:
    """``model NAME "title" = family(…)`` under its comments, wrapped at ``WIDTH`` columns."""
    kept = {n: v for n, v in dimensions.items() if not _left_out(n, v, family, dimensions)}
    words = [f"{n} = {_written(kept[n])}" for n in sorted(kept, key=_rank)]
    shown = f' "{title}"' if title and title != name else ""
    lines = [line for comment in comments for line in _wrapped(f"# {comment}".split(" "), "# ", " ")]
    opening = f"model {name}{shown} = {family}("
    call = _wrapped([opening + words[0], *words[1:]], "    ", ", ")
    return "\n".join([*lines, *call]) + ")\n"


def identifier(text: str) -> str:
    """A name of the language for any text: ``Llama-3.1-8B`` → ``llama_3_1_8b``."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
    if not name:
        return "imported"
    return name if name[0].isalpha() and name not in keywords("model") else f"model_{name}"


def printable(text: str, longest: int = 60) -> str:
    """Text that may stand between double quotes, on one line."""
    return one_line(text.replace('"', " "), longest)


def _left_out(name: str, value: Dimension, family: str, dimensions: Given) -> bool:
    default = DEFAULTS[family].get(name)
    if default is None:
        return False
    usual = default(dimensions) if callable(default) else default
    return usual == value and isinstance(usual, bool) is isinstance(value, bool)


def _rank(name: str) -> int:
    return ORDER.index(name)


def _written(value: Dimension) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wrapped(pieces: Sequence[str], indent: str, joint: str) -> list[str]:
    """Pieces joined, on as many lines as they need; a line but the last ends with the joint."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = lines[-1] + joint + piece
        if len(longer) + len(joint.rstrip()) <= WIDTH:
            lines[-1] = longer
        else:
            lines[-1] += joint.rstrip()
            lines.append(indent + piece)
    return lines
