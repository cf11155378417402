"""What a derived space asks of a model: how many layers of how many kinds, and the regions that can be recomputed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symsim.analysis.evaluate import stable
from symsim.compiler import cache
from symsim.language.dimensions import MAX_DIMENSION
from symsim.language.strategies import Strategy
from symsim.loading.plan import plan
from symsim.records.model import Model


@dataclass(frozen=True, slots=True)
class ModelShape:
    """``layers`` in all, of ``kinds`` kinds; ``regions`` that a strategy may recompute; how the framework spreads
    layers over stages (``layer_split`` of its profile)."""

    layers: int
    kinds: int
    regions: frozenset[str]
    layer_split: str


def shape_of(model: Model, strategy: Strategy) -> ModelShape:
    """The shape of a model under the structural choices of a strategy: from the disk cache, or unfolded now.

    Raises:
        InputError: the model's text does not fit together.
    """
    structure = plan(strategy, needs_sizes=False).structure
    own = model.own.text if model.own is not None else ""
    key = cache.key_of("shape", model.name, model.family, sorted(model.dimensions.items()), own, stable(structure))
    known = _read(cache.read(key))
    if known is not None:
        return known
    from symsim.compiler.expand import expand
    from symsim.compiler.profile import profile_of
    from symsim.language.library import library_for

    library = library_for(model)
    graph, _, _ = expand(model, library, structure, frozenset())
    kinds = len({id(slot.unit) for slot in graph.slots})
    shape = ModelShape(int(graph.layers), kinds, graph.regions, str(profile_of(library, structure)["layer_split"]))
    cache.write(
        key,
        {"layers": shape.layers, "kinds": kinds, "regions": sorted(shape.regions), "layer_split": shape.layer_split},
    )
    return shape


def _read(data: Any) -> ModelShape | None:
    """A shape from a cache entry, if the entry has the right form."""
    try:
        layers, kinds, regions, split = data["layers"], data["kinds"], data["regions"], data["layer_split"]
    except (TypeError, KeyError):
        return None
    if type(layers) is not int or type(kinds) is not int or not isinstance(split, str):
        return None
    if not 0 <= kinds <= layers <= MAX_DIMENSION:
        return None
    if not isinstance(regions, list) or not all(isinstance(region, str) for region in regions):
        return None
    return ModelShape(layers, kinds, frozenset(regions), split)
