"""Symbols stay symbols: one compilation serves every size of a grid."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from symsim.analysis import evaluate
from symsim.compiler.pipeline import COMPILATIONS
from symsim.diagnostics import InputError
from symsim.loading.question import question


@pytest.fixture(autouse=True)
def nothing_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on disk nor in this process, whatever other tests compiled."""
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path))
    evaluate._EVALUATORS.clear()


def test_one_compilation_serves_a_grid() -> None:
    before, evaluated = len(COMPILATIONS), 0
    for tp, pp, cp, ep, dp, mbs, seq in itertools.product(
        (1, 2), (1, 2, 4), (1, 2), (1, 2), (2, 4), (1, 3), (2048, 8192)
    ):
        sizes = f"tp={tp},pp={pp},cp={cp},ep={ep},world={tp * pp * cp * dp},mbs={mbs},gbs={mbs * dp * 4},seq={seq}"
        try:
            asked = question("qwen3_30b_a3b", sizes, None)
            evaluate.answer(asked.model, asked.plan, None)
            evaluated += 1
        except InputError:
            continue
    assert evaluated > 100
    assert len(COMPILATIONS) - before == 1


def test_a_second_process_compiles_nothing() -> None:
    """What one process compiled another reads from disk; here the memory of the first is emptied."""
    asked = question("llama32_1b", "world=1,gbs=1,seq=1024", None)
    first = evaluate.answer(asked.model, asked.plan, None).values
    evaluate._EVALUATORS.clear()
    before = len(COMPILATIONS)
    assert evaluate.answer(asked.model, asked.plan, None).values == first
    assert len(COMPILATIONS) == before


def test_another_structure_is_another_compilation() -> None:
    keys = set()
    for choices in ("", ",recompute=full", ",zero=3", ",attention=unfused", ",sequence_parallel=false"):
        asked = question("llama32_1b", f"world=4,tp=2,gbs=2,seq=1024{choices}", None)
        keys.add(evaluate.answer(asked.model, asked.plan, None).values["memory.peak"])
    assert len(keys) == 5
