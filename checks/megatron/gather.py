"""Write ``formats/megatron/arguments.json``: every argument of Megatron-LM's own parser, with its default.

    python checks/megatron/gather.py FOLDER formats/megatron/arguments.json

FOLDER holds an unpacked wheel of megatron-core that has ``megatron/training`` (0.19.2). Needs torch for the CPU;
packages that the parser imports and does not use are replaced by empty ones.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

LEFT_OUT = ("triton", "nvidia_resiliency_ext", "multistorageclient", "wandb")
LISTS = ("+", "*")
TYPES = {
    "int": "int",
    "float": "float",
    "bool": "flag",
    "str": "text",
    "tuple_type": "list",
    "moe_freq_type": "pattern",
    "no_rope_freq_type": "pattern",
    "la_freq_type": "pattern",
}


class Empty(types.ModuleType):
    """A package of which anything may be asked."""

    __path__: list[str] = []  # noqa: RUF012
    __version__ = "3.0.0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        decorators = ("jit", "autotune", "heuristics")
        made = (lambda *a, **k: a[0] if a and callable(a[0]) else lambda f: f) if name in decorators else MagicMock()
        setattr(self, name, made)
        return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: object, target: object = None) -> Any:
        found = name.partition(".")[0] in LEFT_OUT
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if found else None

    def create_module(self, spec: Any) -> types.ModuleType:
        return Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def parser_of(folder: Path) -> argparse.ArgumentParser:
    import typing_extensions

    typing.override = typing_extensions.override  # Python 3.12's, which the package asks for
    sys.meta_path.append(Finder())
    sys.path.insert(0, str(folder))
    from megatron.training.arguments import add_megatron_arguments

    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    add_megatron_arguments(parser)
    return parser


def entry(action: argparse.Action) -> dict[str, Any]:
    """One argument as a row."""
    kind = type(action).__name__
    default = action.default
    shown = default if isinstance(default, int | float | str | bool | list | None) else str(default).rpartition(".")[2]
    row: dict[str, Any] = {"name": action.dest, "flags": list(action.option_strings)}
    if kind in ("_StoreTrueAction", "_StoreFalseAction"):
        row["sets"] = kind == "_StoreTrueAction"
    elif kind == "BooleanOptionalAction":
        row["switch"] = True
    else:
        row["type"] = TYPES.get(getattr(action.type, "__name__", "str"), "text")
        if action.nargs in LISTS or isinstance(action.nargs, int):
            row["many"] = True
    row["default"] = shown
    if action.choices:
        row["choices"] = [c if isinstance(c, int) else str(c).rpartition(".")[2] for c in action.choices]
    return row


def main() -> None:
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [entry(action) for action in parser_of(folder)._actions]
    version = next(folder.glob("megatron_core-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    lines = ",\n".join(json.dumps(row) for row in rows)
    source = f"megatron-core {version}, megatron/training/arguments.py"
    output.write_text(f'{{"source": "{source}", "arguments": [\n{lines}\n]}}\n')
    print(len(rows), "arguments")


if __name__ == "__main__":
    main()
