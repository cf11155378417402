"""Requirements of a strategy: as they are written, and as what is wrong with a plan that breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.requirements import broken_requirements, unmet
from symsim.loading.question import question

PLAN = "strategy s\nworld = 16; tp = 16; gbs = 16; seq = 1024\n"


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("tp <= gpus_per_node", "tp = 16 is more than gpus_per_node = 8"),
        ("gbs % 12 == 0", "12 does not divide gbs = 16"),
        ("schedule == gpipe", "schedule = 1f1b is not gpipe"),
        ("schedule in {gpipe, zb_h1}", "schedule = 1f1b is none of gpipe, zb_h1"),
        ("not sequence_parallel", "sequence_parallel = true"),
        ("tp <= 8 and pp <= 8", "tp = 16 is more than 8"),
        ('memory.capacity >= 96 GiB "Hopper with more memory"',
         "memory.capacity = 80.00 GiB is less than 96 GiB: Hopper with more memory"),
        ("hbm.bandwidth > 5 TB/s", "hbm.bandwidth = 3.35 TB/s is not more than 5 TB/s"),
    ],
)  # fmt: skip
def test_a_broken_requirement_is_said_with_its_values(tmp_path: Path, requirement: str, said: str) -> None:
    path = tmp_path / "s.sym"
    path.write_text(f"{PLAN}require {requirement}\n", encoding="utf-8")
    assert broken_requirements(question("llama2_7b", str(path), "h100_sxm")) == [said]


def test_what_is_met_is_not_named(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text(f"{PLAN}require tp <= 16\n", encoding="utf-8")
    asked = question("llama2_7b", str(path), "h100_sxm")
    assert broken_requirements(asked) == unmet(asked) == []


def test_as_it_is_written_a_requirement_is_its_text(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text(f"{PLAN}require tp <= gpus_per_node\n", encoding="utf-8")
    assert unmet(question("llama2_7b", str(path), "h100_sxm")) == ["tp <= gpus_per_node"]
