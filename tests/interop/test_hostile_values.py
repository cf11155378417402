"""A file with any value in any place is read, or refused in a message: nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.diagnostics import InputError, Source
from symsim.interop.formats import translated
from symsim.language.strategies import strategy_of
from symsim.loading.run_files import parts_of
from tests.interop.foreign import json_file
from tests.models.counting import model_of

FILES: dict[str, dict[str, Any]] = {
    "simumax": {
        "seq_len": 4096, "micro_batch_size": 1, "micro_batch_num": 8, "world_size": 16, "tp_size": 2, "pp_size": 2,
        "interleaving_size": 1, "recompute_granularity": "selective_recompute", "recompute_layer_num": 4,
        "megatron_recompute": True, "megatron_recompute_modules": ["mlp"], "te_version": "2.3.0", "dtype": "bf16",
        "num_layers_in_first_pipeline_stage": 4, "cp_size": 2, "cp_comm_type": "a2a", "mem_factor": 0.94,
    },
    "simumax model": {
        "hidden_size": 1024, "head_num": 16, "kv_head_num": 4, "head_size": 64, "intermediate_size": 2048,
        "layer_num": 8, "vocab_size": 32000, "use_swiglu": True, "expert_num": 8, "topk": 2, "attention_type": "mla",
        "v_head_dim": 64, "qk_head_dim": 64, "qk_pos_emb_head_dim": 32, "kv_lora_rank": 128, "dense_layers": 1,
        "model_name": "m",
    },
    "calculon": {
        "num_procs": 16, "tensor_par": 2, "pipeline_par": 2, "data_par": 4, "tensor_par_net": 0, "pipeline_par_net": 1,
        "data_par_net": 1, "batch_size": 64, "microbatch_size": 2, "datatype": "float16", "fused_activation": True,
        "attention_type": "multihead", "activation_recompute": "none", "pipeline_interleaving": 1,
        "optimizer_sharding": True, "tensor_par_comm_type": "rs_ag", "tensor_par_overlap": "none",
        "seq_par_ag_redo": True, "data_par_overlap": False, "weight_offload": False, "activations_offload": False,
        "optimizer_offload": False, "training": True,
    },
    "estimator": {
        "hf_model_path": "m", "num_gpus": 16, "tp": 2, "pp": 2, "vpp": 2, "recompute_granularity": "selective",
        "recompute_modules": ["mlp"], "pipeline_model_parallel_layout": "4,4",
        "custom_hf_config": {"model_type": "llama", "hidden_size": 64},
    },
}  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.sampled_from((0, 10**30, -(10**30), 1e308, 0.5, 2.0, -0.1)),
    st.text(max_size=6), st.sampled_from(("none", "full", "1,2", "E|t", 'a"b', "\x1b[2J", "�", "9" * 50)),
)  # fmt: skip
ANYTHING = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.text(max_size=4), SCALARS, max_size=2),
    st.lists(st.lists(SCALARS, max_size=2), max_size=2),
)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_value_in_any_place(name: str, data: st.DataObject) -> None:
    keys = dict(FILES[name])
    for key in data.draw(st.lists(st.sampled_from(sorted(keys)), min_size=1, max_size=3, unique=True)):
        keys[key] = data.draw(ANYTHING)
    tool = name.partition(" ")[0]
    try:
        text = translated([json_file("f.json", keys)], tool, lenient=True).text
    except InputError:
        return
    run = parts_of(Source("translated", text))
    if run.strategy is not None:
        strategy_of(run.strategy)
    try:
        model_of(run.model.text) if run.model is not None else None
    except InputError as problem:
        assert not any(d.code.startswith("E1") for d in problem.diagnostics), text
