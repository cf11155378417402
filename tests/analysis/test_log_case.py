"""A log of Megatron beside its prediction."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.fitting.log_case import log_case
from symsim.analysis.fitting.validate import validate
from symsim.diagnostics import InputError
from tests.interop.megatron.test_log_block import block

ARGUMENTS = {
    "pipeline_model_parallel_size": 2,
    "global_batch_size": 16,
    "vocab_size": "None",
    "use_distributed_optimizer": True,
}
VOCABULARY = " > padded vocab (size: 50257) with 47 dummy tokens (new size: 50304)\n"


def report(rank: int, allocated: float, peak: float) -> str:
    figures = (
        f"allocated: {allocated:.2f} | max allocated: {peak:.2f} | reserved: {peak:.2f} | max reserved: {peak:.2f}"
    )
    return f"[Rank {rank}] (after 2 iterations) memory (MB) | {figures}\n"


def iteration(k: int, ms: float) -> str:
    return (
        f" iteration {k:8d}/     100 | consumed samples: 16 | elapsed time per iteration (ms): {ms:.1f} | loss: 1.0\n"
    )


STEPS = "".join(iteration(k, ms) for k, ms in enumerate((900.0, 100.0, 50.0, 52.0), 1))


def written(folder: Path, *lines: str, **values: object) -> Path:
    path = folder / "run.log"
    path.write_text(block("[default0]:", **ARGUMENTS, **values) + "".join(lines), "utf-8")
    return path


def test_peaks_of_all_stages_and_bytes_between_steps(tmp_path: Path) -> None:
    case = log_case(written(tmp_path, VOCABULARY, report(0, 80, 200), report(8, 90, 150), STEPS), None)
    assert case["measured"] == {
        "stage_peak_allocated_bytes": [200 * 2**20, 150 * 2**20],
        "last_rank_static_bytes": 90 * 2**20,
    }
    assert validate([case])["cases"][0]["failed"] is None


def test_times_are_compared_on_a_machine(tmp_path: Path) -> None:
    case = log_case(written(tmp_path, VOCABULARY, report(8, 90, 150), STEPS), "h100_sxm")
    assert case["measured"]["iteration_s"] == pytest.approx(0.051)
    assert case["measured"]["last_rank_peak_allocated_bytes"] == 150 * 2**20
    assert validate([case])["cases"][0]["error_pct"].keys() == case["measured"].keys()


def test_ranks_in_another_order(tmp_path: Path) -> None:
    path = written(tmp_path, VOCABULARY, report(0, 80, 200), report(2, 90, 150), use_tp_pp_dp_mapping=True)
    assert log_case(path, None)["measured"]["stage_peak_allocated_bytes"] == [200 * 2**20, 150 * 2**20]


def test_what_a_log_does_not_say_is_set(tmp_path: Path) -> None:
    case = log_case(written(tmp_path, report(0, 80, 200), report(8, 90, 150)), None, ("vocab=1024",))
    assert validate([case])["cases"][0]["failed"] is None


@pytest.mark.parametrize(("text", "code"), [("nothing\n", "E520"), (block(), "E602")])
def test_logs_that_say_too_little(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "a.log").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        log_case(tmp_path / "a.log", None)
    assert caught.value.diagnostics[0].code == code
