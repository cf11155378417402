"""Values for layers in turn, as a file has them: ``[repeat 5 sliding, full]``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

One = int | str | bool


def list_text(values: Sequence[One]) -> str:
    """The shortest turn that gives these values, from the first again after the last; equal ones are counted."""
    written = [value_text(v) for v in values]
    turn = next(n for n in range(1, len(written) + 1) if all(v == written[k % n] for k, v in enumerate(written)))
    if turn == 1:
        return written[0]
    runs = [(text, len(list(equal))) for text, equal in groupby(written[:turn])]
    return f"[{', '.join(text if times == 1 else f'repeat {times} {text}' for text, times in runs)}]"


def value_text(value: One) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
