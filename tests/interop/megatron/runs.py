"""Runs of Megatron in small files of every form."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.formats import translated
from symsim.language.models import elaborate_model
from symsim.language.strategies import strategy_of
from symsim.loading.run_files import parts_of
from symsim.records.model import Value as Dimension
from symsim.records.strategy import Value
from tests.interop.foreign import text_file

SIZES = (
    "--num-layers 4 --hidden-size 256 --num-attention-heads 8 --micro-batch-size 1 --seq-length 512 --vocab-size 1024"
)
"""What every run needs."""


@dataclass(frozen=True)
class Run:
    """What a file is read as."""

    text: str
    family: str
    model: dict[str, Dimension]
    plan: dict[str, Value]


def read(text: str, name: str = "run.sh", lenient: bool = False) -> Run:
    """A file of a run, as ``symsim import megatron`` reads it."""
    printed = translated([text_file(name, text)], "megatron", lenient).text
    parts = parts_of(Source("read", printed))
    assert parts.model is not None and parts.strategy is not None
    model = elaborate_model(parts.model)
    return Run(printed, model.family, dict(model.dimensions), dict(strategy_of(parts.strategy).values))


def command(more: str, lenient: bool = False) -> Run:
    """A command line of one's own arguments behind those that are needed."""
    return read(f"torchrun --nproc_per_node 8 pretrain_gpt.py {SIZES} {more}\n", lenient=lenient)


def problem(text: str, name: str = "run.sh") -> str:
    """The first error of a file: code, message and where it points."""
    with pytest.raises(InputError) as caught:
        read(text, name)
    first = caught.value.diagnostics[0]
    place = f"{first.place.line}:{first.place.column}" if first.place is not None else ""
    return f"{first.code} {place} {first.message} | {first.hint}"
