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


def stages(tmp_path: Path, layout: str, name: str, *settings: str) -> list[float]:
    mine = tmp_path / "mine.sym"
    mine.write_text(FAMILY)
    asked = question(str(mine), f'world=8,tp=2,mbs=1,gbs=16,seq=2048,layout="{layout}"', None, settings)
    return list(answer(asked.model, asked.plan, None).of_stage(name))


TABLE, NORM, STREAM = 1024 * 512 // 2, 512, 2 * 2048 * 512 // 2
PLAIN = (4 * 512 * 512 + 3 * 512 * 1024) // 2 + 2 * NORM
AHEAD = 2 * (PLAIN + 3 * NORM + 2 * 512 * 512 // 2)
"""Two layers with their norms and projections, half of each matrix on a rank."""


def test_a_stage_of_their_own_holds_one_table_and_no_head(tmp_path: Path) -> None:
    expected = [TABLE + 4 * PLAIN, 4 * PLAIN + NORM, AHEAD + TABLE, TABLE]
    assert stages(tmp_path, "Et*4|t*4|mm|L", "P") == expected


def test_the_last_norm_lies_with_the_last_layer(tmp_path: Path) -> None:
    assert stages(tmp_path, "Et*4|t*3|t|mmL", "P")[2:] == [PLAIN + NORM, AHEAD + 2 * TABLE]


def test_all_layers_of_a_stage_share_one_table(tmp_path: Path) -> None:
    one, two = (stages(tmp_path, f"Et*5|t*3|{m}|L", "P", f"guesses={len(m)}")[2] for m in ("m", "mm"))
    assert two - one == AHEAD // 2


def test_a_stage_that_begins_the_model_holds_one_table_in_all(tmp_path: Path) -> None:
    assert stages(tmp_path, "Et*8mm|||L", "P")[0] == TABLE + 8 * PLAIN + NORM + AHEAD


def test_predictions_go_with_the_stream_to_the_loss(tmp_path: Path) -> None:
    assert stages(tmp_path, "Et*4|t*4mm||L", "sent.pp.predictions") == [0, 2 * STREAM, 2 * STREAM, 0]


def test_a_virtual_chunk_that_is_not_the_last_has_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a virtual chunk that is not the last of its rank"):
        stages(tmp_path, "Et*5|t*3|mm||||L|", "P", "pp=4")


def test_before_0_16_they_are_with_the_loss(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"from framework_version 0\.16\.0 on"):
        stages(tmp_path, "Et*4|t*4|mm|L", "P", "framework_version=0.15.0")


def test_the_projection_is_gathered_over_tp() -> None:
    """Columns are gathered forward, and their gradient's parts of the sequence backward, both T·hidden elements."""
    plan = "world=2,tp=2,gbs=2,seq=1024"
    sent = []
    for layers in (0, 1):
        asked = question("deepseek_v2_lite", plan, None, (f"mtp_layers={layers}", "layers=2", "dense_layers=1"))
        sent.append(answer(asked.model, asked.plan, None).of_stage("sent.tp")[0])
    asked = question("deepseek_v2_lite", plan, None, ("layers=3", "dense_layers=1"))
    layer = answer(asked.model, asked.plan, None).of_stage("sent.tp")[0] - sent[0]
    whole = 2 * 1024 * 2048
    logits = 3 * 2 * 4 * 1024 // 2
    column_linear = 3 * 2 * whole // 2
    head = 3 * whole // 2
    assert sent[1] - sent[0] - layer == 2 * whole // 2 + column_linear + 2 * whole // 2 + head + logits * 2 // 2


def saved(choices: str) -> float:
    asked = question("deepseek_v2_lite", f"world=8,ep=8,gbs=8,seq=1024,{choices}", None, ("mtp_layers=1",))
    return float(answer(asked.model, asked.plan, None).of_stage("A_mtp")[0])


def test_uniform_recomputation_keeps_the_stream_the_words_and_their_numbers() -> None:
    assert saved("recompute=full,recompute_method=uniform,recompute_layers=1") == 1024 * (2 * 2 * 2048 + 8)


def test_by_blocks_nothing_of_them_runs_again() -> None:
    assert saved("recompute=full,recompute_layers=1") == saved("recompute=none")


def test_uniform_recomputation_takes_one_at_a_time() -> None:
    with pytest.raises(InputError, match="run again one at a time"):
        saved("recompute=full,recompute_method=uniform,recompute_layers=2")
