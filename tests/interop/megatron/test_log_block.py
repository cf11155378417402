"""The block of arguments in a log."""

from __future__ import annotations

from tests.interop.megatron.runs import problem, read

VALUES = {
    "num_layers": 4, "hidden_size": 256, "num_attention_heads": 8, "micro_batch_size": 1, "seq_length": 512,
    "vocab_size": 1024, "world_size": 16, "tensor_model_parallel_size": 2, "bf16": True,
}  # fmt: skip


def block(prefix: str = "", **values: object) -> str:
    rows = [f"  {name} {'.' * (48 - len(name))} {value}" if len(name) < 48 else f"  {name}  {value}"
            for name, value in {**VALUES, **values}.items()]  # fmt: skip
    first = "------------------------ arguments ------------------------"
    last = "-------------------- end of arguments ---------------------"
    return "".join(f"{prefix}{line}\n" for line in (first, *rows, last))


def test_values_of_a_block() -> None:
    found = read("noise before\n" + block() + "noise behind\n", "run.log").plan
    assert (found["tp"], found["world"], found["precision"]) == (2, 16, "bf16")


def test_a_launcher_puts_a_prefix_before_each_line() -> None:
    assert read(block("[default0]:"), "run.log").plan["tp"] == 2


def test_lists_as_python_prints_them() -> None:
    found = read(block(recompute_granularity="selective", recompute_modules="['mlp', 'layernorm']"), "run.log").plan
    assert found["recompute"] == frozenset({"mlp", "layernorm"})


def test_an_enumeration_stands_with_its_class() -> None:
    assert read(block(attention_backend="AttnBackend.unfused"), "run.log").plan["attention"] == "unfused"


def test_types_of_numbers_are_those_of_torch() -> None:
    types = {"exp_avg_dtype": "torch.bfloat16", "exp_avg_sq_dtype": "torch.uint8", "main_params_dtype": "torch.float32"}
    found = read(block(use_precision_aware_optimizer=True, **types), "run.log").plan
    assert (found["exp_avg_dtype"], found["exp_avg_sq_dtype"]) == ("bf16", "fp8")


def test_values_after_the_checks_of_megatron_are_no_news() -> None:
    usual = {"encoder_seq_length": 512, "tensor_parallel_num_weight_shards": 2, "bias_gelu_fusion": False,
             "add_bias_linear": False, "moe_router_load_balancing_type": "['aux_loss']",
             "megatron_fsdp_main_grads_dtype": "torch.float32"}  # fmt: skip
    assert "not modelled" not in read(block(**usual), "run.log").text


def test_whole_parameters_dealt_out_are_a_name_of_their_own_in_a_log() -> None:
    found = read(
        block(optimizer="muon", use_distributed_optimizer=False, use_layer_wise_distributed_optimizer=True), "run.log"
    )
    assert found.plan["use_layer_wise_distributed_optimizer"] is True
    assert "left out" not in found.text


def test_a_name_of_48_letters_has_no_dots() -> None:
    name = "ddp_param_name_patterns_for_fp32_local_accumulation"
    assert "fp32-local-accumulation" not in read(block(**{name: "[]"}), "run.log").text


def test_sharding_of_fsdp_and_groups_are_printed_where_they_have_no_effect() -> None:
    found = read(block(data_parallel_sharding_strategy="optim_grads_params", num_query_groups=1), "run.log")
    assert found.plan["zero"] == 0
    assert found.model["kv_heads"] == 8


def test_a_pattern_is_printed_as_a_list() -> None:
    found = read(block(num_experts=8, moe_router_topk=2, moe_layer_freq="[0, 1, 1, 1]"), "run.log")
    assert found.model["feed"] == ("mlp", "moe", "moe", "moe")


def test_names_that_are_no_arguments_are_said() -> None:
    assert "left out: my_own_argument" in read(block(my_own_argument=3), "run.log").text


def test_a_value_of_the_wrong_type() -> None:
    assert problem(block(hidden_size="wide"), "run.log").startswith("E509 3:53 ")
