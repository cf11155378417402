"""The plans of a search as rows: one for each of the best and of the front, in the order of the answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from symsim.diagnostics import error

NUMBERS = (
    "objective",
    "iteration_s",
    "peak_bytes",
    "device_bytes",
    "capacity_bytes",
    "bubble_share",
    "tokens_per_s_per_gpu",
    "mfu",
    "mfu_causal",
    "hfu",
    "model_tflops_per_gpu",
)

Row = Mapping[str, Any]


def rows(result: Mapping[str, Any]) -> list[Row]:
    """Rows of a document of ``search``: ``rank`` is null where a plan is of the front alone."""
    best = list(result["plans"])
    front = list(result["pareto"] or ())
    on_front = [_identity(plan) for plan in front]
    among = [_identity(plan) for plan in best]
    every: list[tuple[int | None, Row]] = [(k + 1, plan) for k, plan in enumerate(best)]
    every += [(None, plan) for plan in front if _identity(plan) not in among]
    names = [n for n in result["searched"] if every and n in every[0][1]["strategy"]]
    return [
        {
            "rank": rank,
            **({"on_front": _identity(plan) in on_front} if result["pareto"] is not None else {}),
            **{n: plan[n] for n in NUMBERS},
            "near_limit": plan["near_limit"],
            **{f"pareto.{n}": v for n, v in plan.get("pareto", {}).items()},
            **plan["figures"],
            **{n: _cell(plan["strategy"][n]) for n in dict.fromkeys([*names, *plan["strategy"]])},
        }
        for rank, plan in every
    ]


def _identity(plan: Mapping[str, Any]) -> str:
    return repr((plan["strategy"], plan["figures"]))


def _cell(value: Any) -> Any:
    return "+".join(value) if isinstance(value, list) else value


def as_csv(result: Mapping[str, Any]) -> bytes:
    """Comma-separated, with a header; what is null is empty."""
    found = rows(result)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(found[0]) if found else ["rank"])
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().encode()


def check_parquet() -> None:
    """Raises InputError if pyarrow is not installed."""
    _pyarrow()


def as_parquet(result: Mapping[str, Any]) -> bytes:
    """The same as a Parquet file. Numbers are doubles, sizes whole numbers.

    Raises:
        InputError: pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    from pyarrow import parquet

    found = rows(result)
    columns = {name: [row[name] for row in found] for name in (found[0] if found else {"rank": None})}
    columns = {n: [float(v) if v is not None else v for v in c] if n in NUMBERS else c for n, c in columns.items()}
    out = io.BytesIO()
    parquet.write_table(pyarrow.table({n: _one_type(c) for n, c in columns.items()}), out)
    return out.getvalue()


def _one_type(column: list[Any]) -> list[Any]:
    """Whole and broken numbers become doubles; words next to numbers, words."""
    kinds = {type(v) for v in column if v is not None}
    if kinds == {int, float}:
        return [None if v is None else float(v) for v in column]
    return [None if v is None else str(v) for v in column] if len(kinds) > 1 else column


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        hint = "pip install 'symsim[table]', or write --csv"
        raise error("E006", "--parquet needs pyarrow, which is not installed", hint=hint) from None
    return pyarrow
