"""A file of a run: a model, a strategy, or both in one text, of this language or translated from another tool's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from symsim.compiler import cache
from symsim.diagnostics import Source
from symsim.interop.foreign_file import ForeignFile, is_foreign, read_foreign
from symsim.language.models import model_source
from symsim.resources import shipped

_STRATEGY = re.compile(r"^strategy[ \t]+[A-Za-z_]", re.MULTILINE)
"""Where the strategy begins in the text of a run: its header."""


@dataclass(frozen=True, slots=True)
class Run:
    """The text of a model, that of a strategy, or both; lines and columns are those of the file."""

    model: Source | None
    strategy: Source | None


def run_of(given: str) -> Run:
    """What a command line names where a model stands.

    A file of another tool is translated; a Hugging Face ``config.json`` may be named by its folder. Shipped names win.

    Raises:
        InputError: it cannot be read, or nothing here knows it.
    """
    path = foreign_path(given)
    return parts_of(_translated(path) if path is not None else model_source(given))


def run_of_pair(model: str, strategy: str) -> Run | None:
    """The model and the strategy of one tool, read together where what one file says depends on the other.

    Raises:
        InputError: a file cannot be read, or what they say is wrong.
    """
    paths = (foreign_path(model), foreign_path(strategy))
    if paths[0] is None or paths[1] is None:
        return None
    read = [read_foreign(paths[0]), read_foreign(paths[1])]
    key = cache.key_of("pair", *(part for file in read for part in (str(file.path.absolute()), file.source.text)))
    known = cache.read(key)
    if not isinstance(known, dict) or not isinstance(known.get("text"), str):
        known = {"text": _translated_pair(read)}
        cache.write(key, known)
    return parts_of(Source(f"{paths[0]} (translated)", known["text"])) if known["text"] else None


def _translated_pair(files: Sequence[ForeignFile]) -> str:
    """The text of two files that are read together; an empty one where each is read by itself."""
    from symsim.interop import formats

    kinds = [formats.kind_of(file) for file in files]
    return formats.translated(files, kinds[0].tool).text if kinds[0] and formats.are_pair(*kinds) else ""


def parts_of(source: Source) -> Run:
    """Model and strategy of one text, each with the other's lines left empty."""
    found = _STRATEGY.search(source.text)
    if found is None:
        return Run(source, None)
    before, after = source.text[: found.start()], source.text[found.start() :]
    strategy = Source(source.name, "\n" * before.count("\n") + after)
    return Run(Source(source.name, before) if _holds_something(before) else None, strategy)


def _holds_something(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.split("\n"))


def foreign_path(given: str) -> Path | None:
    """The file of another tool that a name stands for: one with such an ending, or the config.json of a folder."""
    if is_foreign(given):
        return Path(given)
    inside = Path(given) / "config.json"
    try:
        return inside if given and given not in shipped("models") and inside.is_file() else None
    except (OSError, ValueError):
        return None


def _translated(path: Path) -> Source:
    """The text of another tool's file, kept where it rests on that file alone: rules need not be read again."""
    read = read_foreign(path)
    key = cache.key_of("translated", str(path), str(path.absolute()), read.source.text)
    known = cache.read(key)
    if isinstance(known, dict) and isinstance(known.get("text"), str):
        return Source(f"{path} (translated)", known["text"])
    from symsim.interop import formats

    source = formats.translated([read])
    kind = formats.kind_of(read)
    if kind is None or not kind.reads_others:
        cache.write(key, {"text": source.text})
    return source
