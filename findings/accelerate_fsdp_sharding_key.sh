#!/bin/sh
# accelerate 1.15.0: with FSDP version 1 the key fsdp_reshard_after_forward, which its own questionnaire writes, does nothing.
#
# A file without fsdp_version is one of version 1, where fsdp_sharding_strategy alone decides, and is FULL_SHARD where it
# is left out: fsdp_reshard_after_forward: SHARD_GRAD_OP or NO_SHARD is passed on, and FULL_SHARD runs, without a
# warning. In version 2 it is the other way round: fsdp_sharding_strategy is passed on and ignored.
#
# Seen: version 1, reshard SHARD_GRAD_OP and NO_SHARD -> FULL_SHARD; sharding NO_SHARD -> NO_SHARD;
#       version 2, sharding NO_SHARD -> reshard_after_forward True; reshard false -> False.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "accelerate==1.15.0" "torch==2.13.0" "numpy<3"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
import warnings

warnings.simplefilter("ignore")
import accelerate
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env

FILE = """distributed_type: FSDP
num_processes: 8
num_machines: 1
machine_rank: 0
mixed_precision: bf16
fsdp_config:
  fsdp_cpu_ram_efficient_loading: false
  fsdp_sync_module_states: false
"""


def runs(**block: object) -> str:
    """What runs for a block of the file, through the launcher's own steps."""
    with open("fsdp.yaml", "w") as file:
        file.write(FILE + "".join(f"  fsdp_{key}: {value}\n" for key, value in block.items()))
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(["--config_file", "fsdp.yaml", "x.py"]))
    environment = prepare_multi_gpu_env(arguments)
    os.environ.update({key: value for key, value in environment.items() if key.startswith("FSDP_")})
    plugin = FullyShardedDataParallelPlugin()
    return str(plugin.reshard_after_forward) if plugin.fsdp_version == 2 else plugin.sharding_strategy.name


print("accelerate", accelerate.__version__)
expected = [
    ({"reshard_after_forward": "SHARD_GRAD_OP"}, "FULL_SHARD"),
    ({"reshard_after_forward": "NO_SHARD"}, "FULL_SHARD"),
    ({"sharding_strategy": "NO_SHARD"}, "NO_SHARD"),
    ({"version": 2, "sharding_strategy": "NO_SHARD"}, "True"),
    ({"version": 2, "reshard_after_forward": "false"}, "False"),
]
seen = [(block, runs(**block)) for block, _ in expected]
for block, found in seen:
    print(f"{block} -> {found}")
sys.exit(seen != expected)
PYTHON
