"""Whatever is written reads back: names, titles, sources and commands of others change nothing in it."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symsim.analysis.fitting.recorded_fits import RecordedFit, recorded_fits
from symsim.analysis.searching.saved_plan import strategy_text
from symsim.analysis.searching.search import Result, search
from symsim.analysis.searching.space import load_space
from symsim.cli.command_line import command_line
from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from symsim.interop.json_text import parse
from symsim.language.calibrated import Fitted, figures_of, rewritten
from symsim.language.parser import keywords, parse_strategy, parse_system
from symsim.language.quoting import one_line, quoted
from symsim.language.strategies import elaborate_strategy
from symsim.language.systems import elaborate_system
from symsim.loading.model_files import load_model
from tests.errors.case import run
from tests.errors.texts import SYSTEM

pytestmark = pytest.mark.slow

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=40)
TRICKS = 'a"\n} model b = gpt()\r\x0b\x0c\x1c\x85\u2028\ufffd\x00\ud800 # "'


@cache
def found() -> Result:
    sizes = "world=8,gbs=64,seq=2048,tp in {1, 2},moe_imbalance=1.25,te_version=2.11.0"
    space = f"{sizes},recompute in {{none, {{core_attn, mlp}}}}"
    return search(load_space("llama3_8b", f'{space},require tp <= 4 "at most \u2264 4"', "h100_sxm"))


@given(ANYTHING, ANYTHING)
@example(TRICKS, TRICKS)
@settings(max_examples=50)
def test_saved_plan(name: str, command: str) -> None:
    text = strategy_text(found(), 1, name, command)
    strategy = elaborate_strategy(parse_strategy(Source("saved.sym", text)), "saved")
    chosen = found().plans[0].question.plan.values
    assert {n: v for n, v in chosen.items() if n in strategy.values} == dict(strategy.values)
    assert strategy.values["te_version"] == "2.11.0"
    assert [r.message for r in strategy.requires] == ["at most \u2264 4"]


@pytest.mark.parametrize("name", sorted(keywords("strategy")))
def test_saved_plan_is_called_like_a_word_of_the_language(name: str) -> None:
    parse_strategy(Source("saved.sym", strategy_text(found(), 1, name, "")))


CONFIG = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
          "intermediate_size": 128, "vocab_size": 256}  # fmt: skip


@given(ANYTHING, ANYTHING | st.none(), ANYTHING)
@example(TRICKS, None, TRICKS)
@example(TRICKS, TRICKS, TRICKS)
@example('it\'s "mine"', None, "config.json")
def test_imported_model(folder: str, path: str | None, file: str) -> None:
    config = {**CONFIG, **({"_name_or_path": path} if path is not None else {})}
    text = translate(parse(Source(file, json.dumps(config))), folder, Source(file, ""))
    assert load_model(Source("imported.sym", text), {}).dimensions["ffn"] == 128


@pytest.mark.parametrize("name", sorted(keywords("model")))
def test_imported_model_is_called_like_a_word_of_the_language(name: str) -> None:
    text = translate(parse(Source("config.json", json.dumps(CONFIG))), name, Source("config.json", ""))
    load_model(Source("imported.sym", text), {})


@given(ANYTHING, ANYTHING)
@example(TRICKS, TRICKS)
@example("a\u2028b\x0cc", "x")
def test_fitted_machine(name: str, comment: str) -> None:
    """Sets are called by whoever measured; comments stay on the lines that they are on."""
    comment = one_line(comment) if "\0" in comment or "\n" in comment or "\ufffd" in comment else comment
    comment = "".join(c for c in comment if not "\ud800" <= c <= "\udfff")
    source = Source("box.sym", f"# {comment}\n{SYSTEM}")
    fit = RecordedFit("box", ("hbm.efficiency:30%",), (name,), "layout")
    new = {n: Fitted(0.5, 0.9, "", f"+- 1 %, fitted to {name}") for n in ("hbm.efficiency", "matmul.sustained")}
    text = rewritten(source, figures_of(parse_system(source)), new, f"told\n{fit}")
    machine = elaborate_system(parse_system(Source("box.sym", text)), Path(), {})
    assert [machine.figures[n].value for n in new] == [0.5, 0.5]
    assert machine.figures["hbm.efficiency"].before == 0.9
    assert len(recorded_fits(text)) == (1 if one_line(name).strip() else len(recorded_fits(text)))


@given(ANYTHING)
@example(TRICKS)
def test_text_between_quotes(text: str) -> None:
    parsed = parse_strategy(Source("x", f"tp = 1\nrequire tp == 1 {quoted(text)}\nmbs = 2"))
    assert len(parsed.choices) == 3


@given(st.lists(ANYTHING.filter(lambda t: "\0" not in t and t.isascii()), max_size=4))
@example(["-s", "tp in {1,2}\nworld = 8", "it's\ta \\ 'b'", "\x1b[0m\x7f\r"])
@settings(max_examples=30)
def test_command_reads_back_in_a_shell(arguments: list[str]) -> None:
    before, sys.argv = sys.argv, ["symsim", *arguments]
    try:
        command = command_line()
    finally:
        sys.argv = before
    assert "\n" not in command
    script = f"symsim() {{ printf '%s\\0' \"$@\"; }}; {command}"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout.decode()
    assert printed == ("".join(f"{a}\0" for a in arguments) or "\0")


@pytest.mark.parametrize("name", ["plan.sym", 'it\'s "a".sym', "in.sym", "a\nb.sym", "0.sym", "é.sym"])
def test_saved_by_a_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newline parts the choices of a strategy as a comma does."""
    monkeypatch.chdir(tmp_path)
    space = 'tp in {1, 2}\nworld = 8  # "eight"\ngbs = 64\nseq = 2048'
    done = run("search", "llama3_8b", "-s", space, "-y", "h100_sxm", "--save", name, "--json")
    assert (done.status, done.err) == (0, "")
    best = json.loads(done.out)["plans"][0]
    again = json.loads(run("eval", "llama3_8b", "-s", f"./{name}", "-y", "h100_sxm", "--json").out)
    assert again["time"]["iteration_s"] == best["iteration_s"]


@pytest.mark.parametrize("folder", ['it\'s "mine"', "a\nb", "model", "模型", "\u202e", "-"])
def test_imported_by_a_command(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "config.json").write_text(json.dumps(CONFIG))
    printed = run("import", "hf", f"./{folder}/config.json")
    assert (printed.status, printed.err) == (0, "")
    (tmp_path / "model.sym").write_text(printed.out)
    assert run("check", "model.sym").status == 0
