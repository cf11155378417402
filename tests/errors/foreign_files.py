"""Files of other tools that are of the wrong kind, or wrong."""

from __future__ import annotations

import json

from tests.errors.case import Case
from tests.errors.configurations import LLAMA

GALVATRON = json.dumps({"pp_deg": 1, "tp_sizes_enc": "1,1", "dp_types_enc": "0,0", "checkpoint": "0,0"})

CASES = [
    Case("text of no kind", "E520", ("eval", "run.sh", "-s", "tp=1"), "run.sh is of no kind that is known here",
         "read are: a config.json of Hugging Face", "run.sh:1:1", {"run.sh": "echo hello\n"}),
    Case("configuration for arguments", "E520", ("import", "megatron", "config.json"),
         "config.json is a config.json of Hugging Face", "symsim import hf config.json", "config.json:1:1",
         {"config.json": json.dumps(LLAMA)}, False),
    Case("plan of a planner", "E521", ("eval", "plan.json", "-s", "tp=1"), "plan.json is a plan of Hetu-Galvatron",
         "one strategy for all layers", "plan.json:1:1", {"plan.json": GALVATRON}),
]  # fmt: skip
