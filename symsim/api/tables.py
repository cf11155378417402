"""Tables of other packages, told by what they can do: dictionaries of arrays, data frames, Arrow tables.

Nothing is imported for them: what comes back is made by the class of what was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim.api.columns import Columns
from symsim.diagnostics import error

LEGAL = "legal"
"""The column that says which rows are legal plans."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was given, and its columns by name."""

    whole: Any
    columns: Mapping[str, Any]

    def answered(self, found: Columns) -> Any:
        """The answer behind the table's own columns, as a table of the same kind; of a dictionary the answer alone."""
        if isinstance(self.whole, Mapping):
            return found
        made: dict[str, Any] = {n: v if v.ndim == 1 else [row.tolist() for row in v] for n, v in found.items()}
        made[LEGAL] = found.legal
        if hasattr(self.whole, "assign"):
            return self.whole.assign(**made)
        columns = {**self.columns, **made}
        kind = type(self.whole)
        if hasattr(kind, "from_pydict"):
            return kind.from_pydict(columns)
        if hasattr(self.whole, "index"):
            return kind(columns, index=self.whole.index)
        return kind(columns)


def table_of(given: Any) -> Table:
    """The columns of a table.

    Raises:
        InputError: what is no table, or has a column without a name.
    """
    if isinstance(given, Mapping):
        columns = dict(given)
    elif hasattr(given, "column_names") and hasattr(given, "column"):
        columns = {n: given.column(n) for n in given.column_names}
    elif hasattr(given, "columns") and hasattr(given, "__getitem__"):
        columns = {n: given[n] for n in given.columns}
    else:
        message = f"this is not a table, but of type {type(given).__name__}"
        raise error("E384", message, None, "a dictionary of arrays, a data frame, or an Arrow table")
    if not columns:
        raise error("E384", "the table has no columns", None, "columns are sizes and choices by name, such as tp")
    for name in columns:
        if not isinstance(name, str):
            message = f"a column is called {name!r}, which is not text"
            raise error("E384", message, None, "columns are sizes and choices by name, such as tp")
    return Table(given, columns)
