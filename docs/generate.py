"""Write what the pages of this folder take from the program.

``python docs/generate.py``                  everything
``python docs/generate.py accuracy``         ``accuracy.md``, its picture and the table of errors
``python docs/generate.py memory``           the tables of measured peaks
``python docs/generate.py models``           the parameters of the shipped models, which ``list models`` shows
``python docs/generate.py outputs [PAGE …]`` the outputs of commands and Python sessions (``page_outputs``)
``python docs/generate.py slow [PAGE …]``    those, and the outputs that take long

``formulas.md`` and ``accuracy.md`` are written whole, and so is the table between two comments of ``network.md``. A
``text`` block below ``<!-- formulas: MODEL STRATEGY: NAME NAME … -->`` shows those definitions of time.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from page_outputs import run_commands, with_sessions

from symsim import resources
from symsim.analysis.collectives import collective_time
from symsim.analysis.fitting.accuracy import Accuracy, accuracy, known
from symsim.analysis.fitting.bar_coverage import error_bars
from symsim.analysis.fitting.cases_file import load_cases
from symsim.analysis.fitting.error_bar import learned, read, shipped
from symsim.analysis.fitting.memory_cases import measured_peaks
from symsim.analysis.fitting.memory_error import shipped as shipped_peaks
from symsim.analysis.fitting.memory_error import widening
from symsim.analysis.formulas import formulas
from symsim.analysis.parameter_counts import entry
from symsim.diagnostics import Source
from symsim.emit import markdown
from symsim.emit.text import definitions as printed_definitions
from symsim.language.parser import parse_expression
from symsim.language.systems import load_system
from symsim.loading.model_files import source_of
from symsim.loading.question import question
from symsim.records.cost import Definition
from symsim.report import accuracy as report
from symsim.report.error_bars import numbers_table, step_error_table
from symsim.report.memory_accuracy import error_table, widening_table
from symsim.symbols import symbol

DOCS = Path(__file__).resolve().parent
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


def refreshed(page: str, slow: bool = False) -> str:
    """A page with every printed block, session and table as the program gives it now."""
    return with_tables(with_sessions(run_commands(page, slow).page))


def with_tables(page: str) -> str:
    """A page with the formulas and tables that no command prints."""
    page = _FORMULAS.sub(lambda match: f"{match[1]}{formulas_of_time(*match.group(2, 3, 4))}{match[5]}", page)
    return _RESIDUALS.sub(lambda match: f"{match[1]}{residuals()}{match[2]}", page)


# Formulas of time, by their names.

PAGE_WIDTH = 110
"""Characters of a line of formulas."""
_FORMULAS = re.compile(
    r"(<!-- formulas: (\S+) (\S+): ([^\n]*) -->\n\n```text\n)(?:(?!^```).)*(^```$)", re.DOTALL | re.MULTILINE
)


def formulas_of_time(model: str, strategy: str, names: str) -> str:
    """Definitions in the order of the cost model, as ``formula --show time --per moment`` prints them."""
    found = formulas(question(model, strategy, None, needs_sizes=False), "time", "moment")
    wanted = names.split()
    chosen = [d for d in found if d.name in wanted]
    assert len(chosen) == len(wanted), set(wanted) - {d.name for d in chosen}
    blocks = printed_definitions(chosen, "", width=PAGE_WIDTH).split("\n\n")
    return "".join(block.rstrip("\n") + "\n" for block in blocks if " = " in block)


# Messages beside measured ones.

CURVES = DOCS.parent / "tests" / "data" / "collectives.json"
_RESIDUALS = re.compile(r"(<!-- residuals of messages -->\n).*?(<!-- end -->)", re.DOTALL)


def curve_errors(curve: Mapping[str, Any]) -> list[float]:
    """Predicted over measured, less 1, of every point of a curve of ``tests/data/collectives.json``."""
    settings = (given.partition("=") for given in curve["set"])
    own = {name: parse_expression(Source(CURVES.name, value)) for name, _, value in settings}
    system = load_system(curve["system"], own).as_stated()
    groups = 8 if curve.get("side_by_side") else 0
    return [
        collective_time(system, curve["collective"], ranks, size, max(1, groups // ranks), curve.get("copies"))
        / seconds
        - 1
        for ranks, size, seconds in curve["points"]
    ]


def residuals() -> str:
    """A table of the errors of every curve, and what was set beside the machine's own figures."""
    rows = ["| measured | collective | points | mean | worst | bias | fitted to it |", "|---|---|--:|--:|--:|--:|---|"]
    for curve in json.loads(CURVES.read_text(encoding="utf-8")):
        errors = curve_errors(curve)
        sizes = [abs(e) for e in errors]
        cells = [f"{curve['name']}: {curve['source']}", curve["collective"], str(len(errors))]
        cells += [f"{100 * e:.1f} %" for e in (sum(sizes) / len(sizes), max(sizes))]
        cells += [f"{100 * sum(errors) / len(errors):+.1f} %", curve["fitted"]]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


