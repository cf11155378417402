"""The configuration that torchtitan writes into its log: ``Running with configs: {…}``, over many lines or in one.

Each line may have what a launcher puts before it (``[rank0]:``).
"""

from __future__ import annotations

import re

from symsim.diagnostics import Place, Source, error

MARK = "Running with configs: {"
_PREFIX = re.compile(r"(?:\[?(?:rank|default)?\d+\]?:\s?)?")


def has_configuration(source: Source) -> bool:
    """Whether a text holds the line."""
    return MARK in source.text


def configuration(source: Source) -> Source:
    """The JSON of the line alone, at its own lines of the log.

    Raises:
        InputError: it does not end.
    """
    start = source.text.index(MARK) + len(MARK) - 1
    before = source.text[:start]
    head = before[before.rfind("\n") + 1 :]
    prefix = _PREFIX.match(head)
    launcher = prefix[0] if prefix is not None else ""
    depth, quoted, escaped = 0, False, False
    out = ["\n" * before.count("\n"), " " * len(head)]
    for line in source.text[start:].splitlines(keepends=True):
        cut = len(launcher) if len(out) > 2 and launcher and line.startswith(launcher) else 0
        out.append(" " * cut)
        for at, letter in enumerate(line[cut:]):
            if quoted:
                if escaped or letter == "\\":
                    escaped = not escaped
                elif letter == '"':
                    quoted = False
                continue
            quoted = letter == '"'
            depth += (letter in "{[") - (letter in "}]")
            if depth == 0:
                out.append(line[cut : cut + at + 1])
                return Source(source.name, "".join(out))
        out.append(line[cut:])
    place = Place(source, before.count("\n") + 1, len(head) + 1)
    raise error("E502", "the configuration of this log does not end", place, "give the whole log")
