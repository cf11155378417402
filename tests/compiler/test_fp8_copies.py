"""How many copies of a quantised weight there are: with one scale for a tensor that is a fact of the machine."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest

from symsim import resources
from symsim.analysis.evaluate import answer, machine_of
from symsim.cli.main import main
from symsim.language.systems import load_system
from symsim.loading.question import question
from tests.compiler.asking import PLAN, SMALL

MATRICES = 4 * (512 * 1024 + 512 * 512 + 512 * 2048 + 1024 * 512)
"""Elements of the quantised weights of four layers."""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    with mock.patch("sys.argv", ["symsim", *arguments, "--json"]), pytest.raises(SystemExit):
        main()
    return json.loads(capsys.readouterr().out)


def weights(choices: str, machine: str | None) -> tuple[float, float]:
    asked = question(SMALL, f"world=8,{PLAN},{choices}", machine)
    found = answer(asked.model, asked.plan, machine_of(asked))
    return found.of_stage("weights")[0], found.of_stage("P")[0]


@pytest.mark.parametrize(("machine", "copies"), [("h100_sxm", 2), ("h200_sxm", 2), ("b200", 1), ("gb200_nvl72", 1)])
def test_hopper_keeps_a_transposed_fp8_copy_and_blackwell_does_not(machine: str, copies: int) -> None:
    held, parameters = weights("precision=fp8", machine)
    assert held == 2 * parameters + copies * MATRICES


@pytest.mark.parametrize(("machine", "copies"), [("h100_sxm", 2), ("b200", 1)])
def test_so_do_fp8_parameters(machine: str, copies: int) -> None:
    held, parameters = weights("precision=fp8,fp8_params=true", machine)
    assert held == 2 * (parameters - MATRICES) + copies * MATRICES


@pytest.mark.parametrize(("precision", "bytes_each"), [("mxfp8", 33 / 32), ("nvfp4", 9 / 16)])
def test_block_scaled_weights_have_two_copies_on_blackwell_too(precision: str, bytes_each: float) -> None:
    """Blocks lie along the dimension that is summed, which is another one in the backward pass."""
    held, parameters = weights(f"precision={precision}", "b200")
    assert held == 2 * parameters + 2 * bytes_each * MATRICES


def test_without_a_machine_the_larger_number_is_taken_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    held, parameters = weights("precision=fp8", None)
    assert held == 2 * parameters + 2 * MATRICES
    said = printed(capsys, "eval", SMALL, "-s", f"world=8,{PLAN},precision=fp8")["assumptions"]
    assert "no machine: a weight has 2 fp8 copies, as on Hopper" in said


def test_every_machine_of_nvidia_with_fp8_says_how_many_copies() -> None:
    """The fact is TransformerEngine's, which no other maker's machine runs as it is."""
    for name in resources.shipped("systems"):
        system = load_system(name)
        if system.title.startswith("NVIDIA"):
            assert ("matmul.fp8" in system.figures) is ("matmul.fp8_copies" in system.figures), name


def test_a_search_counts_the_copies_of_its_machine(capsys: pytest.CaptureFixture[str]) -> None:
    space = f"world=8,{PLAN},precision=fp8,tp in {{1, 2}},minimize memory.peak"
    plans = printed(capsys, "search", SMALL, "-s", space, "-y", "b200")["plans"]
    found = {plan["strategy"]["tp"]: plan["peak_bytes"] for plan in plans}
    asked = question(SMALL, f"world=8,{PLAN},precision=fp8", "b200")
    assert found[1] == answer(asked.model, asked.plan, machine_of(asked)).values["memory.peak"]


def test_the_figure_may_be_set() -> None:
    assert weights("precision=fp8,matmul.fp8_copies=2", "b200") == weights("precision=fp8", None)
