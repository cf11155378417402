#!/bin/sh
# DeepSpeed 0.19.8: tensor parallelism by its file (tensor_parallel.autotp_size) is not in train = micro * steps * ranks.
#
# The product counts every rank, those of one tensor-parallel group too, although they see the same samples. With 8
# ranks, autotp_size 4, train_batch_size 64 and a micro-batch of 2 DeepSpeed makes 4 accumulation steps, so that 2
# groups see 2 * 4 * 2 = 16 samples in a step, not 64. sequence_parallel_size, on the other hand, does divide the ranks.
#
# Seen: autotp 4 -> 4 steps, 16 samples of a step; sequence 4 -> 16 steps, 64 samples.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "torch==2.13.0" "numpy<3" setuptools wheel
DS_BUILD_OPS=0 "$folder/venv/bin/pip" install -q --no-build-isolation "deepspeed==0.19.8"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import deepspeed
import deepspeed.runtime.config as configuration

RANKS, MICRO, TRAIN = 8, 2, 64
configuration.dist.get_world_size = lambda *_, **__: RANKS
configuration.dist.get_rank = lambda *_, **__: 0


def steps(**further: object) -> int:
    keys = {"train_batch_size": TRAIN, "train_micro_batch_size_per_gpu": MICRO, **further}
    return int(configuration.DeepSpeedConfig(keys).gradient_accumulation_steps)


print("deepspeed", deepspeed.__version__)
groups = RANKS // 4
seen = {
    "autotp": steps(tensor_parallel={"autotp_size": 4}),
    "sequence": steps(sequence_parallel_size=4),
}
for kind, count in seen.items():
    print(f"{kind} 4: {count} steps, {MICRO * count * groups} different samples in a step of {TRAIN}")
sys.exit(seen != {"autotp": 4, "sequence": 16})
PYTHON
