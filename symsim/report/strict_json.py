"""JSON as its standard has it: the one writer of every command.

Python's own writer prints ``Infinity`` and ``NaN``, which no other reader takes. Here a number that is none is
``null``. No control character is left in a text, so a document may go to a terminal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from symsim.diagnostics import CONTROLS

_UNPRINTABLE = re.compile(f"(?!\n){CONTROLS}")


def json_text(document: Any, indent: int | None = 1, ascii_only: bool = True) -> str:
    """A document of dictionaries, lists, texts, numbers, flags and ``None`` as JSON.

    With ``ascii_only`` letters beyond ASCII are escaped; without, those that can be read stay as they are.
    """
    try:
        text = json.dumps(document, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(document), indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[k]:02x}{units[k + 1]:02x}" for k in range(0, len(units), 2))


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {name: _finite(v) for name, v in value.items()}
        case list() | tuple():
            return [_finite(v) for v in value]
    return value
