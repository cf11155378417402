#!/bin/sh
# megatron-core 0.16.1: ends of a pipeline that have more layers than the model are accepted, and build another model.
#
# num_layers_in_first_pipeline_stage and num_layers_in_last_pipeline_stage are checked against the stages between: what is
# left has to divide. -4 layers on one stage divide. The first and the last stage then build six layers each of a model of
# eight, the one between builds none, and nothing is said.
#
# Seen: layers of the three stages of an 8-layer model with 6 first and 6 last: 6, -4, 6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "torch==2.13.0" "numpy<3" einops packaging "megatron-core==0.16.1"
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from megatron.core.transformer.transformer_block import get_num_layers_to_build
from megatron.core.transformer.transformer_config import TransformerConfig

print("megatron-core", version("megatron-core"))
config = TransformerConfig(
    num_layers=8, hidden_size=64, num_attention_heads=4, pipeline_model_parallel_size=3, pipeline_dtype=torch.bfloat16,
    num_layers_in_first_pipeline_stage=6, num_layers_in_last_pipeline_stage=6,
)
built = [get_num_layers_to_build(config, None, rank) for rank in range(3)]
print("layers of the stages:", built, "of", config.num_layers)
sys.exit(built != [6, -4, 6])
PYTHON
