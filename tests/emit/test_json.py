"""The JSON document."""

from __future__ import annotations

import ast
import json as standard_json

from symsim.emit import json, latex, python, text
from tests.emit import samples
from tests.emit.golden_files import assert_golden


def test_document() -> None:
    document = json.definitions(samples.llama3_70b(), "llama3_70b · memory and time of one GPU")
    assert_golden("llama3_70b.json", standard_json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def test_document_says_what_the_other_emitters_say() -> None:
    definitions = samples.llama3_70b()
    order = [definition.name for definition in definitions]
    entries = json.definitions(definitions, "title")["definitions"]
    assigned = {
        ast.unparse(statement.targets[0]): ast.unparse(statement.value)
        for statement in ast.walk(ast.parse(python.module(definitions, "title", "formulas")))
        if isinstance(statement, ast.Assign)
    }
    for definition, entry in zip(definitions, entries, strict=True):
        assert isinstance(entry, dict)
        assert entry["text"] == text.expression(definition.expression, order)
        assert entry["latex"] == latex.expression(definition.expression, order)
        assert ast.unparse(ast.parse(entry["python"], mode="eval")) == assigned[entry["identifier"]]
