"""Who is believed: the user's own folder and files; and what an entry with a right seal can do at most."""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.compiler import cache
from symsim.emit.code import compile_scalar
from symsim.emit.magnitude import INPUT_BITS, MAX_BITS, bits_of
from symsim.emit.program import MAX_INSTRUCTIONS, MAX_OPERANDS, OPERATIONS, Program, from_json
from tests.errors.case import run
from tests.errors.texts import INLINE, SMALL_PLAN, SYSTEM

KEY = "0" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setenv("SYMSIM_CACHE", str(place))
    cache.write(KEY, {"x": 1})
    assert cache.read(KEY) == {"x": 1}
    return place


def test_folder_and_entries_are_the_users_alone(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o770])
def test_folder_in_which_others_write_is_neither_read_nor_written(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert cache.read(KEY) is None
    cache.write("1" * 64, {"x": 2})
    assert [p.name for p in folder.iterdir()] == [f"{KEY}.json"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_entry_that_others_may_write_counts_as_absent(folder: Path, mode: int) -> None:
    (folder / f"{KEY}.json").chmod(mode)
    assert cache.read(KEY) is None


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o500])
def test_folder_that_others_read_is_believed(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert cache.read(KEY) == {"x": 1}


@pytest.mark.parametrize("asked_as", [("another", "mine"), ("mine", "another")], ids=["folder", "entry"])
def test_what_belongs_to_another_user_counts_as_absent(
    folder: Path, asked_as: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner is asked for twice: of the folder, then of the entry."""
    users = iter([os.geteuid() + (user == "another") for user in asked_as])
    monkeypatch.setattr(os, "geteuid", lambda: next(users))
    assert cache.read(KEY) is None


def test_folder_behind_a_link_is_the_one_that_is_checked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path / "link"))
    assert cache.read(KEY) == {"x": 1}
    folder.chmod(0o777)
    assert cache.read(KEY) is None


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_counts_as_absent(folder: Path, word: str) -> None:
    cache.write(KEY, {"x": float(word.replace("Infinity", "inf"))})
    assert cache.read(KEY) is None


def small(*instructions: tuple[Any, ...]) -> Program:
    """A program of two sizes whose output is its last instruction."""
    data = {
        "title": "x", "inputs": ["pp", "tp"], "instructions": [list(i) for i in instructions],
        "outputs": {"it": [2 + len(instructions), "stage", "", ""]}, "rules": [], "figures": {},
    }  # fmt: skip
    return from_json(data)


ENDLESS: dict[str, list[tuple[Any, ...]]] = {
    "squarings": [("mul", 1, 1), *(("mul", k, k) for k in range(3, 40))],
    "power of a power": [("const", 16), ("pow", 1, 3), *(("pow", k, 3) for k in range(4, 12))],
    "huge exponent": [("const", 10**9), ("pow", 1, 3)],
    "exponent that is a size": [("mul", 1, 1), ("pow", 0, 3)],
    "tower": [("const", 2), ("pow", 3, 1), ("pow", 3, 4)],
    "sums of a tower": [("mul", 1, 1), *(("mul", k, k, 1) for k in range(3, 40)), ("stage_sum", 40)],
    "fractions": [("const", 3), ("div", 1, 3), *(("div", k, k - 1) for k in range(4, 60))],
    "remainders": [("const", 3), ("div", 1, 3), *(("mul", k, k) for k in range(4, 40)), ("mod", 40, 3)],
    "rounded": [("const", 1.5), ("mul", 1, 3), ("floor", 4), *(("mul", k, k) for k in range(5, 40))],
    "choice": [("mul", 1, 1), *(("where", 0, k, 1) if k % 2 else ("mul", k, k, k) for k in range(3, 90))],
    "terms without end": [("add", *[0] * (MAX_OPERANDS + 1))],
    "instructions without end": [("add", 0, 1)] * (MAX_INSTRUCTIONS + 1),
}


@pytest.mark.parametrize("instructions", ENDLESS.values(), ids=[n.replace(" ", "-") for n in ENDLESS])
def test_arithmetic_without_an_end_is_refused(instructions: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match=r"bits|not a program"):
        small(*instructions)


def test_arithmetic_with_an_end_is_taken() -> None:
    small(*[("mul", k, k) for k in range(2, 12)])
    small(("const", 16), ("pow", 1, 3), ("const", -1), ("pow", 5, 0))
    small(("add", *[0] * MAX_OPERANDS))


@given(st.data())
@settings(max_examples=200)
def test_no_number_has_more_bits_than_are_foretold(data: st.DataObject) -> None:
    """Random programs over the largest sizes, whole ones and fractions."""
    instructions: list[tuple[Any, ...]] = []
    plain = sorted(n for n in OPERATIONS if "stage" not in n and n not in ("log",) and not n.endswith(("_to", "_from")))
    for _ in range(data.draw(st.integers(1, 12))):
        operation = data.draw(st.sampled_from(["const", *plain]))
        if operation == "sum_before":
            continue
        if operation == "const":
            instructions.append(("const", data.draw(st.integers(-20, 20) | st.just(1.5))))
            continue
        count = OPERATIONS[operation] if OPERATIONS[operation] > 0 else data.draw(st.integers(1, 3))
        registers = st.integers(0, 2 + len(instructions)).filter(lambda k: k != 2)
        instructions.append((operation, *(data.draw(registers) for _ in range(count))))
    if not instructions:
        return
    program = Program("x", ("pp", "tp"), tuple(instructions), {}, ())
    try:
        foretold = bits_of(program)
    except ValueError:
        return
    from fractions import Fraction

    last = 2 + len(instructions)
    for tp in (2**INPUT_BITS - 1, Fraction(2**INPUT_BITS - 1, 3), 0, 1):
        run_ = compile_scalar(program, [last]).run
        try:
            (found,) = run_(
                [v for v, n in zip((7, tp), program.inputs, strict=True) if n in _read(program, last)], None
            )
        except (ArithmeticError, IndexError):
            continue
        if isinstance(found, int | Fraction):
            needed = max(abs(found.numerator).bit_length(), found.denominator.bit_length())
            assert needed <= max(foretold[last], 1) + 1


def _read(program: Program, wanted: int) -> tuple[str, ...]:
    return compile_scalar(program, [wanted]).inputs


def test_bits_of_shipped_programs_are_far_below_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from symsim.analysis.evaluate import evaluator
    from symsim.loading.question import question

    for model in ("gpt2_xl", "deepseek_v3", "qwen3_next_80b_a3b"):
        asked = question(model, "world=64,gbs=64,seq=4096,tp=8", None)
        assert max(bits_of(evaluator(asked.model, asked.plan.structure).program)) < MAX_BITS / 4


def entries(folder: Path, holding: str) -> list[Path]:
    return [p for p in folder.glob("*.json") if f'"{holding}"' in p.read_text(encoding="utf-8")]


def _value(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda data: data["values"].__setitem__(name, value)


STRATEGIES: dict[str, Callable[[Any], Any]] = {
    "size below one": _value("pp", ["plain", -1]),
    "size beyond all": _value("pp", ["plain", 10**9]),
    "size of 4,000 digits": _value("tp", ["plain", 10**4000]),
    "word that there is not": _value("zero", ["plain", "stage_sum"]),
    "word for a size": _value("tp", ["plain", "eight"]),
    "flag for a size": _value("tp", ["plain", True]),
    "fraction for a size": _value("tp", ["fraction", [1, 3]]),
    "fraction by zero": _value("moe_imbalance", ["fraction", [1, 0]]),
    "endless fraction": _value("moe_imbalance", ["fraction", [10**4000 + 1, 10**4000]]),
    "set for a size": _value("tp", ["set", ["a"]]),
    "layout that is none": _value("layout", ["plain", "t" * 10_000]),
    "choice that there is not": lambda data: (data["places"].update(tpp=[1, 1, 1]), _value("tpp", ["plain", 1])(data)),
}

SYSTEMS: dict[str, Callable[[Any], Any]] = {
    "bandwidth below zero": lambda data: data["figures"]["hbm.bandwidth"].__setitem__(0, -1.0),
    "bandwidth of zero": lambda data: data["figures"]["hbm.bandwidth"].__setitem__(0, 0),
    "bandwidth beyond all": lambda data: data["figures"]["hbm.bandwidth"].__setitem__(0, 1e300),
    "whole bandwidth of 4,000 digits": lambda data: data["figures"]["hbm.bandwidth"].__setitem__(0, 10**4000),
    "half a GPU": lambda data: data["figures"]["gpus_per_node"].__setitem__(0, 0.5),
    "another unit": lambda data: data["figures"]["hbm.bandwidth"].__setitem__(1, "s"),
    "efficiency beyond all": lambda data: data["figures"]["hbm.efficiency"].__setitem__(0, 9.0),
    "figure that is left out": lambda data: data["figures"].pop("memory.capacity"),
    "figure that there is not": lambda data: data["figures"].update({"hbm.colour": [1.0, "", "", None, ""]}),
    "link that there is not": lambda data: data.update(link_kind="wire"),
    "table of nothing": lambda data: data["tables"].update({"matmul.efficiency": [["m"], [], 1.0, ""]}),
    "table of another shape": lambda data: data["tables"].update(
        {"matmul.efficiency": [["m"], [[1, 2, 0.5]], 1.0, ""]}
    ),
}

MODELS: dict[str, Callable[[Any], Any]] = {
    "dimension of 4,000 digits": lambda data: data["dimensions"].update(hidden=10**4000),
    "title that is a number": lambda data: data.update(title=5),
    "family that is a number": lambda data: data.update(family=5),
    "derived dimension that there is not": lambda data: data.update(derived=["hiden"]),
}


@pytest.mark.parametrize(
    ("holding", "change"),
    [
        *(
            pytest.param("places", change, id=f"strategy-{name.replace(' ', '-')}")
            for name, change in STRATEGIES.items()
        ),
        *(pytest.param("link_kind", change, id=f"system-{name.replace(' ', '-')}") for name, change in SYSTEMS.items()),
        *(pytest.param("dimensions", change, id=f"model-{name.replace(' ', '-')}") for name, change in MODELS.items()),
    ],
)
def test_sealed_entry_of_impossible_values_counts_as_absent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holding: str, change: Callable[[Any], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.sym").write_text("strategy plan\n" + SMALL_PLAN.replace(",", "\n") + "\nmoe_imbalance = 1.25\n")
    Path("box.sym").write_text(SYSTEM)
    asked = partial(run, "eval", INLINE, "-s", "plan.sym", "-y", "./box.sym", "--json")
    right = asked()
    assert right.status == 0
    (path,) = entries(folder, holding)
    data = copy.deepcopy(cache.read(path.stem))
    change(data)
    cache.write(path.stem, data)
    assert asked() == right


def test_family_that_there_is_not_is_an_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which families there are only the library says, and that is not read where nothing is compiled."""
    run("eval", INLINE, "-s", SMALL_PLAN)
    (path,) = entries(folder, "dimensions")
    cache.write(path.stem, {**cache.read(path.stem), "family": "mul"})  # type: ignore[dict-item]
    found = run("eval", INLINE, "-s", SMALL_PLAN)
    assert (found.status, found.out) == (2, "")
    assert "error[E213]: no family is called 'mul'" in found.err


DEFAULTS: dict[str, Any] = {
    "choice that there is not": {"tpp": ["number", 8, 1]},
    "words that are no expression": {"zero": ["import", "os"]},
    "list": ["zero"],
    "nothing": None,
}


@pytest.mark.parametrize("planted", DEFAULTS.values(), ids=[n.replace(" ", "-") for n in DEFAULTS])
def test_sealed_defaults_of_a_framework_that_are_none_count_as_absent(folder: Path, planted: Any) -> None:
    """Entries with places: what a strategy leaves out is compared with what its framework would take."""
    asked = partial(run, "eval", INLINE, "-s", SMALL_PLAN, "-y", "h100_sxm", "--json")
    right = asked()
    cache.write(cache.key_of("defaults of frameworks", "megatron"), planted)
    for said in entries(folder, "said"):
        said.unlink()
    assert asked() == right


def test_default_of_a_framework_passes_the_check_of_a_choice(folder: Path) -> None:
    cache.write(cache.key_of("defaults of frameworks", "megatron"), {"zero": ["name", "stage_sum"]})
    found = run("eval", INLINE, "-s", SMALL_PLAN, "-y", "h100_sxm")
    assert (found.status, found.out) == (2, "")
    assert "error[E313]: 'zero' cannot be the word 'stage_sum'" in found.err
