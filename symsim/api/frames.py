"""Rows as a data frame of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from symsim.diagnostics import error


def frame_of(columns: Mapping[str, Any]) -> Any:
    """A ``pandas.DataFrame`` with these columns.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError:
        message = "a data frame needs pandas, which is not installed"
        raise error("E386", message, None, "pip install pandas; to_dict() needs nothing") from None
    return pandas.DataFrame(dict(columns))


def frame_of_rows(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The same of rows that have the same names."""
    return frame_of({name: [row[name] for row in rows] for name in (rows[0] if rows else ())})
