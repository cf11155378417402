"""What was read before is what reading gives; an entry of another form counts as absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symsim import resources
from symsim.compiler import cache
from symsim.language.strategies import load_strategy
from symsim.language.systems import load_system
from symsim.loading import kept_files


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", sorted(resources.shipped("systems")))
def test_a_machine_is_the_same_the_second_time(name: str) -> None:
    assert [kept_files.system(name, {}, {}) for _ in range(2)] == [load_system(name)] * 2


@pytest.mark.parametrize("name", ["a100_sxm", "b200"])
def test_a_machine_that_was_read_is_not_parsed_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = kept_files.system(name, {}, {})
    assert read.tables
    monkeypatch.delattr(kept_files, "load_system")
    assert kept_files.system(name, {}, {}) == read


@pytest.mark.parametrize("name", sorted(resources.shipped("strategies")))
def test_a_strategy_is_the_same_the_second_time(name: str) -> None:
    assert [kept_files.strategy(name, ()) for _ in range(2)] == [load_strategy(name)] * 2


def test_a_changed_table_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "gemm.csv").write_text("m,k,n,efficiency\n128,128,128,0.5\n")
    text = (resources.shipped("systems")["h100_sxm"]).read_text()
    path = tmp_path / "mine.sym"
    path.write_text(text.replace("system h100_sxm", "system mine", 1) + '\nmatmul { efficiency = table("gemm.csv") }\n')
    before = kept_files.system(str(path), {}, {}).tables["matmul.efficiency"]
    (tmp_path / "gemm.csv").write_text("m,k,n,efficiency\n128,128,128,0.6\n")
    after = kept_files.system(str(path), {}, {}).tables["matmul.efficiency"]
    assert (before.mean, after.mean) == (0.5, 0.6)


@pytest.mark.parametrize(
    "entry", [{}, [], {"name": 1}, "x", {"name": "a", "title": "", "values": {"tp": ["plain", []]}, "places": {}}]
)
def test_an_entry_of_another_form_counts_as_absent(entry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "read", lambda key: entry)
    assert kept_files.strategy("tp8_pp4", ()) == load_strategy("tp8_pp4")
    assert kept_files.system("h100_sxm", {}, {}) == load_system("h100_sxm")


@pytest.mark.parametrize(("values", "mean"), [((0.5, 9.0), 0.5), ((-0.5, 0.5), 0.5), ((0.5, 0.5), 9.0)])
def test_every_efficiency_of_a_table_is_a_possible_one(values: tuple[float, float], mean: float) -> None:
    entries = [[k, k, k, value] for k, value in enumerate(values, 1)]
    with pytest.raises(ValueError):
        kept_files._table("matmul.efficiency", ["m", "k", "n"], entries, mean, "")
    assert kept_files._table("matmul.efficiency", ["m", "k", "n"], [[1, 1, 1, 0.5]], 0.5, "").mean == 0.5


def test_a_file_called_inline_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "inline.sym"
    path.write_text("tp = 8\nworld = 8\n")
    assert kept_files.strategy(str(path), ()).values["tp"] == 8
