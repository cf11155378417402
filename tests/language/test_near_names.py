"""A slip of the keyboard is a near spelling; another version, size or architecture is not."""

from __future__ import annotations

import pytest

from symsim import resources
from symsim.interop.huggingface.rules import BOOK
from symsim.language.near_names import Near, near_names

MODELS = sorted(resources.shipped("models"))
SYSTEMS = sorted(resources.shipped("systems"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("llama3_70B", "llama3_70b"),
        ("Llama-3-70b", "llama3_70b"),
        ("lama3_70b", "llama3_70b"),
        ("mixtrl_8x7b", "mixtral_8x7b"),
        ("deepseek3", "deepseek_v3"),
        ("gptoss_20b", "gpt_oss_20b"),
        ("qwen3_32", "qwen3_32b"),
        ("qwen3_next_80b", "qwen3_next_80b_a3b"),
    ],
)
def test_a_slip_is_a_near_spelling(given: str, meant: str) -> None:
    assert near_names(given, MODELS).hint() == f"did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ("nemotron_h", "nemotron4_15b"),
        ("nemotron_h_56b", "nemotron4_15b"),
        ("glm4", "glm5"),
        ("glm4_9b", "glm45_355b"),
        ("llama4_70b", "llama3_70b"),
        ("llama3_80b", "llama3_8b"),
        ("gemma3n_4b", "gemma3_27b"),
    ],
)
def test_another_architecture_version_or_size_is_no_spelling(given: str, other: str) -> None:
    assert near_names(given, MODELS) == Near((), other)


@pytest.mark.parametrize("given", ["llama4", "qwen2_vl", "glm5", "falcon_h2", "deepseek_v5", "mamba3"])
def test_a_model_type_of_another_architecture_is_no_spelling(given: str) -> None:
    assert near_names(given, BOOK.known_types(), typed=False).hint() is None


def test_names_that_begin_alike_are_listed() -> None:
    assert near_names("llama3", MODELS).hint() == "known here: llama3_405b, llama3_70b, llama3_8b"


@pytest.mark.parametrize(("given", "meant"), [("h100", "h100_sxm"), ("H100-SXM", "h100_sxm"), ("h100_sxn", "h100_sxm")])
def test_a_machine_may_be_said_in_short(given: str, meant: str) -> None:
    assert near_names(given, SYSTEMS).hint() == f"did you mean '{meant}'?"


@pytest.mark.parametrize("given", ["h300", "mi250x", "b100", "a10"])
def test_another_machine_is_no_spelling(given: str) -> None:
    assert near_names(given, SYSTEMS).spelled == ()


@pytest.mark.parametrize("given", ["", "…", "x" * 5000])
def test_what_is_no_name_is_near_nothing(given: str) -> None:
    assert near_names(given, MODELS) == Near((), None)


def test_every_shipped_name_is_its_own_spelling() -> None:
    assert [near_names(name, MODELS).spelled for name in MODELS] == [(name,) for name in MODELS]
