"""The kinds of Megatron's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import TEXT, ForeignFile
from symsim.interop.formats import Kind

SECTION = "MODEL_ARGS"
"""Where Megatron-LM's functional tests have the arguments."""
TELLING = ("num_layers", "hidden_size", "num_attention_heads", "micro_batch_size", "seq_length")
"""Names of arguments by some of which a mapping without a section is known."""


def _is_mapping(file: ForeignFile) -> bool:
    if file.keys is None:
        return False
    if isinstance(file.keys.get(SECTION), dict):
        return True
    switches = sum(key.startswith("--") for key in file.keys)
    named = sum(name in file.keys for name in TELLING)
    return switches >= 2 or (named >= 3 and not file.has("model_type") and not file.has("architectures"))


def _is_log(file: ForeignFile) -> bool:
    from symsim.interop.megatron.log_block import is_log

    return file.path.suffix.lower() in TEXT and is_log(file.source.text)


def _is_script(file: ForeignFile) -> bool:
    from symsim.interop.megatron.launch_script import is_script

    return file.path.suffix.lower() in TEXT and is_script(file.source.text)


def _mapping(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.json_text import Object
    from symsim.interop.megatron.arguments import Arguments, of_mapping
    from symsim.interop.megatron.translate import translated

    file = files[0]
    keys = file.keys or Object()
    given = file.part(SECTION) if SECTION in keys else keys
    out = Arguments(file.source)
    of_mapping(given, out, lenient)
    environment = file.part("ENV_VARS")
    if environment:
        out.environment(environment, keys.places["ENV_VARS"])
    return translated(out.checked(), file.path.stem, f"{file.path.name}, arguments of Megatron-LM")


def _log(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.megatron.log_block import read_log
    from symsim.interop.megatron.translate import translated

    file = files[0]
    return translated(read_log(file.source), file.path.stem, f"{file.path.name}, the arguments in a log of Megatron-LM")


def _script(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.megatron.launch_script import read_launch_script
    from symsim.interop.megatron.translate import translated

    file = files[0]
    given = read_launch_script(file.source, lenient)
    return translated(given, file.path.stem, f"{file.path.name}, a launch script of Megatron-LM")


def _is_run_config(file: ForeignFile) -> bool:
    from symsim.interop.megatron.bridge import is_run_config

    return file.keys is not None and is_run_config(file)


def _run_config(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.megatron.bridge import read_run_config
    from symsim.interop.megatron.translate import translated

    file = files[0]
    given = read_run_config(file, lenient)
    return translated(given, file.path.stem, f"{file.path.name}, a configuration of Megatron-Bridge")


KINDS = (
    Kind("megatron", "a configuration of Megatron-Bridge", _is_run_config, _run_config),
    Kind("megatron", "a YAML or JSON of Megatron-LM's arguments", _is_mapping, _mapping),
    Kind("megatron", "a log of Megatron-LM", _is_log, _log),
    Kind("megatron", "a launch script of Megatron-LM", _is_script, _script),
)
