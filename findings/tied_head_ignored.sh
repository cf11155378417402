#!/bin/sh
# transformers 5.24.0: tie_word_embeddings = true ties nothing in Nemotron-H, Kimi-Linear and Bailing-Hybrid.
#
# Their causal language models name no tied weights, so the head stays a matrix of its own, without a word: a
# configuration that asks for a tied head has as many parameters as one that does not. A Llama of the same sizes
# loses the head. Whoever counts parameters from the key alone is a vocabulary times the width short.
#
# Seen: llama 102720 -> 82240; nemotron_h 83736 -> 83736; kimi_linear 141828 -> 141828; bailing_hybrid 129512 -> 129512.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "transformers==5.24.0" "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import transformers
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
SIZES = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
         "vocab_size": 320, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
EXPERTS = {"num_hidden_layers": 2, "num_local_experts": 4, "moe_intermediate_size": 32, "kv_lora_rank": 16}
OWN = {
    "llama": {"num_hidden_layers": 2},
    "nemotron_h": {"layers_block_type": ["linear_attention", "mlp"], "mamba_num_heads": 8, "mamba_head_dim": 16,
                   "n_groups": 2, "ssm_state_size": 16},
    "kimi_linear": {**EXPERTS, "linear_num_heads": 2, "linear_head_dim": 32},
    "bailing_hybrid": {**EXPERTS, "n_group": 1, "topk_group": 1, "head_dim": 16},
}


def parameters(model_type: str, tied: bool) -> int:
    config = AutoConfig.for_model(model_type, tie_word_embeddings=tied, **SIZES, **OWN[model_type])
    return sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())


print("transformers", transformers.__version__)
as_expected = True
for model_type in OWN:
    apart, tied = parameters(model_type, False), parameters(model_type, True)
    print(f"{model_type:15} untied {apart:7} tied {tied:7} difference {apart - tied}")
    as_expected &= apart - tied == (320 * 64 if model_type == "llama" else 0)
sys.exit(not as_expected)
PYTHON
