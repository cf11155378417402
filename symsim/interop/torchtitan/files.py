"""The kinds of torchtitan's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import TEXT, ForeignFile
from symsim.interop.formats import Kind


def _is_saved(file: ForeignFile) -> bool:
    return file.has("parallelism", "training") and (file.has("model_spec") or file.has("activation_checkpoint"))


def _is_log(file: ForeignFile) -> bool:
    from symsim.interop.torchtitan.log_line import has_configuration

    return _is_text(file) and has_configuration(file.source) and "activation_checkpoint" in file.source.text


def _is_toml(file: ForeignFile) -> bool:
    tables = ("[parallelism]", "[training]", "[activation_checkpoint]", "[job]")
    return file.path.suffix.lower() == ".toml" and any(table in file.source.text for table in tables)


def _is_launch(file: ForeignFile) -> bool:
    from symsim.interop.torchtitan.launch_line import is_launch

    return _is_text(file) and file.path.suffix.lower() != ".toml" and is_launch(file.source)


def _is_text(file: ForeignFile) -> bool:
    return file.path.suffix.lower() in TEXT


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.torchtitan.translate import translate

    return translate(files, lenient)


KINDS = (
    Kind("torchtitan", "a saved configuration of torchtitan", _is_saved, _translate),
    Kind("torchtitan", "a log of torchtitan with its configuration", _is_log, _translate),
    Kind("torchtitan", "a TOML of torchtitan", _is_toml, _translate),
    Kind("torchtitan", "a launch line of torchtitan", _is_launch, _translate, reads_others=True),
)
