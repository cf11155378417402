"""A model that a command line names: its text, translated where it is another tool's, and what the disk cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symsim.compiler import cache
from symsim.diagnostics import InputError, Source, error
from symsim.language import tree
from symsim.language.dimensions import MAX_DIMENSION
from symsim.language.models import elaborate_model
from symsim.language.strategies import Strategy
from symsim.loading.run_files import foreign_path, run_of
from symsim.records.model import Model


def source_of(given: str) -> Source:
    """The text of a model that a command line names, translated where it is another tool's.

    Raises:
        InputError: it cannot be read, or gives a strategy alone.
    """
    run = run_of(given)
    if run.model is None:
        assert run.strategy is not None
        if foreign_path(given) is None:
            return run.strategy  # who reads it as a model says what it is
        hint = f"give it as a strategy: symsim eval MODEL -s {given}"
        raise error("E211", f"{run.strategy.name} defines no model", None, hint)
    return run.model


def base_model(source: Source, strategy: Strategy) -> Model:
    """The model of a text by itself; of one that leaves out what a setting gives, with those settings.

    Raises:
        InputError: anything that is wrong with the text, or that neither it nor a setting gives.
    """
    try:
        return load_model(source, {})
    except InputError:
        given = {n: v for n, v in strategy.overrides.items() if "." not in n and isinstance(v, tree.Expression)}
        if not given:
            raise
        try:
            return load_model(source, given)
        except InputError:
            pass
        raise


def load_model(source: Source, overrides: Mapping[str, tree.Expression]) -> Model:
    key = cache.key_of("model", source.name, source.text, sorted((n, repr(v)) for n, v in overrides.items()))
    known = _model_of(cache.read(key), source)
    if known is not None:
        return known
    model = elaborate_model(source, overrides)
    cache.write(
        key,
        {
            "name": model.name,
            "title": model.title,
            "family": model.family,
            "dimensions": {n: list(v) if isinstance(v, tuple) else v for n, v in model.dimensions.items()},
            "derived": sorted(model.derived),
            "own": model.own is not None,
            "notes": list(model.notes),
        },
    )
    return model


def _is_value(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_DIMENSION)


def _model_of(data: Any, source: Source) -> Model | None:
    """A model from a cache entry, if the entry has the right form."""
    try:
        name, title, family, own = data["name"], data["title"], data["family"], data["own"]
        dimensions, derived, notes = data["dimensions"], data["derived"], tuple(data["notes"])
    except (TypeError, KeyError):
        return None
    texts = all(isinstance(t, str) for t in (name, title, family, *notes)) and isinstance(own, bool)
    if not texts or not isinstance(dimensions, dict) or not isinstance(derived, list):
        return None
    if not all(isinstance(n, str) and n in dimensions for n in derived):
        return None
    settled = {n: tuple(v) if isinstance(v, list) else v for n, v in dimensions.items()}
    if not all(map(_is_value, (o for v in settled.values() for o in (v if isinstance(v, tuple) else (v,))))):
        return None
    return Model(name, title, family, settled, frozenset(derived), source if own else None, notes)
