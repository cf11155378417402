"""Files of planners and of machines are told by their kind, with what to give in their place."""

from __future__ import annotations

import json

import pytest

from symsim.diagnostics import InputError
from symsim.interop.formats import kind_of, translated
from tests.interop.foreign import text_file

FILES = {
    "plan.json": ("a plan of Hetu-Galvatron", {"pp_deg": 1, "tp_sizes_enc": "1,1"}),
    "allreduce.json": ("times of messages, measured by Hetu-Galvatron", {"allreduce_size_8_consec_1": 155.6}),
    "p2p.json": ("times of messages, measured by Hetu-Galvatron", {"pp_size_2": 7.6, "pp_size_4": 8.0}),
    "sp.json": ("times of messages, measured by Hetu-Galvatron", {"all2all_size_8_1MB_time": 0.1}),
    "overlap.json": ("times of messages, measured by Hetu-Galvatron", {"overlap_coe": 1.1}),
    "computation.json": ("times or memory of layers", {"layernum[2]_bsz1_seq2048": 15.0, "layertype_0_bsz1": 4.3}),
    "memory.json": ("times or memory of layers", {"1_1_8_sp": {"layernum[1]_bsz8_seq2048_rank0_ms": 904.3}}),
    "layers.yaml": (
        "a model of Hetu-Galvatron",
        {
            "model_size": "s",
            "hf_model_name_or_path": None,
            "hidden_size": 64,
            "num_layers": 2,
            "num_attention_heads": 4,
        },
    ),
    "search.yaml": ("a search or a run of Hetu-Galvatron", {"search_engine": {"hardware_info": {"num_nodes": 1}}}),
    "train.yaml": ("a search or a run of Hetu-Galvatron", {"runtime": {"parallel": {}, "model": {}}}),
    "spmd.json": ("a plan of nnScaler", {"desc": {"spmd_descs": []}, "e2e_time": 0.0}),
    "intra_8.json": ("times of messages, measured by nnScaler", {"all gather": [[1], [2]], "all reduce": [[1], [2]]}),
    "nemo.yaml": ("a configuration of NeMo", {"_target_": "nemo.collections.llm.recipe", "trainer": {}}),
    "nemo1.yaml": ("a configuration of NeMo", {"trainer": {"devices": 8}, "exp_manager": {}, "model": {"a": 1}}),
    "machine.json": ("a machine of SimuMax", {"sys_name": "m", "num_per_node": 8, "accelerator": {}, "networks": {}}),
    "system.json": ("a machine of Calculon", {"matrix": {}, "vector": {}, "mem1": {}, "networks": []}),
}
CONSTRAINTS = """- allowed_partition_dims:
  - 0,0
  name: torch.matmul
  parent_module: Attention
  replica_allowed: false
"""


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_by_its_kind(name: str) -> None:
    title, keys = FILES[name]
    with pytest.raises(InputError) as raised:
        translated([text_file(name, json.dumps(keys))])
    (problem,) = raised.value.diagnostics
    assert problem.code == "E521" and f"{name} is {title}" in problem.message and problem.hint


def test_constraints_are_a_list() -> None:
    kind = kind_of(text_file("constraints.yaml", CONSTRAINTS))
    assert kind is not None and kind.title.startswith("constraints of nnScaler")


@pytest.mark.parametrize(
    "keys", [{}, {"pp_size": 2}, {"model_size": "s"}, {"desc": {}}, {"runtime": {}}, {"model": {}}]
)
def test_another_file_is_none_of_these(keys: dict[str, object]) -> None:
    assert kind_of(text_file("x.json", json.dumps(keys))) is None


@pytest.mark.parametrize("tool", ["megatron", "hf", "simumax", "calculon"])
def test_a_planners_file_is_told_by_its_kind_to_every_tool(tool: str) -> None:
    with pytest.raises(InputError, match=r"layers\.yaml is a model of Hetu-Galvatron"):
        translated([text_file("layers.yaml", json.dumps(FILES["layers.yaml"][1]))], tool)
