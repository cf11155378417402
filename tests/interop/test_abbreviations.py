"""Names that a rule gives to its own expressions."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.rules.abbreviations import expanded
from symsim.interop.rules.key_expressions import asked
from symsim.language import tree
from symsim.language.parser import parse_part


def arguments(text: str) -> dict[str, Any]:
    whole = f"config run = strategy({text})"
    item = parse_part(Source("rules.sym", whole), 0, len(whole), "config")[0]
    assert isinstance(item, tree.ConfigItem)
    return {str(a.keyword): a.value for a in item.arguments}


def test_an_abbreviation_of_abbreviations_ends_at_keys() -> None:
    given = arguments("_a = first(x.y, 1), _b = _a + z, tp = _b if _a > 1 else 1")
    assert asked(expanded(given["tp"], given)) == ["x.y", "z"]


@pytest.mark.parametrize(("text", "code"), [("tp = _a", "E201"), ("_a = _b, _b = _a, tp = _a", "E212")])
def test_one_without_a_meaning_or_an_end_is_an_error(text: str, code: str) -> None:
    given = arguments(text)
    with pytest.raises(InputError) as caught:
        expanded(given["tp"], given)
    assert caught.value.diagnostics[0].code == code
