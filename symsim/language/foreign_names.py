"""What Megatron's options, and what people, call the names and words of a strategy: for hints alone, never accepted.

Source: Megatron-LM, megatron/training/arguments.py; TransformerEngine's names of exchanges of context parallelism.
"""

from __future__ import annotations

from collections.abc import Mapping

_NAMES: Mapping[str, str] = {
    "dp": "dp follows, world/(tp·cp·pp): give world",
    "data_parallel_size": "dp follows, world/(tp·cp·pp): give world",
    "edp": "edp follows, world/(ep·etp·pp): give world",
    "world_size": "this is world here",
    "num_gpus": "this is world here",
    "tensor_model_parallel_size": "this is tp here",
    "pipeline_model_parallel_size": "this is pp here",
    "context_parallel_size": "this is cp here",
    "expert_model_parallel_size": "this is ep here",
    "expert_tensor_parallel_size": "this is etp here",
    "vpp": "this is vp here",
    "virtual_pipeline_model_parallel_size": "this is vp here",
    "num_layers_per_virtual_pipeline_stage": "say how many chunks a rank has: vp",
    "microbatch_group_size_per_virtual_pipeline_stage": "this is microbatch_group here",
    "micro_batch_size": "this is mbs here",
    "global_batch_size": "this is gbs here",
    "gradient_accumulation_steps": "this is microbatches here",
    "seq_length": "this is seq here",
    "seq_len": "this is seq here",
    "max_position_embeddings": "the tokens of a sequence are seq here",
    "sp": "this is sequence_parallel here",
    "num_layers": "this is layers here",
    "hidden_size": "this is hidden here",
    "ffn_hidden_size": "this is ffn here",
    "num_attention_heads": "this is heads here",
    "num_query_groups": "this is kv_heads here",
    "num_experts": "this is experts here",
    "moe_router_topk": "this is topk here",
    "dtype": "this is precision here",
    "recompute_granularity": "write recompute = full, or recompute = {core_attn, mlp}",
    "recompute_modules": "write recompute = {core_attn, mlp}",
    "recompute_num_layers": "this is recompute_layers here",
    "use_distributed_optimizer": "this is zero = 1 here",
    "zero_stage": "this is zero here",
    "fsdp": "this is zero = 3 here; framework = fsdp is what else PyTorch's FSDP does",
    "data_parallel_sharding_strategy": "no_shard, optim, optim_grads, optim_grads_params: zero = 0, 1, 2, 3 here",
    "cp_comm_type": "this is cp_comm here",
    "pipeline_model_parallel_layout": "this is layout here",
    "decoder_first_pipeline_num_layers": "this is first_stage_layers here",
    "decoder_last_pipeline_num_layers": "this is last_stage_layers here",
    "account_for_embedding_in_pipeline_split": "this is embedding_in_split here",
    "account_for_loss_in_pipeline_split": "this is loss_in_split here",
    "main_grads_dtype": "this is grad_dtype here",
    "fp8_param_gather": "this is fp8_params here",
    "make_vocab_size_divisible_by": "this is vocab_multiple here",
    "cross_entropy_loss_fusion": "this is fused_cross_entropy here",
    "moe_token_dispatcher_type": "this is moe_dispatch here",
    "moe_expert_capacity_factor": "this is moe_capacity here",
}

_WORDS: Mapping[tuple[str, str], str] = {
    ("cp_comm", "p2p"): "this is ring here",
    ("cp_comm", "allgather"): "this is all_gather here",
    ("cp_comm", "ulysses"): "this is a2a here",
    ("schedule", "vpp"): "this is interleaved here",
    ("schedule", "zb"): "known here: zb_h1, zb_h2, zb_v",
    ("attention", "fused"): "this is flash here",
    ("moe_dispatch", "alltoall"): "this is all_to_all here",
    ("moe_dispatch", "allgather"): "this is all_gather here",
    ("recompute", "op"): "this is per_op_sac here",
    ("recompute", "selective"): "name what is computed again: Megatron's default is recompute = {core_attn}",
}


def other_name(name: str) -> str | None:
    """A hint where ``name`` is what others call a name of a strategy or a dimension."""
    return _NAMES.get(name)


def other_word(name: str, word: str) -> str | None:
    """A hint where ``word`` is what others call a value of the choice ``name``."""
    return _WORDS.get((name, word))
