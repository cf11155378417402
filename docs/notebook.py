"""Run docs/symsim.ipynb and store what its cells show: ``python docs/notebook.py``.

A notebook is a JSON document; its cells are run in order in one namespace, without Jupyter. Pictures are drawn only
where matplotlib is there.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent / "symsim.ipynb"
PICTURE = "matplotlib"
"""A cell that has this word draws."""


def run(notebook: dict[str, Any], pictures: bool) -> list[list[dict[str, Any]]]:
    """What every code cell shows, in order; without ``pictures`` cells that draw are passed over."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [
        _shown("".join(c["source"]), namespace, k) if pictures or not draws(c) else [] for k, c in enumerate(cells, 1)
    ]


def draws(cell: dict[str, Any]) -> bool:
    return PICTURE in "".join(cell["source"])


def _shown(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value: Any = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<cell {count}>", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"<cell {count}>", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data = _data(value)
        outputs.append({"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data})
    return outputs


def _data(value: Any) -> dict[str, Any]:
    """The forms in which a value shows itself."""
    if hasattr(value, "savefig"):
        return {"image/png": _picture(value), "text/plain": ["<Figure>"]}
    found = {"text/plain": _lines(repr(value))}
    for name, kind in (("_repr_html_", "html"), ("_repr_latex_", "latex"), ("_repr_markdown_", "markdown")):
        form = getattr(value, name, lambda: None)()
        if form is not None:
            found[f"text/{kind}"] = _lines(form)
    return found


def _picture(figure: Any) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=60, metadata={"Software": None})
    return base64.b64encode(out.getvalue()).decode("ascii")


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def executed(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with what its cells show now."""
    shown = iter(run(notebook, pictures=True))
    count = iter(range(1, len(notebook["cells"]) + 1))
    cells = [
        {**cell, "execution_count": next(count), "outputs": next(shown)} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    return {**notebook, "cells": cells}


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    known = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    NOTEBOOK.write_text(json.dumps(executed(known), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
