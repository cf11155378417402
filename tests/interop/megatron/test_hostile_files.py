"""Files that ask for much work get an error, or an answer, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from symsim.diagnostics import InputError
from tests.interop.megatron.runs import SIZES, read


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    begin = time.perf_counter()
    yield
    assert time.perf_counter() - begin < 20


RUN = f"python pretrain_gpt.py {SIZES}"


@pytest.mark.parametrize(
    "text",
    [
        RUN + " --moe-layer-freq " + "(" * 1900 + "1" + ")" * 1900,
        RUN + " --num-experts 8 --moe-layer-freq ([1]*4096*4096)",
        RUN + " --num-experts 8 --moe-layer-freq [1]*99999999999",
        RUN + " --tensor-model-parallel-size " + "9" * 100_000,
        RUN + " --tensor-model-parallel-size $((" + "(" * 50_000 + "))",
        RUN + " --tensor-model-parallel-size $((9**9**9**9))",
        RUN + " --tensor-model-parallel-size " + "${A:-" * 20_000 + "}" * 20_000,
        RUN + " --tensor-model-parallel-size " + "${" * 50_000,
        RUN + " --tensor-model-parallel-size " + "$(" * 50_000,
        "A=12345678\n" + "A=$A$A\n" * 60 + RUN + " --tensor-model-parallel-size $A",
        "A=(x)\n" + 'A+=("${A[@]}")\n' * 40 + RUN + " --tensor-model-parallel-size ${A[@]}",
        RUN + " --tensor-model-parallel-size '" + "\\" * 50_000,
        RUN + "\n" + "if " * 50_000,
        RUN + " --tensor-model-parallel-size 2" + " --tensor-model-parallel-size 2" * 20_000,
        RUN + " --hybrid-layer-pattern " + "M" * 200_000,
    ],
)  # fmt: skip
def test_scripts(text: str) -> None:
    try:
        read(text + "\n")
    except InputError as problem:
        assert all(len(d.message) < 600 for d in problem.diagnostics)


@pytest.mark.parametrize(
    "value", ["[" * 20_000, "(" * 20_000 + ")" * 20_000, "'" * 9_999, "9" * 20_000, "[" + "1," * 40_000]
)
def test_values_of_a_log(value: str) -> None:
    rows = [f"  moe_layer_freq .... {value}", "  num_layers .... 4"]
    text = "\n".join(["-" * 24 + " arguments " + "-" * 24, *rows, "-" * 20 + " end of arguments " + "-" * 20])
    with pytest.raises(InputError):
        read(text, "run.log")
