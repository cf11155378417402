"""What a command prints, as a text."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any


def captured(show: Callable[[Any], None], document: Any) -> str:
    """What a report prints of a document, where it goes into a pipe."""
    out = io.StringIO()
    with redirect_stdout(out):
        show(document)
    return out.getvalue().rstrip("\n")
