"""What others wrote is shown by a terminal and never obeyed by it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.diagnostics import CONTROLS
from symsim.report.terminal_safety import SafeStream, safe
from tests.errors.case import run
from tests.errors.texts import DIMENSIONS, INLINE, SMALL_PLAN

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\u202eb\ud800"
OBEYED = re.compile(f"(?![\n\t]){CONTROLS}")
DRAWN = re.compile(r"\x1b\[[0-9;]*m")
"""What rich itself writes: the colours of a table."""


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    assert OBEYED.search(safe(text)) is None


def test_letters_of_every_alphabet_stay() -> None:
    assert safe("é 模型 ⌈x⌉ · ± 5\u00a0%\n\t") == "é 模型 ⌈x⌉ · ± 5\u00a0%\n\t"


def test_a_safe_stream_is_the_stream_behind_it() -> None:
    behind = io.StringIO()
    assert SafeStream(behind).write("a\x1bb") == 3
    assert behind.getvalue() == "a�b"


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with texts of others in every place that a command prints."""
    monkeypatch.chdir(tmp_path)
    plan = dict(part.split("=") for part in SMALL_PLAN.split(","))
    good = {"id": HOSTILE, "set": HOSTILE, "model": "gpt2_xl", "strategy": {n: int(v) for n, v in plan.items()},
            "measured": {"last_rank_static_bytes": 1e9, HOSTILE: 1}}  # fmt: skip
    failing = {**good, "strategy": {**good["strategy"], "precision": HOSTILE}}
    (tmp_path / "cases.json").write_text(json.dumps([good, failing]))
    (tmp_path / "markup.json").write_text(json.dumps([{**good, "id": "[/red] [link=x]", "set": "[blink]"}]))
    folder = tmp_path / HOSTILE.replace("/", "").replace("\ud800", "")
    folder.mkdir()
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
              "intermediate_size": 128, "vocab_size": 256, "_name_or_path": HOSTILE}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (tmp_path / "small.sym").write_text(f"model small = llama({DIMENSIONS})\n")
    return folder


COMMANDS = (
    ("validate", "cases.json"),
    ("validate", "markup.json"),
    ("import", "hf", "FOLDER/config.json"),
    ("formula", "FOLDER/config.json"),
    ("formula", "FOLDER/config.json", "--format", "json"),
    ("eval", "FOLDER/config.json", "-s", SMALL_PLAN),
    ("check", "FOLDER/config.json", HOSTILE.replace("\ud800", "") + ".sym"),
    ("eval", INLINE, "-s", HOSTILE.replace("\ud800", "")),
    (HOSTILE.replace("\ud800", ""),),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: "-".join(w for w in a[:2] if w.isalpha()) or "command")
def test_texts_of_others_in_a_pipe(hostile: Path, arguments: tuple[str, ...]) -> None:
    found = run(*(a.replace("FOLDER", str(hostile)) for a in arguments))
    assert found.status in (0, 1, 2)
    assert OBEYED.search(found.out + found.err) is None


@pytest.mark.parametrize("arguments", COMMANDS[:3], ids=lambda a: "-".join(a[:2]))
def test_texts_of_others_on_a_terminal(hostile: Path, arguments: tuple[str, ...]) -> None:
    """On a terminal tables are drawn: rich takes no markup and no control from a cell."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "symsim", *(a.replace("FOLDER", str(hostile)) for a in arguments)]
    root = str(Path(__file__).parents[2])
    ended = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root})
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(mine)
    _, err = ended.communicate(timeout=60)
    assert (ended.returncode, err) == (0, b"")
    assert OBEYED.search(DRAWN.sub("", shown.decode().replace("\r\n", "\n"))) is None
    assert ("[/red]" in shown.decode()) == ("markup.json" in arguments)
