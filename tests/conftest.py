"""Every test run has a cache folder of its own; properties are never timed."""

from __future__ import annotations

import os
import tempfile

from hypothesis import settings

os.environ["SYMSIM_CACHE"] = tempfile.mkdtemp(prefix="symsim-cache-")
settings.register_profile("symsim", deadline=None)
settings.load_profile("symsim")
