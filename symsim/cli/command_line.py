"""The command that is running, as a person would type it again."""

from __future__ import annotations

import re
import shlex
import sys

from symsim.diagnostics import CONTROLS

_CONTROL = re.compile(CONTROLS)
_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def command_line() -> str:
    """One line that a shell reads back as the same arguments."""
    return " ".join(map(_shell, ("symsim", *sys.argv[1:])))


def _shell(argument: str) -> str:
    """``'tp = 4'``; with control characters in it ``$'tp = 4\\nmbs = 1'``, which bash and zsh read."""
    if not _CONTROL.search(argument):
        return shlex.quote(argument)
    plain = argument.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + _CONTROL.sub(lambda found: _SHORT.get(found[0], f"\\U{ord(found[0]):08x}"), plain) + "'"
