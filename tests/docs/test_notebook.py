"""The notebook runs from its first cell to its last, and shows what it has stored."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_notebook", DOCS / "notebook.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


notebook = _loaded()


def has_matplotlib() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def without_pictures(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pictures depend on the fonts that a machine has."""
    return [
        {**o, "data": {n: d for n, d in o["data"].items() if n != "image/png"}} if "data" in o else o for o in outputs
    ]


def test_every_cell_shows_what_it_has_stored() -> None:
    if has_matplotlib():
        import matplotlib

        matplotlib.use("Agg")
    stored = json.loads((DOCS / "symsim.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    shown = notebook.run(stored, pictures=has_matplotlib())
    assert len(cells) == len(shown) >= 10
    for cell, outputs in zip(cells, shown, strict=True):
        if has_matplotlib() or not notebook.draws(cell):
            assert without_pictures(outputs) == without_pictures(cell["outputs"]), "run: python docs/notebook.py"


def test_a_picture_is_stored() -> None:
    stored = json.loads((DOCS / "symsim.ipynb").read_text(encoding="utf-8"))
    drawn = [cell for cell in stored["cells"] if cell["cell_type"] == "code" and notebook.draws(cell)]
    assert drawn and all("image/png" in cell["outputs"][-1]["data"] for cell in drawn)
