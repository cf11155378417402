"""Files of other tools that are of the wrong kind, or wrong."""

from __future__ import annotations

import json

from tests.errors.case import Case
from tests.errors.configurations import LLAMA

GALVATRON = json.dumps({"pp_deg": 1, "tp_sizes_enc": "1,1", "dp_types_enc": "0,0", "checkpoint": "0,0"})
SIMUMAX = {"seq_len": 4096, "micro_batch_size": 1, "micro_batch_num": 8, "world_size": 8, "tp_size": 2}
MODEL = {"hidden_size": 64, "head_num": 4, "kv_head_num": 4, "head_size": 16, "intermediate_size": 128, "layer_num": 2,
         "vocab_size": 256, "use_swiglu": True}  # fmt: skip
MACHINE = {"sys_name": "m", "num_per_node": 8, "accelerator": {}, "networks": {}}
AUDIT = {"model": "m", "schedule": "1f1b", "candidates": []}
CALCULON = {
    "num_procs": 8, "tensor_par": 2, "pipeline_par": 2, "data_par": 2, "tensor_par_net": 0, "pipeline_par_net": 1,
    "data_par_net": 1, "batch_size": 8, "microbatch_size": 1, "datatype": "float16", "fused_activation": True,
    "attention_type": "multihead", "activation_recompute": "none", "pipeline_interleaving": 1,
    "optimizer_sharding": True, "tensor_par_comm_type": "rs_ag", "tensor_par_overlap": "none", "seq_par_ag_redo": True,
    "data_par_overlap": False, "weight_offload": False, "activations_offload": False, "optimizer_offload": False,
    "training": True,
}  # fmt: skip


def simumax(**values: object) -> dict[str, str]:
    return {"strategy.json": json.dumps({**SIMUMAX, **values}, indent=0)}


IMPORT_SIMUMAX = ("import", "simumax", "strategy.json")
MODEL_TOO = ("import", "simumax", "strategy.json", "model.json")

