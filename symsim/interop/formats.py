"""Every kind of file of another tool: which it is, and who translates it.

A tool is a package here with a module ``files``: ``KINDS``, the kinds of its files, the most certain first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.foreign_file import JSON, ForeignFile

TOOLS = {
    "megatron": "megatron",
    "simumax": "simumax",
    "deepspeed": "deepspeed",
    "accelerate": "accelerate",
    "nanotron": "nanotron",
    "torchtitan": "torchtitan",
    "primus": "primus",
    "calculon": "calculon",
    "estimator": "estimator",
    "hf": "huggingface",
}
"""Word of ``symsim import`` → package of the tool, in the order in which a file is tried.

Files of several tools have a ``model_type``: Hugging Face's are asked for last.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file. ``translate`` gives text of the language: a model, a strategy, or one behind the other.

    ``reads_others``: whether the translation opens files that this one names. A kind that is only recognised has
    ``refused``: what to give in its place. ``pairs``: a file of another such kind of the tool may be needed to read it.
    """

    tool: str
    title: str
    recognise: Callable[[ForeignFile], bool]
    translate: Callable[[Sequence[ForeignFile], bool], str] | None = None
    refused: str = ""
    reads_others: bool = False
    pairs: bool = False


RECOGNISED = "recognised"
"""The package of kinds that are refused whatever the tool; asked for first, as their files share names with others."""


def kinds(tool: str) -> Sequence[Kind]:
    """The kinds of files of a tool."""
    found: Sequence[Kind] = import_module(f"symsim.interop.{TOOLS.get(tool, tool)}.files").KINDS
    return found


def kind_of(file: ForeignFile, tool: str | None = None) -> Kind | None:
    """The kind of a file, among all tools or those of one."""
    return next((kind for kind in _every(tool) if kind.recognise(file)), None)


def translated(files: Sequence[ForeignFile], tool: str | None = None, lenient: bool = False) -> Source:
    """Text of the language for a file, and others that belong to it; named after the first.

    Raises:
        InputError: nothing knows the file, it is refused by its kind, or what it says is wrong.
    """
    first = files[0]
    refused = kind_of(first, RECOGNISED)
    if refused is not None:
        raise error("E521", f"{first.path} is {refused.title}", Place(first.source, 1, 1), refused.refused)
    kind = next((kind for file in files if (kind := kind_of(file, tool)) is not None), None)
    if kind is None:
        if first.problem is not None:
            raise first.problem
        if tool in (None, "hf") and first.path.suffix.lower() in JSON and kind_of(first) is None:
            kind = kinds("hf")[0]
    if kind is None:
        other = kind_of(first) if tool is not None else None
        place = Place(first.source, 1, 1)
        if other is not None:
            hint = f"symsim import {other.tool} {first.path}" if other.translate else other.refused
            raise error("E520" if other.translate else "E521", f"{first.path} is {other.title}", place, hint)
        of_tool = "" if tool is None else f" of {tool}"
        hint = "'symsim import --help' lists the tools whose files are read" if tool is None else known_kinds(tool)
        raise error("E520", f"{first.path} is of no kind{of_tool} that is known here", place, hint)
    if kind.translate is None:
        raise error("E521", f"{first.path} is {kind.title}", Place(first.source, 1, 1), kind.refused)
    return Source(f"{first.path} (translated)", kind.translate(files, lenient))


def known_kinds(tool: str) -> str:
    """What is read of a tool, in words."""
    titles = dict.fromkeys(kind.title for kind in kinds(tool) if kind.translate is not None)
    return f"read are: {'; '.join(titles)}"


def no_machine(file: ForeignFile) -> InputError:
    """What is said of another tool's file that stands where a machine does."""
    kind = kind_of(file)
    title = kind.title if kind is not None else "of no kind that is known here"
    hint = kind.refused if kind is not None and kind.translate is None else NAME_A_MACHINE
    return error("E521", f"{file.path} is {title}, and no machine that is read", Place(file.source, 1, 1), hint)


NAME_A_MACHINE = "name a machine with -y, shipped ('symsim list systems') or a .sym file of yours (docs/machines.md)"


def are_pair(first: Kind | None, second: Kind | None) -> bool:
    """Whether files of two kinds are read together: the model and the strategy of one tool."""
    if first is None or second is None or first.translate is None or second.translate is None:
        return False
    return first.pairs and second.pairs and first.tool == second.tool and first.title != second.title


def by_kind(files: Sequence[ForeignFile], tool: str, titles: Sequence[str]) -> list[ForeignFile | None]:
    """Files that belong together, at most one of each kind, in the order of the ``titles`` of the kinds.

    Raises:
        InputError: E520, a file is of another kind, or two are of one.
    """
    found: dict[str, ForeignFile] = {}
    for file in files:
        kind = kind_of(file, tool) or kind_of(file)
        place = Place(file.source, 1, 1)
        if kind is None or kind.title not in titles:
            if file.problem is not None:
                raise file.problem
            title = kind.title if kind is not None else "of no kind that is known here"
            raise error("E520", f"{file.path} is {title}", place, f"what belongs together here: {', '.join(titles)}")
        if kind.title in found:
            raise error("E520", f"{file.path} is {kind.title} too", place, f"give one: {found[kind.title].path}")
        found[kind.title] = file
    return [found.get(title) for title in titles]


def _every(tool: str | None) -> Iterator[Kind]:
    return (kind for name in ([tool] if tool is not None else [RECOGNISED, *TOOLS]) for kind in kinds(name))
