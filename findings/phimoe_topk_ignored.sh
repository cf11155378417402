#!/bin/sh
# transformers 5.24.0: PhiMoE sends each token to two experts, whatever num_experts_per_tok says.
#
# Its router picks a first and a second expert by two masked argmaxes of its own; the key is stored and never read by
# the forward pass. With 1, 2 and 4 the logits are the same to the last bit, and so are the counted FLOPs. Active
# parameters and FLOPs worked out from the key are wrong for every value but 2.
#
# Seen: 3473408 matmul FLOPs for 32 tokens with num_experts_per_tok = 1, 2 and 4; equal logits.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "transformers==5.24.0" "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()


def run(topk: int) -> tuple[int, torch.Tensor]:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "phimoe", hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=320, num_local_experts=8, num_experts_per_tok=topk, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager")
    model = AutoModelForCausalLM.from_config(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = model(torch.arange(32)[None]).logits
    return counter.get_total_flops(), logits


print("transformers", transformers.__version__)
runs = {topk: run(topk) for topk in (1, 2, 4)}
for topk, (flops, logits) in runs.items():
    print(f"num_experts_per_tok = {topk}: {flops} FLOPs, logits equal to those of 2: {torch.equal(logits, runs[2][1])}")
sys.exit(not all(flops == runs[2][0] and torch.equal(logits, runs[2][1]) for flops, logits in runs.values()))
PYTHON
