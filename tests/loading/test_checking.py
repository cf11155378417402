"""What a good file is, in one line, by what it begins with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symsim.loading.checking import check_file

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", json.dumps(CONFIG), "llama"),
        ("plan.sym", "tp = 2\nworld = 8\n", "strategy plan: 2 choices, 0 sets"),
        ("space.sym", "strategy all\ntp in {1, 2}\nworld = 8\n", "strategy all: 1 choices, 1 sets"),
        ("s.json", '{"micro_batch_num": 8, "tp_size": 2}', "strategy s: 19 choices, 0 sets"),
        (
            "run.sym",
            "model m = llama(hidden=64, layers=2, heads=4, ffn=128, vocab=1000)\nstrategy s\ntp = 2\n",
            "2 layers of 1 kind; strategy s: 1 choices",
        ),
        ("m.sym", "model m = llama(hidden=64, layers=2, heads=4, ffn=128, vocab=1000)\n", "model m"),
    ],
)
def test_a_file_is_what_it_begins_with(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert said in check_file(path)
