"""``symsim import``: other tools' files, as the text that a person would write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from symsim.analysis.imported_model import different_count, renamed
from symsim.diagnostics import InputError, error
from symsim.interop import formats
from symsim.interop.foreign_file import read_foreign
from symsim.loading.run_files import foreign_path
from symsim.report.atomic_write import check_outputs, write_whole


class _Kinds(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise error("E001", f"import knows no files of kind '{args[0]}'", None, _with_kind(args[0], self.commands))
        return super().resolve_command(ctx, args)


def _with_kind(given: str, commands: Iterable[str]) -> str:
    """What to type for a file that is given without its kind, or for a kind that is none."""
    path = foreign_path(given)
    if path is None:
        return f"symsim import KIND FILE; a kind is one of {', '.join(commands)}"
    try:
        kind = formats.kind_of(read_foreign(path))
    except InputError:
        kind = None
    if kind is not None and kind.translate is None:
        return f"it is {kind.title}; {kind.refused}"
    return f"symsim import {kind.tool if kind is not None else 'hf'} {given}"


@click.group("import", cls=_Kinds, short_help="Translate files of other tools.")
def command() -> None:
    """Translate other tools' files into symsim's own text."""


output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="NAME.sym", help="Write it to a file."
)


@command.command("hf")
@click.argument("config", type=click.Path())
@output_option
def hugging_face(config: str, output: Path | None) -> None:
    """Print the model text of a Hugging Face config.json, or of a folder that holds one.

    With -o the model is named after the file. An index of weights next to the configuration is compared with the
    parameters of the model; a difference is said.

    \b
    symsim import hf my_model/config.json -o my_model.sym
    symsim list types          # each model_type that is read
    """
    path = foreign_path(config)
    if path is None:
        hint = "give the path of a file that ends in .json, or of a folder that holds a config.json"
        raise error("E500", f"'{config}' is not a config.json", None, hint)
    check_outputs(((output, "-o"),))
    source = formats.translated([read_foreign(path)], "hf")
    if output is not None:
        source = renamed(source, output.stem)
    different = different_count(source, path)
    if different is not None:
        click.echo(f"note: {different}", err=True)
    _write(source.text, output)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text.encode(), "-o")


_HELP = {
    "megatron": """Print the text of a Megatron-LM or Megatron-Bridge run: its model and its strategy.

    FILE is a launch script, a YAML or JSON of arguments, a log with the block of arguments that Megatron prints, or
    the run_config.yaml of Megatron-Bridge. Each argument is used, has no effect on cost, or is named in the notes.

    \b
    symsim import megatron pretrain_gpt.sh -o run.sym
    symsim eval run.sym -y h100_sxm
    symsim eval pretrain_gpt.sh -y h100_sxm --set world=64   # without that step
    """,
    "deepspeed": """Print the strategy of a ds_config.json of DeepSpeed.

    Its "auto" is what the TrainingArguments of Hugging Face say, which go behind it as JSON or YAML. Pipelines and
    recomputation are in code and in no such file.

    \b
    symsim import deepspeed ds_config.json training_args.json -o run.sym
    symsim eval llama3_8b -s run.sym -y h100_sxm --set world=64 --set seq=4096
    """,
    "accelerate": """Print the strategy of a configuration of accelerate's launcher.

    It is one of FSDP 1 or 2, of DeepSpeed, of Megatron-LM or of plain data parallelism.

    Micro-batch and accumulation are the script's: its TrainingArguments may go behind the file as JSON or YAML.

    \b
    symsim import accelerate fsdp.yaml training_args.json -o run.sym
    symsim eval llama3_8b -s fsdp.yaml -y h100_sxm \\
        --set mbs=1 --set gbs=64 --set seq=4096
    """,
    "primus": """Print the model and the strategy of an experiment of Primus that runs Megatron.

    The preset of the model, and what it extends, is looked for next to the experiment, in the checkout of Primus above
    it, and among the files behind it. ${VAR:default} takes the environment first.

    \b
    symsim import primus run.yaml llama3_8B.yaml -o run.sym
    symsim eval run.sym -y h200_sxm --set world=8
    """,
    "torchtitan": """Print the model and the strategy of a run of torchtitan.

    FILE is a script with the launch line of 0.3, the JSON that debug.save_config_file writes, a log with the line
    'Running with configs', or a TOML up to 0.2. The model is one that is shipped here, or is not in the text.

    \b
    symsim import torchtitan train.sh -o run.sym
    symsim eval train.sh -y h100_sxm
    """,
    "nanotron": """Print the model and the strategy of a YAML of nanotron.

    \b
    symsim import nanotron config.yaml -o run.sym
    symsim eval config.yaml -y h100_sxm
    """,
    "simumax": """Print the text of a strategy of SimuMax, of a model, or of both.

    FILE is a JSON of its configs/strategy or configs/models, or the strategy_config.json or model_config.json of a
    run. Some ways to recompute depend on the model: give its file too.

    \b
    symsim import simumax strategy.json model.json -o run.sym
    symsim eval model.json -s strategy.json -y h100_sxm   # without that step
    """,
    "calculon": """Print the text of an execution of Calculon, of a model, or of both.

    The length of a sequence is in the model's file, and whether heads share keys and values in the execution's: give
    both.

    \b
    symsim import calculon model.json execution.json -o run.sym
    symsim eval model.json -s execution.json -y a100_sxm   # without that step
    """,
    "estimator": """Print the text of a request of the Megatron Memory Estimator.

    FILE is what its page sends, as JSON. The model is its custom_hf_config, or a config.json that is given too.

    \b
    symsim import estimator request.json config.json -o run.sym
    symsim eval config.json -s request.json -y h100_sxm --set gbs=256
    """,
}
"""What the help of each tool says; the first example is the one of its kind."""


def _add(tool: str) -> None:
    @command.command(tool, help=_HELP.get(tool))
    @click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
    @click.option("--lenient", is_flag=True, help="Unknown names are remarks, no errors.")
    @output_option
    def translate(files: tuple[Path, ...], lenient: bool, output: Path | None) -> None:
        check_outputs(((output, "-o"),))
        source = formats.translated([read_foreign(path) for path in files], tool, lenient)
        _write(renamed(source, output.stem).text if output is not None else source.text, output)


for _tool in formats.TOOLS:
    if _tool != "hf":
        _add(_tool)
