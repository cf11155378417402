"""Reading JSON with places: what Python's own reader gives, and the error of each malformed text."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.diagnostics import Diagnostic, InputError, Source
from symsim.interop.json_text import MAX_BYTES, MAX_DEPTH, Object, parse, read_text


def problem(text: str) -> Diagnostic:
    with pytest.raises(InputError) as caught:
        parse(Source("config.json", text))
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def where(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.place is not None
    return diagnostic.place.line, diagnostic.place.column


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_object_is_read_as_python_reads_it(
    value: dict[str, object], indent: int | str | None, plain: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    assert parse(Source("config.json", text)) == json.loads(text)


@given(st.text(alphabet='{}[]",:0123456789.eE+-tfn\\ \n'))
def test_any_text_is_read_as_python_reads_it_or_refused(text: str) -> None:
    try:
        ours: object = parse(Source("config.json", text))
    except InputError as refused:
        assert refused.diagnostics
    else:
        assert ours == json.loads(text)


def test_keys_know_their_places() -> None:
    outer = parse(Source("config.json", '{\n  "a": 1,\n  "b": {"c": 2}\n}'))
    inner = outer["b"]
    assert isinstance(inner, Object)
    assert [str(place) for place in (*outer.places.values(), *inner.places.values())] == [
        "config.json:2:3",
        "config.json:3:3",
        "config.json:3:9",
    ]


def test_infinity_is_read_as_real_configurations_hold_it() -> None:
    assert parse(Source("config.json", '{"time_step_limit": [0.0, Infinity]}')) == {"time_step_limit": [0.0, math.inf]}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "E502", (1, 1)),
        ("not json", "E502", (1, 1)),
        ('{"a": 1,}', "E502", (1, 9)),
        ('{"a" 1}', "E502", (1, 6)),
        ('{"a": 1 "b": 2}', "E502", (1, 9)),
        ('{"a": 01}', "E502", (1, 7)),
        ('{"a": 1.}', "E502", (1, 7)),
        ('{"a": "no end}', "E502", (1, 7)),
        ('{"a": "\\q"}', "E502", (1, 7)),
        ("{'a': 1}", "E502", (1, 2)),
        ('{"a": 1', "E502", (1, 8)),
        ('{"a": 1} {}', "E502", (1, 10)),
        ('{"a": ' + "9" * 41 + "}", "E502", (1, 7)),
        ('{"a": 1,\n "a": 2}', "E504", (2, 2)),
        ('[{"a": 1}]', "E505", (1, 1)),
        ('"text"', "E505", (1, 1)),
    ],
)
def test_malformed_text_is_refused_where_it_is_wrong(text: str, code: str, place: tuple[int, int]) -> None:
    found = problem(text)
    assert (found.code, where(found)) == (code, place)


def test_key_given_twice_names_the_first() -> None:
    assert problem('{"a": 1,\n "a": 2}').hint == "first given at config.json:1:2"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert problem('{"a":' + opening * 200_000).code == "E503"


def test_nesting_up_to_the_limit_is_read() -> None:
    depth = MAX_DEPTH - 1
    assert parse(Source("config.json", '{"a":' + "[" * depth + "]" * depth + "}"))


def test_text_without_end_is_refused_quickly() -> None:
    assert problem('{"a": "' + "\\\\" * 400_000).code == "E502"


# Files


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert parse(read_text(path)) == {}


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\xff\xfe{\x00}\x00", "E501"), (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "E501")],
    ids=["not UTF-8", "too long"],
)
def test_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert caught.value.diagnostics[0].code == code


def test_folder_and_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "config.json", Path("con\0fig.json")):
        with pytest.raises(InputError) as caught:
            read_text(path)
        assert caught.value.diagnostics[0].code == "E500"
