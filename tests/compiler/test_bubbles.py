"""What a pipeline waits for."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.loading.question import question


def times(choices: str) -> dict[str, float]:
    asked = question("llama3_8b", f"gbs=96,seq=4096,{choices}", "h100_sxm")
    found = answer(asked.model, asked.plan, machine_of(asked)).values
    return {n: float(found[n]) for n in ("time.bubble", "time.iteration")}


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe", "zb_h1", "zb_h2"])
@pytest.mark.parametrize("overlap", ["true", "false"])
def test_one_stage_waits_for_no_other(schedule: str, overlap: str) -> None:
    found = times(f"world=1,pp=1,schedule={schedule},overlap_p2p={overlap}")
    assert found["time.bubble"] == pytest.approx(0, abs=1e-9 * found["time.iteration"])
