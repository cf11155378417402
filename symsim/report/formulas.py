"""Formulas as text, LaTeX, Markdown, Python or JSON."""

from __future__ import annotations

from functools import partial

from symsim.loading.question import Question
from symsim.machine.bind import measured
from symsim.records.cost import Definition
from symsim.report.page_width import PAGE_WIDTH
from symsim.report.strict_json import json_text

FORMATS = ("text", "latex", "markdown", "python", "json")
WHOLE = ("python", "json")
"""Formats that say all that an answer is made of, however much it is."""

TITLES = {
    "memory": "memory of one GPU on pipeline stage i",
    "params": "parameters",
    "flops": "floating-point operations",
    "communication": "messages of one GPU on pipeline stage i",
    "time": "time of one step",
    "run": "the whole training run",
    "all": "parameters, memory, FLOPs, messages and time",
}

SHORTEST_LINE = 60
"""Columns that a page of formulas needs."""


def printed(
    asked: Question, found: tuple[Definition, ...], show: str, form: str, kept: bool, width: int = PAGE_WIDTH
) -> str:
    """Formulas in a format. ``kept``: dimensions of the model stay symbols, so text says what each name is."""
    from symsim.emit import json as as_json
    from symsim.emit import latex, markdown, python, text

    title = f"{asked.model.name} · {TITLES[show]}"
    match form:
        case "latex":
            out = latex.definitions(found, title)
        case "markdown":
            out = markdown.definitions(found, title)
        case "python":
            tables = partial(measured, asked.system) if asked.system is not None else None
            out = python.module(found, title, f"{asked.model.name}_{show}", measured=tables)
        case "json":
            out = json_text(as_json.definitions(found, title), ascii_only=False)
        case _:
            out = text.definitions(found, title, width=max(SHORTEST_LINE, width), inputs=kept)
            if show in ("time", "all") and any(
                str(s).startswith("one.") for d in found for s in d.expression.free_symbols
            ):
                out = (
                    out.rstrip() + "\n\none.… are times of one layer, embedding or head: --per layer, --per operator\n"
                )
    return out if out.endswith("\n") else out + "\n"