# formulas.md

INTRODUCTION = """\
# Formulas of some models

Written by `python docs/generate.py`; a test holds this page equal to what the compiler derives today. Each section
says which command prints it: any model, any strategy and any depth print the same way (`symsim formula --help`).

A bracket is 1 where its condition holds and 0 elsewhere: $[i = 0]$ marks the first pipeline stage. $i$ counts stages
from 0. Where no model dimension is kept as a symbol, the formulas have the model's own numbers.
"""

GENERAL = """\
The dimensions stay symbols: one set of formulas for all models of the family. With grouped-query attention
$a_{\\mathit{kv}} < a$.
"""

PUBLISHED = """\
Bytes that one layer of a GPT with unfused attention and dropout saves for the backward pass, with
$h_{\\mathit{ffn}} = 4h$, as many key-value heads as heads, and $\\mathit{cp} = 1$. These are the closed forms of
Korthikanti et al. 2022 (Reducing Activation Recomputation in Large Transformer Models, table 2). No operator knows
them: they are the sum of what the operators of the layer save, each by its own text in `models/library/`.
"""

TIME = """\
The whole formula is several hundred lines, one for each phase of each operator; this section shows its skeleton. A
`one.…` is a sum over the operators of one layer (or of the embedding, or the head) of terms like those of the last
part.
"""

OPERATOR = """\
The forward pass of one GEMM and of its message. `matmul.forward.efficiency(m, k, n)` is what the machine states for
this shape, if it was measured there, and otherwise the form after it ([efficiency.md](efficiency.md)). Likewise
the efficiencies and latencies of collectives, by the GPUs that they span.
"""


def formulas_page() -> str:
    sections = [
        INTRODUCTION,
        _section("Llama 3 70B: memory of a stage", "llama3_70b"),
        _section("Llama family, general: memory of a stage", "llama3_70b", keep="all", text=GENERAL),
        _section("Mixtral 8x7B: memory of a stage", "mixtral_8x7b"),
        _published_section(),
        _time_section(),
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(sections)).rstrip() + "\n"


def _section(title: str, model: str, keep: str = "", text: str = "") -> str:
    """Memory of a model's stage, in the tables and displays that ``formula --format markdown`` prints."""
    found = formulas(question(model, None, None, needs_sizes=False), "memory", keep=frozenset(filter(None, [keep])))
    option = f" --keep {keep}" if keep else ""
    command = f"symsim formula {model} --show memory{option} --format markdown"
    heading, _, rest = markdown.definitions(found, title).partition("\n")
    return f"{heading}\n\n```sh\n{command}\n```\n\n{text}{rest}"


def _published_section() -> str:
    heads, hidden = symbol("heads"), symbol("hidden")
    shape = {
        symbol("kv_heads"): heads,
        symbol("head_dim"): hidden / heads,
        symbol("ffn"): 4 * hidden,
        symbol("T"): symbol("seq") * symbol("mbs"),
    }
    keep = frozenset({"hidden", "heads", "kv_heads", "head_dim", "ffn"})
    found = []
    for name, choices in (
        ("A_tensor", "sequence_parallel=false"),
        ("A_sequence", "sequence_parallel=true"),
        ("A_selective", "sequence_parallel=true,recompute={core_attn}"),
        ("A_full", "sequence_parallel=true,recompute=full"),
    ):
        asked = question("gpt3_175b", f"attention=unfused,dropout=true,{choices}", None, needs_sizes=False)
        saved = next(d for d in formulas(asked, "memory", "layer", keep) if d.name == "A")
        expression = saved.expression.subs(shape, simultaneous=True)
        found.append(replace(saved, name=name, expression=expression, meaning=choices.replace(",", ", ")))
    title = "GPT with unfused attention: what a layer saves"
    heading, _, rest = markdown.definitions(found, title).partition("\n")
    command = (
        "symsim formula gpt3_175b --show memory --per layer --keep hidden,heads,kv_heads,head_dim,ffn \\\n"
        "    -s attention=unfused,dropout=true,sequence_parallel=false"
    )
    return f"{heading}\n\n```sh\n{command}\n```\n\n{PUBLISHED}{rest}"


