"""YAML as a person would write it: a key a line, short objects inside braces."""

from __future__ import annotations

from collections.abc import Mapping


def yaml_of(values: Mapping[str, object]) -> str:
    """The text of nested mappings, in their order."""
    import yaml

    return str(yaml.safe_dump(_plain(values), sort_keys=False, default_flow_style=False, width=100))


def _plain(value: object) -> object:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
