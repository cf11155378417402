"""``symsim completion``: the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(symsim completion bash)"            in ~/.bashrc
    zsh:   eval "$(symsim completion zsh)"             in ~/.zshrc
    fish:  symsim completion fish > ~/.config/fish/completions/symsim.fish
    """
    from symsim.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "symsim", "_SYMSIM_COMPLETE").source())
