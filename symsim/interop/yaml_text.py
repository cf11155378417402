"""YAML that remembers where each key stands, so that an error can point at it.

Values are those of PyYAML's safe loader, which the tools here read their files with: ``1e-5`` is a text there, ``on``
is true, and of a key that is given twice the last counts. A tag of a Python object is passed over: its value is read as
it stands. Size, depth and what aliases repeat are bounded.
"""

from __future__ import annotations

from typing import Any

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.json_text import MAX_BYTES, MAX_DEPTH, Object, parse

MAX_NODES = 100_000
"""Most values of a file, those that aliases repeat counted each time."""


def parse_yaml(source: Source) -> Object:
    """The mapping that a text holds. JSON is read as JSON is.

    Raises:
        InputError: the text is not YAML, nests too deep, is too long, or holds no mapping.
    """
    if len(source.text) > MAX_BYTES:
        raise error("E501", f"{source.name} is too large", hint=f"at most {MAX_BYTES // 1024} KiB are read")
    if source.text.lstrip().startswith("{"):
        try:
            return parse(source)
        except InputError as problem:
            if problem.diagnostics[0].code != "E502":
                raise
    import yaml

    try:
        node = yaml.compose(source.text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as problem:
        raise error(
            "E502", f"this is not YAML: {_reason(problem)}", _place_of(problem, source), "see the line"
        ) from None
    except (RecursionError, ValueError):
        raise error(
            "E503", f"nested more than {MAX_DEPTH} deep", Place(source, 1, 1), "no file nests that deep"
        ) from None
    if not isinstance(node, yaml.MappingNode):
        given = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise error("E505", f"{source.name} holds {given}, not keys with values", Place(source, 1, 1), "key: value")
    found: Object = _Reader(source).value(node, 1)
    return found


def _reason(problem: Any) -> str:
    return str(getattr(problem, "problem", None) or problem).splitlines()[0]


def _place_of(problem: Any, source: Source) -> Place:
    mark = getattr(problem, "problem_mark", None)
    return Place(source, mark.line + 1, mark.column + 1) if mark is not None else Place(source, 1, 1)


class _Reader:
    """Makes values of PyYAML's nodes."""

    def __init__(self, source: Source) -> None:
        import yaml

        self._source = source
        self._yaml = yaml
        self._scalars = yaml.constructor.SafeConstructor()
        self._left = MAX_NODES

    def value(self, node: Any, depth: int) -> Any:
        self._left -= 1
        place = self._place(node)
        if depth > MAX_DEPTH or self._left < 0:
            what = f"more than {MAX_NODES:,} values" if self._left < 0 else f"nested more than {MAX_DEPTH} deep"
            raise error("E503", what, place, "no file of these tools is like that")
        if isinstance(node, self._yaml.MappingNode):
            out = Object()
            for key, value in self._pairs(node, depth):
                name = str(key.value)
                out[name] = self.value(value, depth + 1)
                out.places[name] = self._place(key)
            return out
        if isinstance(node, self._yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return self._scalar(node, place)

    def _pairs(self, node: Any, depth: int) -> list[tuple[Any, Any]]:
        """Keys and values; those of ``<<`` first, so that the mapping's own win."""
        merged: list[tuple[Any, Any]] = []
        own: list[tuple[Any, Any]] = []
        for key, value in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                raise error("E502", "a key is a name here", self._place(key), "key: value")
            if key.tag == "tag:yaml.org,2002:merge" and depth < MAX_DEPTH:
                for part in value.value if isinstance(value, self._yaml.SequenceNode) else [value]:
                    self._left -= 1
                    if isinstance(part, self._yaml.MappingNode) and self._left > 0:
                        merged += self._pairs(part, depth + 1)
            else:
                own.append((key, value))
        return [*merged, *own]

    def _scalar(self, node: Any, place: Place) -> Any:
        if node.tag in _PLAIN:
            try:
                return self._scalars.construct_object(node)
            except (ValueError, ArithmeticError, self._yaml.YAMLError):
                raise error("E502", "this value cannot be read", place, "write it as a number or a text") from None
        return node.value

    def _place(self, node: Any) -> Place:
        start, end = node.start_mark, node.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Place(self._source, start.line + 1, start.column + 1, max(1, width))


_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str"))
"""Values that are read as such; a date, or any other tag, is the text that stands there."""
