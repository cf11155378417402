"""Evaluating a file opens the files that were named, starts nothing, and hands none of its text to Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.errors.case import write
from tests.errors.texts import INLINE, MODEL, SMALL_PLAN, SYSTEM, layers_of
from tests.security.watching import Watched, watch

pytestmark = pytest.mark.slow

MARK = "evil_mark"
"""Stands in every hostile text; nothing with it may reach Python's compiler."""
CALL = f"__import__('os').system('touch {MARK}')"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (tmp_path / "secret.csv").write_text("m,k,n,efficiency\n1,1,1,0.5\n", encoding="utf-8")
    return made


def assert_harmless(found: Watched, folder: Path) -> None:
    assert found.started == ()
    assert not [text for text in found.compiled if MARK in text]
    assert not list(folder.parent.rglob(MARK))


def test_good_files_alone_are_opened(folder: Path) -> None:
    table = "m,k,n,efficiency\n1,1,1,0.5\n"
    write(folder, {
        "m.sym": MODEL, "s.sym": "strategy s\n" + SMALL_PLAN.replace(",", "\n"), "other.sym": MODEL, "gemm.csv": table,
        "box.sym": SYSTEM.replace("0.7", 'table("gemm.csv")'),
    })  # fmt: skip
    found = watch(folder, "eval", "m.sym", "-s", "s.sym", "-y", "box.sym")
    assert found.status == 0, found.err
    assert found.opened == {folder / n for n in ("m.sym", "s.sym", "box.sym", "gemm.csv")}
    assert_harmless(found, folder)


@pytest.mark.parametrize(
    "given",
    ["/etc/passwd", "../secret.csv", "./../secret.csv", "sub/../../secret.csv", "link.csv", "folder/secret.csv"],
)
def test_tables_elsewhere_are_not_opened(folder: Path, given: str) -> None:
    write(folder, {
        "box.sym": SYSTEM.replace("0.7", f'table("{given}")'), "sub": None,
        "link.csv": Path("../secret.csv"), "folder": Path(".."),
    })  # fmt: skip
    found = watch(folder, "eval", INLINE, "-s", SMALL_PLAN, "-y", "box.sym")
    assert (found.status, found.out) == (2, "")
    assert "error[E428]" in found.err
    assert found.opened == {folder / "box.sym"}
    assert_harmless(found, folder)


def test_device_is_no_table(folder: Path) -> None:
    write(folder, {"box.sym": SYSTEM.replace("0.7", 'table("endless")'), "endless": Path("/dev/zero")})
    found = watch(folder, "check", "box.sym")
    assert (found.status, found.opened) == (2, {folder / "box.sym"})


EXTRA = "operator op(x[a, b]) -> y[a, b] { saves s[extra * 7] }"

