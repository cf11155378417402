"""A file of another tool as it was read: its text, and what it holds if it is JSON or YAML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from symsim.diagnostics import InputError, Source
from symsim.interop import json_text
from symsim.interop.json_text import Object
from symsim.interop.yaml_text import parse_yaml

JSON = (".json",)
YAML = (".yaml", ".yml")
TEXT = (".sh", ".bash", ".slurm", ".sbatch", ".log", ".txt", ".out", ".toml")
LOGS = (".log", ".out")
"""Of texts, those that may be long and are read as far as their beginning goes."""
SUFFIXES = (*JSON, *YAML, *TEXT)
"""Ends of names by which a file is taken for one of another tool."""


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One file. ``keys`` is ``None`` where the text holds no object; ``problem`` says then what is wrong with it."""

    path: Path
    source: Source
    keys: Object | None
    problem: InputError | None = None

    def has(self, *names: str) -> bool:
        """Whether the object has all these keys."""
        return self.keys is not None and all(name in self.keys for name in names)

    def part(self, *path: str) -> Object:
        """The object inside the object under these keys; an empty one where there is none."""
        found: object = self.keys
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, Object) else Object()


def is_foreign(given: str) -> bool:
    """Whether a name is that of another tool's file."""
    return given.lower().endswith(SUFFIXES)


def read_foreign(path: Path) -> ForeignFile:
    """The file's text, and its object where it has one.

    Raises:
        InputError: it cannot be read, is too long, or is no text.
    """
    suffix = path.suffix.lower()
    source = json_text.read_beginning(path) if suffix in LOGS else json_text.read_text(path)
    if suffix in TEXT:
        return ForeignFile(path, source, None)
    try:
        return ForeignFile(path, source, json_text.parse(source) if suffix in JSON else parse_yaml(source))
    except InputError as problem:
        return ForeignFile(path, source, None, problem)


def merged(files: Iterable[ForeignFile]) -> Object:
    """The keys of several files that belong together, each with its place; of a key in two files the last counts."""
    whole = Object()
    for file in files:
        if file.keys is not None:
            whole.update(file.keys)
            whole.places.update(file.keys.places)
    return whole
