"""An experiment of Primus is read through its presets, as Primus puts them together, as Megatron's arguments."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.primus.variables import with_variables
from symsim.interop.yaml_text import parse_yaml
from tests.interop.frameworks.reading import Folder

MODEL = """extends: [llama3_base.yaml]
num_layers: 8
hidden_size: 1024
num_attention_heads: 16
num_query_groups: 4
ffn_hidden_size: 4096
vocab_size: 32000
"""


def experiment(overrides: str = "", framework: str = "megatron") -> str:
    lines = "".join(f"      {line}\n" for line in overrides.split("\n") if line)
    return (
        "work_group: ${PRIMUS_TEAM:amd}\nuser_name: root\nexp_name: own\nworkspace: ./output\nmodules:\n"
        "  pre_trainer:\n"
        f"    framework: {framework}\n    config: pre_trainer.yaml\n    model: ${{PRIMUS_MODEL:own}}.yaml\n"
        f"    overrides:\n      train_iters: 10\n{lines}"
    )


def test_presets_give_what_the_file_leaves_out(folder: Folder) -> None:
    values = folder.strategy("primus", {"run.yaml": experiment(), "own.yaml": MODEL}).values
    expected = {"mbs": 2, "gbs": 16, "seq": 1024, "zero": 1, "precision": "bf16", "grad_dtype": "fp32",
                "sequence_parallel": True, "overlap_grad_reduce": False, "dropout": False}  # fmt: skip
    assert {name: values[name] for name in expected} == expected


def test_a_preset_next_to_the_experiment_is_found_and_overrides_win(folder: Folder) -> None:
    (folder.path / "own.yaml").write_text(MODEL)
    text = folder.text("primus", {"run.yaml": experiment("num_layers: 4\nmicro_batch_size: ${PRIMUS_MBS:1}")})
    assert "layers = 4" in text and "kv_heads = 4" in text and "mbs = 1" in text and "vocab = 32000" in text


def test_a_preset_of_the_checkout_above_is_found(folder: Folder) -> None:
    models = folder.path / "primus" / "configs" / "models" / "megatron"
    models.mkdir(parents=True)
    (models / "own.yaml").write_text(MODEL)
    assert "hidden = 1024" in folder.text("primus", {"run.yaml": experiment()})


def test_the_environment_wins_over_a_default(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUS_TP", "2")
    files = {"run.yaml": experiment("tensor_model_parallel_size: ${PRIMUS_TP:1}"), "own.yaml": MODEL}
    assert folder.strategy("primus", files).values["tp"] == 2


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${N:4}", 4), ("${N:1e-5}", 1e-5), ("${N:true}", True), ("${N:null}", "null"), ("${N:[1,2]}", "[1,2]"),
        ("${N:}", ""), ("a${N:b:c}", "ab:c"), ("1e-5", "1e-5"),
    ],
)  # fmt: skip
def test_types_of_what_a_variable_leaves(written: str, value: Any) -> None:
    assert with_variables(parse_yaml(Source("f.yaml", f"key: '{written}'\n")), {})["key"] == value


def test_a_variable_without_a_value_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        with_variables(parse_yaml(Source("f.yaml", "key: ${NO_SUCH}\n")), {})
    assert caught.value.diagnostics[0].code == "E512"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"run.yaml": experiment()}, "E512 the preset 'own.yaml' is not at hand"),
        ({"run.yaml": experiment(framework="maxtext"), "own.yaml": MODEL}, "E512 a run of maxtext through Primus"),
        ({"run.yaml": experiment("num_layer: 4"), "own.yaml": MODEL}, "E522 unknown argument 'num_layer'"),
        ({"run.yaml": experiment("patch_zero_bubble: true"), "own.yaml": MODEL}, "E512 Primus' zero-bubble runtime"),
        ({"run.yaml": experiment(), "own.yaml": "extends: [own.yaml]\n"}, "E503 presets that name more and more"),
    ],
)
def test_what_is_refused(folder: Folder, files: dict[str, str], message: str) -> None:
    assert folder.problem("primus", files).startswith(message)
