"""What people call commands; a hint says which of symsim's it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from symsim import resources

CALLED: Mapping[str, str] = {
    "symsim eval MODEL -s STRATEGY -y SYSTEM": "evaluate estimate predict run cost plan",
    "symsim formula MODEL --show memory": "memory params flops formulas show latex print",
    "symsim formula MODEL --format python|latex|json writes formulas, --json and search --save write answers": (
        "dump write save"
    ),
    "symsim import hf config.json": "convert load translate hf huggingface",
    "symsim search MODEL -s SPACE -y SYSTEM": "optimize optimise tune autotune sweep find best",
    "symsim compare MODEL -s A -s B -y SYSTEM": "diff versus vs",
    "symsim explain MODEL -s STRATEGY -y SYSTEM": "why oom profile bottleneck",
    "symsim trace MODEL -s STRATEGY -y SYSTEM": "simulate timeline gantt",
    "symsim solve MODEL -s STRATEGY -y SYSTEM --for NAME": "max maximize minimize invert",
    "symsim sensitivity MODEL -s STRATEGY -y SYSTEM": "gradient derivative whatif",
    "symsim list models, strategies, systems or library": "models strategies systems machines library ls",
    "symsim calibrate CASES.json -y SYSTEM --fit NAME": "fit measure",
    "symsim validate CASES.json": "test accuracy benchmark",
    "symsim check FILE": "lint parse verify",
    "symsim --help, and symsim COMMAND --help": "help",
    "symsim --version": "version",
}
"""What to type → words that people type in its place. A word that is a command is not looked up here."""

SPELLED_ALIKE = 0.75
"""How alike a word and a command are that are one, spelled in two ways: 1 is the same."""


def command_hint(word: str, commands: Collection[str]) -> str:
    """What to type in place of a command that there is not."""
    typed = word.lower()
    if typed in commands:
        return f"did you mean '{typed}'?"
    if typed in resources.shipped("models"):
        return f"symsim eval {typed} -s STRATEGY -y SYSTEM"
    called = next((line for line, words in CALLED.items() if typed in words.split()), None)
    if called is not None:
        return called
    close = difflib.get_close_matches(typed[:40], list(commands), n=1, cutoff=SPELLED_ALIKE)
    return f"did you mean '{close[0]}'?" if close else f"the commands are {', '.join(commands)}"
