"""Golden files: what was printed when a person last looked at it.

``SYMSIM_REFRESH_GOLDEN=1 pytest tests/emit`` writes them anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, printed: str) -> None:
    path = _FOLDER / name
    if os.environ.get("SYMSIM_REFRESH_GOLDEN"):
        path.write_text(printed, encoding="utf-8")
    assert printed == path.read_text(encoding="utf-8")
