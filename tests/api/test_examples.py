"""Every example of the API's page and of its docstrings prints what it says."""

from __future__ import annotations

import dataclasses
import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symsim

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PUBLIC = [getattr(symsim, n) for n in symsim.__all__ if n != "__version__"]


def documented(thing: Any) -> Iterator[tuple[str, str]]:
    yield thing.__name__, thing.__doc__ or ""
    if isinstance(thing, type):
        for name, member in vars(thing).items():
            if not name.startswith("_") and getattr(member, "__doc__", None) and callable(member):
                yield f"{thing.__name__}.{name}", member.__doc__


EXAMPLES = {name: text for thing in PUBLIC for name, text in documented(thing) if ">>>" in text}


def run(text: str, name: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {"symsim": symsim}, name, None, 0)
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_of_a_docstring(name: str) -> None:
    run(EXAMPLES[name], name)


def test_examples_of_the_page() -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    run("\n\n".join(blocks), "python.md")


def test_every_function_has_an_example() -> None:
    functions = {thing.__name__ for thing in PUBLIC if not isinstance(thing, type)}
    assert functions <= set(EXAMPLES)
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"\n## {name}\n" in page for name in functions)


def members(thing: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class of symsim; fields are listed in its docstring."""
    fields = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    for kind in thing.__mro__:
        if kind.__module__.startswith("symsim"):
            yield from ((n, m) for n, m in vars(kind).items() if not n.startswith("_") and n not in fields)


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda t: t.__name__)
def test_everything_public_has_a_docstring(thing: Any) -> None:
    assert (thing.__doc__ or "").strip()
    if isinstance(thing, type):
        silent = [name for name, member in members(thing) if not (getattr(member, "__doc__", "") or "").strip()]
        assert silent == []
