"""Layers of multi-token prediction, ``m`` in a layout: those that a family puts behind its head."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.loading.question import question

FAMILY = """layer plain { residual { pre_norm; attention(heads, heads, head_dim) }; residual { pre_norm; mlp(ffn) } }
family ahead(hidden, layers, heads, head_dim = hidden / heads, ffn, vocab, norm = rms, activation = swiglu,
             positions = rope, max_positions = 0, embedding_norm = false, guesses = 2) {
    embedding
    repeat layers { plain }
    normalization
    head(false)
    unroll guesses {
        x = next_token(x) { plain }
        head(x, false, true)
    }
}
model small = ahead(hidden = 512, layers = 8, heads = 8, ffn = 1024, vocab = 1024)
"""


def held(tmp_path: Path, layout: str, *settings: str) -> list[float]:
    mine = tmp_path / "mine.sym"
    mine.write_text(FAMILY)
    asked = question(str(mine), f'world=2,gbs=4,seq=2048,layout="{layout}"', None, settings)
    return list(answer(asked.model, asked.plan, None).of_stage("n"))


def test_a_family_of_ones_own_may_call_their_number_as_it_likes(tmp_path: Path) -> None:
    assert held(tmp_path, "Et*5|t*3mmL") == [5, 3]
    assert held(tmp_path, "Et*5|t*3mL", "guesses=1") == [5, 3]


@pytest.mark.parametrize("layout", ["Et*5|t*3L", "Et*5|t*3mL", "Et*5|t*3mmmL"])
def test_a_layout_with_another_number_of_them_is_refused(tmp_path: Path, layout: str) -> None:
    with pytest.raises(InputError) as problem:
        held(tmp_path, layout)
    assert problem.value.diagnostics[0].message.endswith("layers 'm', and the model has 2")


def test_that_of_the_library_is_counted_too() -> None:
    plan = 'world=2,gbs=4,seq=2048,layout="Et*14|t*13mL"'
    asked = question("deepseek_v2_lite", plan, None, ("mtp_layers=1",))
    assert answer(asked.model, asked.plan, None).stages == 2