HOSTILE_MODELS = {
    "text in a function": layers_of("op", f'operator op(x[a, b]) -> y[a, b] {{ saves s[min(tp, "{CALL}")] }}'),
    "text in a remainder": layers_of("op", f'operator op(x[a, b]) -> y[a, b] {{ saves s[tp % "{CALL}"] }}'),
    "text in a product": layers_of("op", f'operator op(x[a, b]) -> y[a, b] {{ saves s[tp * "{CALL}"] }}'),
    "text in a comparison": layers_of("b", f'block b {{ if hidden == "{CALL}" {{ rmsnorm }} else {{ rmsnorm }} }}'),
    "text in a set": layers_of("b", f'block b {{ if hidden in {{"{CALL}"}} {{ rmsnorm }} else {{ rmsnorm }} }}'),
    "text in a repeat": layers_of("b", f'block b {{ unroll "{CALL}" {{ rmsnorm }} }}'),
    "text in a let": layers_of("b", f'block b {{ let c = "{CALL}"\n    row_linear(x, c) }}'),
    "text in an argument": layers_of(f'decoder("{CALL}")'),
    "text in a definition": f'define extra = min(mbs, "{CALL}") "extra"\n{MODEL}',
    "text in a meaning": layers_of("op", f'define extra = mbs * 3 "{CALL}"\n{EXTRA}'),
    "text in a title": MODEL.replace("small", f'small "{CALL}"'),
    "text in a dimension": MODEL.replace("64", f'"{CALL}"'),
    "name of Python": MODEL.replace("64", "__import__"),
    "call of Python": MODEL.replace("64", f'__import__("{MARK}")'),
    "attributes of Python": MODEL.replace("64", f"hidden.__class__.__mro__.{MARK}"),
    "names of Python": f"operator {MARK}(x[__import__, b]) -> lookup[__import__, b] {{ saves lookup }}\n" + MODEL,
    "control characters": f'define extra = mbs * 3 "#\r{CALL}\r"\n{MODEL}',
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE_MODELS.values(), ids=[n.replace(" ", "-") for n in HOSTILE_MODELS])
def test_text_of_a_model_is_only_arithmetic(folder: Path, text: str) -> None:
    write(folder, {"m.sym": text})
    found = watch(folder, "eval", "m.sym", "-s", SMALL_PLAN, "-y", "h100_sxm")
    assert found.status in (0, 2)
    assert "Traceback" not in found.err
    assert found.opened == {folder / "m.sym"}
    assert_harmless(found, folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-s", f'{SMALL_PLAN},layout="{CALL}"'),
        ("-s", f'{SMALL_PLAN},te_version="{CALL}"'),
        ("-s", f'{SMALL_PLAN},recompute={{"{CALL}"}}'),
        ("-s", f'world="{CALL}",gbs=1,seq=128'),
        ("-s", SMALL_PLAN, "--set", f'optimizer="{CALL}"'),
        ("-s", SMALL_PLAN, "--set", f'hidden="{CALL}"'),
        ("-s", SMALL_PLAN, "-y", "h100_sxm", "--set", f'gpus_per_node=min(1, "{CALL}")'),
        ("-s", SMALL_PLAN, "-y", "h100_sxm", "--set", 'matmul.efficiency=table("/etc/passwd")'),
    ],
    ids=["layout", "version", "region", "size", "optimizer", "dimension", "figure", "table"],
)
def test_text_of_a_strategy_is_only_arithmetic(folder: Path, arguments: tuple[str, ...]) -> None:
    found = watch(folder, "eval", INLINE, *arguments)
    assert (found.status, found.out) == (2, "")
    assert found.opened == frozenset()
    assert_harmless(found, folder)


def test_configuration_is_only_read(folder: Path) -> None:
    config = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 256, "_name_or_path": f'/etc/passwd"\nmodel {MARK} = llama()\n#',
        "auto_map": {"AutoModel": f"{MARK}.py--Model"}, "architectures": [CALL], "torch_dtype": CALL,
    }  # fmt: skip
    write(folder, {"config.json": json.dumps(config), f"{MARK}.py": ""})
    (folder / f"{MARK}.py").unlink()
    found = watch(folder, "eval", "config.json", "-s", SMALL_PLAN)
    assert found.status == 0, found.err
    assert found.opened == {folder / "config.json"}
    assert_harmless(found, folder)


@pytest.mark.parametrize("form", ["python", "latex", "markdown", "text", "json"])
def test_printed_formulas_are_data(folder: Path, form: str) -> None:
    """A meaning that would end a comment, a docstring or a formula stays inside of it."""
    meaning = f"x ''' \\input{{/etc/passwd}} $ % \\ {CALL} <script>"
    write(folder, {"m.sym": layers_of("op", f'define extra = mbs * 3 "{meaning}"\n{EXTRA}')})
    found = watch(folder, "formula", "m.sym", "--format", form)
    assert found.status == 0, found.err
    assert_harmless(found, folder)
    if form == "latex":
        assert "\\input" not in found.out
    if form == "python":
        lines = [line for line in found.out.split("\n") if MARK in line]
        assert lines and all("#" in line.partition(MARK)[0] for line in lines)
