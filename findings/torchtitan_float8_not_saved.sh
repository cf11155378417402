#!/bin/sh
# torchtitan 0.3.0: the configuration that a run saves and logs does not say that its linears are float8.
#
# The registered llama3_405b converts its linears to float8. In the JSON of debug.save_config_file, and in the line
# "Running with configs", each of them has the same keys as one that stays bf16: the kind of a part is not written, and
# nothing else tells them apart. Who reads such a file takes half the bytes and twice the speed of its GEMMs for bf16.
#
# Seen: a linear of llama3_405b and one of llama3_70b have the same keys; no text of either file has "float8".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "torch==2.13.0" "numpy<3" "spmd_types==0.2.3" "datasets<4.8" torch_checkpointing torchdata \
    tokenizers safetensors tyro tensorboard einops pillow torchao triton
"$folder/venv/bin/pip" install -q --no-deps "torchtitan==0.3.0"
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import json
import sys
from importlib.metadata import version

import torchtitan.components.quantization.float8 as float8
import torchtitan.tools.utils as utils

# A GPU is asked for when the configuration is made; none is needed to write it down.
utils.has_cuda_capability = float8.has_cuda_capability = lambda *_: True

from torchtitan.models.llama3.config_registry import llama3_70b, llama3_405b


def saved(configuration: object) -> dict:
    return json.loads(json.dumps(configuration.to_dict(), default=str))


print("torchtitan", version("torchtitan"))
large, small = llama3_405b(), llama3_70b()
kinds = [type(c.model_spec.model.layers[3].feed_forward.w1).__qualname__ for c in (large, small)]
keys = [sorted(saved(c)["model_spec"]["model"]["layers"][3]["feed_forward"]["w1"]) for c in (large, small)]
said = ["float8" in json.dumps(saved(c)["model_spec"]).lower() for c in (large, small)]
print("kinds in Python:", kinds)
print("keys in the file:", keys)
print("float8 in the file:", said)
sys.exit(not (kinds[0] != kinds[1] and keys[0] == keys[1] and said == [False, False]))
PYTHON
