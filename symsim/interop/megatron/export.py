"""A plan as a launch script of Megatron-LM."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.megatron.argument_table import Argument, arguments, defaults
from symsim.interop.megatron.arguments import ENVIRONMENT
from symsim.interop.megatron.model_arguments import model_arguments
from symsim.interop.megatron.plan_arguments import plan_arguments

GPUS = 8
"""Most GPUs of a node: the launcher is told how many processes each node has."""
PROGRAM = "pretrain_gpt.py"


def export(asked: Settled) -> Export:
    """The script.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("Megatron", asked)
    found = {**model_arguments(words), **plan_arguments(words)}
    words.finish()
    return Export((Part("script", ".sh", _script(asked, found)),), words.left_out)


def _script(asked: Settled, found: Mapping[str, Any]) -> str:
    world = asked.size("world")
    processes = next(n for n in range(min(GPUS, world), 0, -1) if world % n == 0)
    lines = [
        "#!/bin/bash",
        f"# {asked.model.name} under {asked.strategy_name}. Add the tokenizer, data, learning rate and checkpoints.",
    ]
    environment = dict(found.get(ENVIRONMENT, {}))
    if asked.size("tp") > 1 or asked.size("cp") > 1:
        environment["CUDA_DEVICE_MAX_CONNECTIONS"] = "1"  # asked for by Megatron before Blackwell
    lines += [f"export {name}={shlex.quote(str(value))}" for name, value in environment.items()]
    command = [f"torchrun --nproc-per-node {processes} --nnodes {world // processes} {PROGRAM}"]
    command += [f"    {words}" for words in switches(found)]
    return "\n".join(lines) + "\n" + " \\\n".join(command) + "\n"


def switches(found: Mapping[str, Any]) -> Iterator[str]:
    """Each argument that differs from the parser's default, as words of a command line."""
    usual = defaults()
    for name, value in found.items():
        if name == ENVIRONMENT or value == usual[name]:
            continue
        argument = _argument(name, value)
        texts = [] if argument.sets is not None or value is True else _texts(argument, value)
        yield " ".join([argument.flags[0], *map(shlex.quote, texts)])


def _argument(name: str, value: Any) -> Argument:
    """The argument that stores a value: of two switches of one name the one for true or for false."""
    all_of = [a for a in arguments().values() if a.name == name]
    return next((a for a in all_of if a.sets is not None and a.sets == value and isinstance(value, bool)), all_of[0])


def _texts(argument: Argument, value: Any) -> list[str]:
    if not isinstance(value, list):
        return [str(value)]
    if argument.type == "pattern":
        return [_pattern(value)]
    return [",".join(map(str, value))] if argument.type == "list" else [str(v) for v in value]


def _pattern(value: list[int]) -> str:
    """``([0]*3+[1]*13)``: runs of one number."""
    runs: list[tuple[int, int]] = []
    for number in value:
        if runs and runs[-1][0] == number:
            runs[-1] = (number, runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return f"({'+'.join(f'[{number}]*{times}' for number, times in runs)})"
