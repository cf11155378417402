"""The arguments of a launch script or a command line: those behind its ``pretrain_….py``, and its launcher's GPUs."""

from __future__ import annotations

import re

from symsim.diagnostics import Place, Source, error
from symsim.interop.megatron.arguments import Arguments, of_words
from symsim.interop.shell_text import Script, Word, read_script

_PROGRAM = re.compile(r"(.*/)?((pre)?train|finetune|pretrain_\w+)[\w-]*\.py")
_COUNT = re.compile(r"[1-9]\d{0,8}")


def is_script(text: str) -> bool:
    """Whether a text runs one of Megatron's programs, or holds its arguments."""
    return re.search(r"pretrain_\w+\.py", text) is not None or len(re.findall(_SOME, text)) >= 3


_SOME = r"--(?:num-layers|hidden-size|num-attention-heads|tensor-model-parallel-size|micro-batch-size|seq-length)\b"


def read_launch_script(source: Source, lenient: bool) -> Arguments:
    """What the last training command of a script is given.

    Raises:
        InputError: there is none, or its arguments are wrong.
    """
    script = read_script(source)
    out = Arguments(source)
    found = [(words, k) for words in script.commands if (k := _program(words)) is not None]
    if not found:
        hint = "a command such as torchrun … pretrain_gpt.py --num-layers 32 …"
        raise error("E530", f"{source.name} runs no training program of Megatron", Place(source, 1, 1), hint)
    words, at = found[-1]
    _world(words[:at], script, out)
    of_words(words[at + 1 :], out, lenient)
    of_environment = {**script.exported, **_assigned(words[:at])}
    out.environment({name: word.text for name, word in of_environment.items()}, words[0].place)
    if script.conditions:
        lines = ", ".join(map(str, script.conditions[:5]))
        out.remarks.append(
            f"conditions and loops of the script are not followed (line {lines}): assignments count in their order"
        )
    return out.checked()


def _program(words: list[Word]) -> int | None:
    """Where a command names its program; before the arguments where it names none."""
    named = next((k for k, word in enumerate(words) if _PROGRAM.fullmatch(word.text)), None)
    if named is not None:
        return named
    first = next((k for k, word in enumerate(words) if word.text.startswith("--num-layers")), None)
    return None if first is None else next(k for k, w in enumerate(words) if w.text.startswith("--")) - 1


def _assigned(words: list[Word]) -> dict[str, Word]:
    """Variables that stand in front of a launcher, or behind ``env``."""
    pairs = (word.text.partition("=") for word in words)
    return {n: w for (n, equal, _), w in zip(pairs, words, strict=True) if equal and re.fullmatch(r"[A-Z_]\w*", n)}


def _world(words: list[Word], script: Script, out: Arguments) -> None:
    """GPUs of the job: processes of a node times nodes, as torchrun is told."""
    processes = _option(words, "nproc_per_node", "nproc-per-node")
    nodes = _option(words, "nnodes", "nnode")
    named = script.exported.get("WORLD_SIZE")
    if processes is not None:
        count = int(processes.text) * (int(nodes.text) if nodes is not None else 1)
        out.put("world_size", count, processes.place)
    elif named is not None and _COUNT.fullmatch(named.text):
        out.put("world_size", int(named.text), named.place)


def _option(words: list[Word], *names: str) -> Word | None:
    for k, word in enumerate(words):
        name, _, joined = word.text.lstrip("-").partition("=")
        if word.text.startswith("-") and name in names:
            value = Word(joined, word.place) if joined else words[k + 1] if k + 1 < len(words) else None
            return value if value is not None and _COUNT.fullmatch(value.text) else None
    return None
