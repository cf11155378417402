"""Files of other tools, written for a test and read as a command reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from symsim.diagnostics import InputError, Source
from symsim.interop import formats
from symsim.interop.foreign_file import read_foreign
from symsim.language.strategies import Strategy, strategy_of
from symsim.loading.run_files import parts_of


class Folder:
    """A folder of files; texts are written as they are, anything else as JSON."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self, tool: str, files: dict[str, Any], lenient: bool = False) -> str:
        """What ``symsim import`` prints for the files."""
        paths = []
        for name, content in files.items():
            paths.append(self.path / name)
            paths[-1].write_text(content if isinstance(content, str) else json.dumps(content, indent=0), "utf-8")
        return formats.translated([read_foreign(path) for path in paths], tool, lenient).text

    def strategy(self, tool: str, files: dict[str, Any], lenient: bool = False) -> Strategy:
        """The strategy that the files say."""
        found = parts_of(Source("read", self.text(tool, files, lenient))).strategy
        assert found is not None
        return strategy_of(found)

    def problem(self, tool: str, files: dict[str, Any]) -> str:
        """The first error, with its code and the line of the file that it points at."""
        try:
            self.text(tool, files)
        except InputError as problem:
            first = problem.diagnostics[0]
            line = first.place.source.line(first.place.line).strip() if first.place is not None else ""
            return f"{first.code} {first.message} | {line}"
        raise AssertionError("the files are read")
