"""Choices written in another way on the command line: ``tp:8``, ``tp=8 pp=4``, ``--tp 8``; what to type instead."""

from __future__ import annotations

import re
import shlex

from symsim.records.strategy import CHOICES

LONGEST = 1000
"""Letters up to which a text is read as choices."""

_VALUE = r"\{[^{}]*\}|\"[^\"]*\"|[^\s,;:={}]+"
_CHOICE = re.compile(
    rf"-{{0,2}}(?:(?P<name>[A-Za-z_]\w*)(?P<between>\s+in\s+|\s*[=:]\s*|\s+)(?P<value>{_VALUE})"
    r"|(?P<short>[A-Za-z_]+)(?P<count>\d+)(?![\w.]))[\s,;]*"
)


def retyped(text: str) -> str | None:
    """The choices as ``-s`` takes them, ``tp=8,pp=4``; ``None`` where the text is none that one can tell."""
    if len(text) > LONGEST:
        return None
    found, end = [], 0
    for match in _CHOICE.finditer(text.strip()):
        name, value = match["name"] or match["short"], match["value"] or match["count"]
        if match.start() != end or name not in CHOICES:
            return None
        among = (match["between"] or "").strip() == "in"
        found.append(f"{name}{' in ' if among else '='}{value}")
        end = match.end()
    return ",".join(found) if found and end == len(text.strip()) else None


def strategy_hint(text: str) -> str | None:
    """What to type in place of a strategy that cannot be read."""
    meant = retyped(text)
    return None if meant is None or meant == text else f"choices are NAME=VALUE with commas: -s {shlex.quote(meant)}"


def setting_hint(text: str) -> str | None:
    """What to type in place of a setting that cannot be read."""
    meant = retyped(text)
    if meant is None or (meant == text and "," not in meant):
        return None
    return "write " + " ".join(f"--set {shlex.quote(part)}" for part in _parts(meant))


def _parts(choices: str) -> list[str]:
    """Choices between commas that no bracket encloses."""
    return re.split(r",(?![^{]*\})", choices)