def _time_section() -> str:
    found = formulas(question("llama3_70b", None, None, needs_sizes=False), "time", "total")
    step = [d for d in found if d.name.startswith("time.")]
    stage = [d for d in found if d.name.startswith("stage.") or d.name in _STAGE]
    operator = [d for d in found if d.name in _OPERATOR]
    parts = (("The step", "", step), ("A stage", "", stage), ("An operator", OPERATOR, operator))
    sections = [f"## Llama 3 70B: time of a step\n\n```sh\nsymsim formula llama3_70b --show time\n```\n\n{TIME}"]
    return "\n".join([*sections, *(_without_inputs(title, text, chosen) for title, text, chosen in parts)])


_STAGE = ("F", "B", "p2p", "t", "t_max", "reduce", "gather", "tail")
_OPERATOR = (
    "together.tp",
    "rate.tp.all_gather",
    "delay.tp.all_gather",
    "attention.qkv.forward.efficiency",
    "attention.qkv.forward",
    "attention.qkv.forward.tp",
)


def _without_inputs(title: str, text: str, found: Sequence[Definition]) -> str:
    """A part whose free names other parts of the page define."""
    heading, _, rest = markdown.definitions(found, title, level=3).partition("\n#### inputs")[0].partition("\n")
    return f"{heading}\n\n{text}{rest}"


# accuracy.md

ACCURACY = DOCS.parent / "accuracy"


def accuracy_files(found: Accuracy) -> dict[Path, str]:
    """The page, its picture, and the two tables that answers are given bars from."""
    with (ACCURACY / "peers.csv").open(encoding="utf-8") as file:
        peers = list(csv.DictReader(line for line in file if not line.startswith("#")))
    errors = step_error_table(known(found))
    # Learned from the table as it is written, so that whoever has it finds the same.
    bars = error_bars(read(errors.splitlines()))
    return {
        DOCS / "accuracy.md": report.page(found, peers, bars),
        DOCS / "accuracy.svg": report.picture(found),
        ACCURACY / "errors.csv": errors,
        ACCURACY / "error_bars.csv": numbers_table(bars.learned),
    }


MEASURED_MEMORY = tuple(
    DOCS.parent / "tests" / "data" / f for f in ("memory_cases.json", "framework_memory_cases.json")
)


def memory_files() -> dict[Path, str]:
    """The tables from which ``memory.error_pct`` comes."""
    peaks = list(measured_peaks([case for path in MEASURED_MEMORY for case in load_cases(path)]))
    return {
        ACCURACY / "memory_errors.csv": error_table(peaks),
        ACCURACY / "memory_widening.csv": widening_table(peaks),
    }


def model_files() -> dict[Path, str]:
    """The parameters of the shipped models."""
    entries = (f"{json.dumps(name)}: {json.dumps(entry(source_of(name)))}" for name in resources.shipped("models"))
    return {resources.kept_parameters(): "{\n " + ",\n ".join(entries) + "\n}\n"}


def main() -> None:
    os.environ["SYMSIM_CACHE"] = "off"
    match sys.argv[1:]:
        case ["accuracy"]:
            _write(accuracy_files(accuracy(load_cases(ACCURACY / "cases.json"))))
        case ["memory"]:
            _write(memory_files())
        case ["models"]:
            _write(model_files())
        case ["outputs" | "slow" as which, *names]:
            _write_outputs([Path(name).resolve() for name in names] or PAGES, which == "slow")
        case []:
            _write(model_files())
            # Pages show error bars, which come from the tables of errors.
            _write(memory_files())
            for table in (shipped_peaks, widening):
                table.cache_clear()
            _write(accuracy_files(accuracy(load_cases(ACCURACY / "cases.json"))))
            shipped.cache_clear()
            learned.cache_clear()
            _write({DOCS / "formulas.md": formulas_page()})
            _write_outputs(PAGES, slow=True)
        case _:
            sys.exit(__doc__)


def _write_outputs(pages: Sequence[Path], slow: bool) -> None:
    for path in pages:
        _write({path: refreshed(path.read_text(encoding="utf-8"), slow)})


def _write(written: Mapping[Path, str]) -> None:
    for path, page in written.items():
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")
            print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