CASES = [
    Case("text of no kind", "E520", ("eval", "run.sh", "-s", "tp=1"), "run.sh is of no kind that is known here",
         "symsim import --help", "run.sh:1:1", {"run.sh": "echo hello\n"}),
    Case("configuration for arguments", "E520", ("import", "megatron", "config.json"),
         "config.json is a config.json of Hugging Face", "symsim import hf config.json", "config.json:1:1",
         {"config.json": json.dumps(LLAMA)}, False),
    Case("unknown argument of Megatron", "E522", ("import", "megatron", "args.yaml"),
         "unknown argument '--num-layer'", "did you mean '--num-layers'?", "args.yaml:2:1",
         {"args.yaml": "--hidden-size: 64\n--num-layer: 2\n--num-attention-heads: 4\n"}),
    Case("log without a command", "E530", ("import", "megatron", "run.sh"),
         "run.sh runs no training program of Megatron", "pretrain_gpt.py", "run.sh:1:1",
         {"run.sh": "# --num-layers 2 --hidden-size 64 --seq-length 8\necho hello\n"}),
    Case("argument of the wrong type", "E509", ("import", "megatron", "run.sh"),
         "--num-layers is a whole number, not '$LAYERS'", "write the value", "run.sh:1:39",
         {"run.sh": "torchrun pretrain_gpt.py --num-layers $LAYERS --hidden-size 64\n"}),
    Case("plan of a planner", "E521", ("eval", "plan.json", "-s", "tp=1"), "plan.json is a plan of Hetu-Galvatron",
         "one strategy for all layers", "plan.json:1:1", {"plan.json": GALVATRON}),
    Case("unknown key", "E522", IMPORT_SIMUMAX, "'tp_sizes' is not known here",
         "SimuMax's class refuses it; did you mean 'tp_size'?; --lenient leaves it out", "strategy.json:7:1",
         simumax(tp_sizes=2)),
    Case("kind of value", "E207", IMPORT_SIMUMAX, "'tp_size' is a whole number, not the word '2'",
         "it is read as tp", "strategy.json:6:1", simumax(tp_size="2"), False),
    Case("kind of value of a word", "E509", IMPORT_SIMUMAX, "'recompute_granularity' must be a text, not 3",
         "one of full_block, attn_only", "strategy.json:7:1", simumax(recompute_granularity=3), False),
    Case("no file of the tool", "E520", IMPORT_SIMUMAX, "strategy.json is of no kind of simumax that is known here",
         "read are: a strategy of SimuMax; a model of SimuMax", "strategy.json:1:1", {"strategy.json": "{}"}, False),
    Case("value that SimuMax refuses", "E511", IMPORT_SIMUMAX, "world_size = 12 is no multiple of",
         "SimuMax itself refuses this file", "strategy.json:5:1", simumax(world_size=12, tp_size=8)),
    Case("unknown granularity", "E511", IMPORT_SIMUMAX,
         "recompute_granularity cannot be the text 'half'", "SimuMax itself refuses this file", "strategy.json:7:1",
         simumax(recompute_granularity="half")),
    Case("regions without the model", "E512", IMPORT_SIMUMAX, "depends on the model: give its file too", "",
         "strategy.json:7:1", simumax(recompute_granularity="selective_recompute", recompute_layer_num=1,
                                      attn_recompute=True)),
    Case("regions in some layers", "E512", MODEL_TOO, "recompute_layer_num = 1 is less than a chunk", "",
         "strategy.json:8:1", {**simumax(recompute_granularity="sdp_only", recompute_layer_num=1),
                               "model.json": json.dumps(MODEL)}),
    Case("two strategies", "E520", MODEL_TOO, "model.json is a strategy of SimuMax too", "give one: strategy.json",
         "model.json:1:1", {**simumax(), "model.json": json.dumps(SIMUMAX)}),
    Case("machine of SimuMax", "E521", ("eval", "machine.json", "-s", "tp=1"), "machine.json is a machine of SimuMax",
         "name a machine with -y", "machine.json:1:1", {"machine.json": json.dumps(MACHINE)}),
    Case("report of SimuMax", "E521", ("import", "simumax", "audit.json"), "no strategy",
         "give the strategy file that lies next to it", "audit.json:1:1", {"audit.json": json.dumps(AUDIT)}),
    Case("machine in place of a strategy", "E520", ("import", "calculon", "execution.json", "machine.json"),
         "machine.json is a machine of SimuMax", "what belongs together here: an execution of Calculon",
         "machine.json:1:1", {"execution.json": json.dumps(CALCULON), "machine.json": json.dumps(MACHINE)}, False),
    Case("key that Calculon needs", "E508", ("import", "calculon", "model.json"), "model.json has no 'num_blocks'",
         "Calculon needs it and has no default", "model.json:1:1",
         {"model.json": json.dumps({"hidden": 64, "feedforward": 256, "seq_size": 128, "attn_heads": 4,
                                    "attn_size": 16})}),
    Case("word that Calculon does not have", "E511", ("import", "calculon", "execution.json"),
         "attention_type is multihead or multiquery", "Calculon itself refuses this file", "execution.json:13:1",
         {"execution.json": json.dumps({**CALCULON, "attention_type": "grouped"}, indent=0)}, False),
    Case("request that the estimator refuses", "E511", ("import", "estimator", "request.json"),
         "num_gpus must be a positive multiple of 8, not 12", "the estimator itself refuses", "request.json:1:24",
         {"request.json": json.dumps({"hf_model_path": "m", "num_gpus": 12})}),
    Case("machine of another tool", "E521", ("eval", "llama3_8b", "-s", "world=8,gbs=8,seq=4096", "-y", "machine.json"),
         "machine.json is a machine of SimuMax, with its measured efficiencies, and no machine that is read",
         "name a machine with -y", "machine.json:1:1", {"machine.json": json.dumps(MACHINE)}),
    Case("Calculon's model as one of Hugging Face", "E520", ("import", "hf", "model.json"),
         "model.json is a model of SimuMax", "symsim import simumax model.json", "model.json:1:1",
         {"model.json": json.dumps(MODEL)}, False),
    Case("plan that Calculon has no words for", "E523",
         ("export", "calculon", "gpt3_175b", "-s", "world=8,tp=8,gbs=8,seq=2048"),
         "Calculon cannot express attention = flash: it keeps all scores", "--set attention=unfused"),
    Case("plan that the estimator has no words for", "E523",
         ("export", "estimator", "llama3_8b", "-s", "world=12,gbs=12,seq=2048"),
         "the Memory Estimator cannot express world = 12: its GPUs are a multiple of 8", "--set world=",
         "<strategy>:1:1"),
    Case("plan that SimuMax has no words for", "E523",
         ("export", "simumax", "llama3_8b", "-s", "world=8,gbs=8,seq=4096,zero=3"),
         "SimuMax cannot express zero = 3: zero_state 2 and 3 are computed as 1 there", "--set zero=",
         "<strategy>:1:24"),
    Case("model that SimuMax has no words for", "E523",
         ("export", "simumax", "llama32_1b", "-s", "world=8,gbs=8,seq=4096"),
         "SimuMax cannot express tied = true of llama32_1b", "--set tied="),
    Case("export to an unknown tool", "E001", ("export", "simumaxx", "llama3_8b"),
         "export writes no files of kind 'simumaxx'", "did you mean 'simumax'?"),
    Case("auto without its arguments", "E512", ("import", "deepspeed", "ds_config.json"),
         "'auto' has no value of its own", "change the file", "ds_config.json:1:2",
         {"ds_config.json": json.dumps({"train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 2}})}),
    Case("number that the arguments contradict", "E511", ("import", "deepspeed", "ds_config.json", "args.json"),
         "train_micro_batch_size_per_gpu is 1", "refuses this file", "ds_config.json:1:2",
         {"ds_config.json": json.dumps({"train_micro_batch_size_per_gpu": 1, "zero_optimization": {}}),
          "args.json": json.dumps({"output_dir": "x", "per_device_train_batch_size": 4})}),
    Case("key that DeepSpeed passes over", "E522", ("import", "deepspeed", "ds_config.json"),
         "'zero_optimisation.stage' is not known here", "did you mean 'zero_optimization.stage'?",
         "ds_config.json:1:61",
         {"ds_config.json": json.dumps({"train_micro_batch_size_per_gpu": 1, "zero_optimisation": {"stage": 1}})}),
    Case("arguments alone", "E521", ("eval", "llama3_8b", "-s", "args.json"), "args.json is TrainingArguments",
         "give them behind the plan", "args.json:1:1",
         {"args.json": json.dumps({"output_dir": "x", "per_device_train_batch_size": 4})}),
    Case("second file of another kind", "E520", ("import", "accelerate", "fsdp.yaml", "other.yaml"),
         "other.yaml holds no TrainingArguments", "per_device_train_batch_size", "other.yaml:1:1",
         {"fsdp.yaml": "distributed_type: FSDP\nnum_processes: 8\n", "other.yaml": "a: 1\n"}),
    Case("word where version 2 has a flag", "E511", ("import", "accelerate", "fsdp.yaml"),
         "fsdp_reshard_after_forward of version 2 is true or false", "accelerate itself refuses", "fsdp.yaml:4:3",
         {"fsdp.yaml": "distributed_type: FSDP\nnum_processes: 8\nfsdp_config:\n  fsdp_version: 2\n"
                       "  fsdp_reshard_after_forward: FULL_SHARD\n"}),
    Case("ranks for experts in nanotron", "E512", ("import", "nanotron", "run.yaml"),
         "expert_parallel_size adds ranks", "change the file", "run.yaml:2:36",
         {"run.yaml": "general: {project: p}\nparallelism: {dp: 1, pp: 1, tp: 1, expert_parallel_size: 2}\n"
                      "model: {model_config: {hidden_size: 64}, init_method: {std: 0.1}}\n"}),
]  # fmt: skip
