"""What is done with a model that was read from another tool's file: another name, and a look at its own count."""

from __future__ import annotations

import re
from pathlib import Path

from symsim.analysis.evaluate import answer
from symsim.diagnostics import Source
from symsim.interop.huggingface.weight_index import stated_parameters
from symsim.interop.json_text import parse, read_text
from symsim.interop.model_text import identifier
from symsim.loading.question import question

ALONE = "world=1,mbs=1,gbs=1,seq=1"


def renamed(source: Source, name: str) -> Source:
    """The text of a model under another name."""
    text = re.sub(r"^model \w+", f"model {identifier(name)}", source.text, count=1, flags=re.MULTILINE)
    return Source(source.name, text)


def different_count(source: Source, config: Path) -> str | None:
    """In words, how the parameters of a model differ from what the index of its weights states, if they do."""
    stated = stated_parameters(config.absolute().parent, parse(read_text(config)))
    if stated is None:
        return None
    count, index = stated
    asked = question(source, ALONE, None)
    own = round(answer(asked.model, asked.plan, None).values["parameters"])
    if own == count:
        return None
    return f"{index} states {count:,} parameters, and this model has {own:,} ({100 * (own - count) / count:+.2g} %)"
