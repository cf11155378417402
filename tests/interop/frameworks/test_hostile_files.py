"""Files that grow, nest or do not end are an error soon, whatever their kind."""

from __future__ import annotations

import pytest

from tests.interop.frameworks.reading import Folder

CONFIG = '{"zero_optimization": {}'
LOG = 'Running with configs: {"activation_checkpoint": '
LINE = "python -m torchtitan.train --module llama3 --config llama3_8b "


@pytest.mark.parametrize(
    ("tool", "name", "text", "code"),
    [
        ("deepspeed", "comments.json", CONFIG + "/*" * 100_000, "E502"),
        ("deepspeed", "commas.json", CONFIG + ", *" * 100_000 + "}", "E502"),
        ("deepspeed", "escapes.json", CONFIG + ', "' + "\\" * 100_001, "E502"),
        ("deepspeed", "nested.json", '{"zero_optimization": ' * 100 + "1" + "}" * 100, "E503"),
        ("deepspeed", "keys.json", CONFIG + "".join(f', "k{k}": {k}' for k in range(20_000)) + "}", "E522"),
        ("torchtitan", "open.log", LOG + "{" * 200_000, "E502"),
        ("torchtitan", "nested.toml", "[training]\na = " + "[" * 100_000, "E503"),
        ("torchtitan", "tables.toml", "[training]\n" + "[a." * 50_000, "E502"),
        ("torchtitan", "words.sh", LINE + "--training.seq_len 5 " * 40_000, "E501"),
        (
            "accelerate",
            "nested.yaml",
            "distributed_type: FSDP\nmixed_precision: no\nfsdp_config: " + "[" * 20_000,
            "E503",
        ),
    ],
)
def test_it_is_an_error(folder: Folder, tool: str, name: str, text: str, code: str) -> None:
    assert folder.problem(tool, {name: text}).startswith(code)


@pytest.mark.parametrize("value", [None, -1, 0, 10**30, 1.5, "x", "", [], {}, [1], True])
@pytest.mark.parametrize("key", ["train_micro_batch_size_per_gpu", "zero_optimization", "tensor_parallel", "optimizer"])
def test_odd_values_are_read_or_an_error(folder: Folder, key: str, value: object) -> None:
    keys = {"train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": True}, "zero_optimization": {}, key: value}
    try:
        text = folder.text("deepspeed", {"ds_config.json": keys})
    except Exception as problem:
        assert type(problem).__name__ == "InputError"
    else:
        assert "strategy ds_config" in text
