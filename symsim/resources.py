"""Where the files that come with symsim are: grammar, models, strategies, systems.

In a checkout they are next to the package; in a wheel they are carried inside it, under
``symsim/data``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def root() -> Path:
    """The folder that holds ``grammar/``, ``models/``, ``strategies/`` and ``systems/``."""
    package = Path(__file__).resolve().parent
    carried = package / "data"
    return carried if carried.is_dir() else package.parent


def grammar_text(kind: str) -> str:
    return (root() / "grammar" / f"{kind}.lark").read_text(encoding="utf-8")


def shipped(kind: str) -> dict[str, Path]:
    """Name → file of every shipped model, strategy or system (``kind`` is the folder's name)."""
    return {path.stem: path for path in sorted((root() / kind).glob("*.sym"))}


def kept_parameters() -> Path:
    """How many parameters the shipped models have, as JSON."""
    return root() / "models" / "parameters.json"


def library_files() -> tuple[Path, ...]:
    """Operators, blocks and families: what every model may use."""
    folder = root() / "models"
    return tuple(sorted((folder / "library").glob("*.sym")) + sorted((folder / "families").glob("*.sym")))


def rule_files(tool: str) -> tuple[Path, ...]:
    """The rules that read the configuration files of another tool, such as ``huggingface``."""
    return tuple(sorted((root() / "formats" / tool).glob("*.sym")))


def class_table(tool: str) -> Path:
    """What another tool's classes take for keys that a file leaves out, as JSON."""
    return root() / "formats" / tool / "classes.json"


def format_file(tool: str, name: str) -> Path:
    """A table about the files of another tool."""
    return root() / "formats" / tool / name
