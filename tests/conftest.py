"""Every test run has a cache folder of its own."""

from __future__ import annotations

import os
import tempfile

os.environ["SYMSIM_CACHE"] = tempfile.mkdtemp(prefix="symsim-cache-")
