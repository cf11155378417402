"""The JSON document."""

from __future__ import annotations

import json as standard_json

from symsim.emit import json, latex, python, text
from tests.emit import samples
from tests.emit.golden_files import assert_golden


def test_document() -> None:
    document = json.definitions(samples.llama3_70b(), "llama3_70b · memory and time of one GPU")
    assert_golden("llama3_70b.json", standard_json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def test_document_says_what_the_other_emitters_say() -> None:
    definitions = samples.llama3_70b()
    document = json.definitions(definitions, "title")
    order = [definition.name for definition in definitions]
    source = python.module(definitions, "title", "formulas")
    for definition, entry in zip(definitions, document["definitions"], strict=True):
        assert isinstance(entry, dict)
        assert entry["text"] == text.expression(definition.expression, order)
        assert entry["latex"] == latex.expression(definition.expression, order)
        assert "".join(f"{entry['identifier']}={entry['python']}".split()) in "".join(source.split()) or (
            len(entry["python"]) > 80
        )
