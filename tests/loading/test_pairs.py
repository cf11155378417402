"""A model and a strategy of one tool are read together, whichever command names them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symsim.diagnostics import InputError
from symsim.loading.question import question

MODEL = {"hidden": 256, "feedforward": 1024, "seq_size": 512, "attn_heads": 4, "attn_size": 64, "num_blocks": 8}
EXECUTION = {
    "num_procs": 4, "tensor_par": 2, "pipeline_par": 1, "data_par": 2, "tensor_par_net": 0, "pipeline_par_net": 1,
    "data_par_net": 1, "batch_size": 8, "microbatch_size": 2, "datatype": "float16", "fused_activation": True,
    "attention_type": "multiquery", "activation_recompute": "none", "pipeline_interleaving": 1,
    "optimizer_sharding": True, "tensor_par_comm_type": "rs_ag", "tensor_par_overlap": "none", "seq_par_ag_redo": True,
    "data_par_overlap": False, "weight_offload": False, "activations_offload": False, "optimizer_offload": False,
    "training": True,
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    model, execution = tmp_path / "model.json", tmp_path / "execution.json"
    model.write_text(json.dumps(MODEL))
    execution.write_text(json.dumps(EXECUTION))
    return str(model), str(execution)


def test_what_one_file_says_is_known_to_the_other(files: tuple[str, str]) -> None:
    asked = question(*files, None)
    assert (asked.plan.values["seq"], asked.model.dimensions["kv_heads"]) == (512, 1)


def test_settings_win_over_both(files: tuple[str, str]) -> None:
    asked = question(*files, None, ("seq=256", "layers=2"))
    assert (asked.plan.values["seq"], asked.model.dimensions["layers"]) == (256, 2)


def test_files_of_two_tools_are_read_each_by_itself(files: tuple[str, str], tmp_path: Path) -> None:
    strategy = tmp_path / "strategy.json"
    strategy.write_text(json.dumps({"seq_len": 512, "micro_batch_size": 1, "micro_batch_num": 2, "tp_size": 2}))
    asked = question(files[0], str(strategy), None)
    assert (asked.plan.values["world"], asked.model.dimensions["kv_heads"]) == (8, 4)


def test_two_files_of_one_kind_are_no_pair(files: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="holds no strategy"):
        question(files[0], files[0], None)
