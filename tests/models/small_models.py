"""Small models in text for specifications of single blocks: layers of one's own around the usual embedding and head."""

from __future__ import annotations

from symsim.records.model import Model
from tests.models.counting import model_of


def small(
    layer: str,
    *,
    layers: int = 4,
    before: str = "embedding",
    mid: str = "",
    after: str = "head(tied)",
    **dimensions: object,
) -> Model:
    """A model of ``layers`` layers whose text is ``layer``; further ``dimensions`` are the family's.

    Where ``layer`` has several lines, each is a layer, and they make up the pattern that repeats; equal lines are
    one kind of layer. ``mid`` stands between the layers and the last norm.
    """
    given: dict[str, object] = {"hidden": 64, "vocab": 320, "tied": True, "norm": "rms", "activation": "swiglu"}
    given |= {"positions": "rope", "max_positions": 512, "embedding_norm": False} | dimensions
    kinds = [line.strip() for line in layer.strip().splitlines()]
    names = {text: f"small_{i}" for i, text in enumerate(dict.fromkeys(kinds))}
    texts = [f"layer {name} {{ {text} }}" for text, name in names.items()]
    signature = ", ".join(f"{name} = {_written(value)}" for name, value in given.items())
    pattern = "; ".join(names[text] for text in kinds)
    body = [before, f"repeat {layers // len(kinds)} {{ {pattern} }}", mid, "normalization", after]
    family = f"family small({signature}, layers = {layers}) {{\n" + "\n".join(body) + "\n}"
    return model_of("\n".join([*texts, family, "model one = small()"]))


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
