"""Every choice and every dimension that is a word is closed: another word is an error with the near ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import symsim
from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.language.library import library_of
from symsim.language.tree import Name
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

MODELS = {
    "llama": "llama32_1b",
    "gpt": "gpt2_xl",
    "moe": "qwen2_moe_a14b",
    "gemma": "gemma2_9b",
    "deepseek": "deepseek_v2_lite",
    "gpt_oss": "gpt_oss_20b",
    "qwen3_next": "qwen3_next_80b_a3b",
    "nemotron": "nemotron4_15b",
    "mamba": "mamba2_2_7b",
}
"""A shipped model of each family whose layers say how many parameters a word adds. Of families whose layers differ
(decoder, hybrids and the like) the blocks are tested on their own."""

LIBRARY = library_of()
PLAN = "world=8,gbs=64,seq=4096"
WORDS = [
    (family, name, word)
    for family, item in LIBRARY.families.items()
    if family in MODELS
    for name in LIBRARY.words
    if name in {p.name for p in item.parameters}
    for word in LIBRARY.words[name]
]
POSITIONS = {"deepseek": ("rope",), "qwen3_next": ("rope",), "mamba": ("learned", "none")}
"""Families that do not have all of them: attention that always turns, layers that turn nothing."""


def parameters(model: str, *settings: str) -> float:
    asked = question(model, PLAN, None, settings)
    return float(answer(asked.model, asked.plan, None).values["parameters"])


def refused(model: str, plan: str, *settings: str) -> tuple[str, str]:
    """Code and hint of the error."""
    with pytest.raises(InputError) as problem:
        asked = question(model, plan, None, settings)
        answer(asked.model, asked.plan, None)
    first = problem.value.diagnostics[0]
    return first.code, first.hint or ""


def test_words_of_every_family_are_declared() -> None:
    for name, item in LIBRARY.families.items():
        known = {"true", "false", *(p.name for p in item.parameters)}
        for parameter in item.parameters:
            default = parameter.default
            if isinstance(default, Name) and default.name not in known:
                assert default.name in LIBRARY.words[parameter.name], (name, parameter.name)


def test_every_dimension_that_is_a_word_says_which_words_it_may_be() -> None:
    for family, model in MODELS.items():
        dimensions = question(model, PLAN, None).model.dimensions
        words = {n for n, value in dimensions.items() if isinstance(value, str)}
        assert words <= set(LIBRARY.words), family


@pytest.mark.parametrize(("family", "name"), sorted({(f, n) for f, n, _ in WORDS}))
@pytest.mark.parametrize("word", ["silu", "rsm", "rotary", "zzz", "nonce"])
def test_no_family_takes_an_unknown_word(family: str, name: str, word: str) -> None:
    code, hint = refused(MODELS[family], PLAN, f"{name}={word}")
    assert code == "E252"
    assert "did you mean" in hint or all(known in hint for known in LIBRARY.words[name])


GATED = ("swiglu", "geglu", "reglu", "relu2_glu")
SLOPES = {"xielu": 2}
"""Numbers that an activation itself learns, for each feed-forward."""


@pytest.mark.parametrize(("family", "word"), [(f, w) for f, n, w in WORDS if n == "activation"])
def test_a_gated_activation_has_one_more_matrix_in_each_feed_forward(family: str, word: str) -> None:
    model = MODELS[family]
    size = question(model, PLAN, None).model.dimensions
    dense, sparse = int(size["layers"]), 0
    if "experts" in size:
        dense = int(size.get("dense_layers", 0))
        sparse = int(size["layers"]) - dense
    of_experts = int(size.get("experts", 0)) * int(size.get("expert_ffn", 0)) + int(size.get("shared_ffn", 0))
    gates = int(size["hidden"]) * (dense * int(size.get("dense_ffn", size.get("ffn", 0))) + sparse * of_experts)
    bias = ("bias=false",) if "bias" in size else ()
    more = parameters(model, f"activation={word}", *bias) - parameters(model, "activation=gelu", *bias)
    forwards = dense + sparse * (1 + (int(size.get("shared_ffn", 0)) > 0))
    assert more == (gates if word in GATED else 0) + SLOPES.get(word, 0) * forwards


@pytest.mark.parametrize(("family", "word"), [(f, w) for f, n, w in WORDS if n == "positions"])
def test_positions_that_a_family_does_not_have_are_refused(family: str, word: str) -> None:
    """Learned ones are a table; the others have no parameters."""
    model = MODELS[family]
    if word not in POSITIONS.get(family, LIBRARY.words["positions"]):
        assert refused(model, PLAN, f"positions={word}")[0] == "E240"
        return
    table = 4096 * int(question(model, PLAN, None).model.dimensions["hidden"]) if word == "learned" else 0
    without = parameters(model, f"positions={POSITIONS.get(family, ('none',))[-1]}")
    assert parameters(model, f"positions={word}", "max_positions=4096") - without == table


@pytest.mark.parametrize(("family", "word"), [(f, w) for f, n, w in WORDS if n == "norm"])
def test_layernorm_has_a_shift_that_rmsnorm_has_not(family: str, word: str) -> None:
    more = parameters(MODELS[family], f"norm={word}") - parameters(MODELS[family], "norm=rms")
    assert (more > 0) is (word == "layer")


def test_gpt_oss_has_as_many_parameters_as_were_published() -> None:
    assert parameters("gpt_oss_20b") == 20_914_757_184


@pytest.mark.parametrize("name", sorted(n for n, c in CHOICES.items() if c.kind == "word"))
def test_no_choice_takes_an_unknown_word(name: str) -> None:
    code, hint = refused("llama32_1b", f"{PLAN},{name}=zzz")
    assert code == ("E241" if name == "optimizer" else "E313")
    assert hint.startswith("known here: ")


@pytest.mark.parametrize("name", sorted(n for n, c in CHOICES.items() if c.kind == "word"))
def test_a_misspelt_word_of_a_choice_gets_the_near_one(name: str) -> None:
    word = (CHOICES[name].words or ("adam",))[-1]
    if name == "zero":
        return
    _, hint = refused("llama32_1b", f"{PLAN},{name}={word}x")
    assert hint == f"did you mean '{word}'?"


OWN = """block own_mlp(ffn) {{
    if activation {condition} {{ up = column_linear(x, 2 * ffn) }} else {{ up = column_linear(x, ffn) }}
    row_linear(up, hidden)
}}
layer own {{ residual {{ pre_norm; {body} }} }}
family mine(hidden, layers, ffn, vocab, norm = rms, activation = {word}, positions = none, embedding_norm = false) {{
    embedding
    repeat layers {{ own }}
    normalization
    head(false)
}}
model small = mine(hidden = 512, layers = 4, ffn = 1024, vocab = 1024)
"""


def own(tmp_path: Path, condition: str, word: str, words: str = "", body: str = "own_mlp(ffn)") -> str:
    path = tmp_path / "mine.sym"
    path.write_text(words + OWN.format(condition=condition, word=word, body=body))
    return str(path)


def test_a_condition_on_a_word_that_is_never_met_is_an_error(tmp_path: Path) -> None:
    code, hint = refused(own(tmp_path, "in {swiglu, gegl}", "swiglu"), PLAN)
    assert (code, hint) == ("E252", "did you mean 'geglu'?")


def test_a_file_may_add_words_for_its_own_blocks(tmp_path: Path) -> None:
    assert parameters(own(tmp_path, "== silu", "silu", "words activation { silu }\n")) > 0


def test_blocks_of_the_library_refuse_words_that_a_file_adds(tmp_path: Path) -> None:
    model = own(tmp_path, "== silu", "silu", "words activation { silu }\n", "mlp(ffn, false)")
    code, hint = refused(model, PLAN)
    assert (code, hint.split(";")[0]) == ("E240", "here activation = silu")


def test_a_word_for_which_nothing_says_what_it_may_be_is_an_error(tmp_path: Path) -> None:
    model = Path(own(tmp_path, "== swiglu", "swiglu"))
    model.write_text(model.read_text().replace("vocab, norm", "vocab, stirrer = spoon, norm"))
    code, hint = refused(str(model), PLAN)
    assert (code, hint) == ("E253", "write before the family: words stirrer { spoon, … }")


def test_a_comparison_of_choices_is_closed_too(tmp_path: Path) -> None:
    model = Path(own(tmp_path, "== swiglu", "swiglu"))
    model.write_text(model.read_text().replace("if activation == swiglu", "if attention == flsh"))
    assert refused(str(model), PLAN) == ("E252", "did you mean 'flash'?")


@pytest.mark.parametrize("name", ["activation", "norm", "positions"])
def test_python_takes_no_unknown_word_either(name: str) -> None:
    with pytest.raises(symsim.InputError, match=f"'{name}' cannot be 'zzz'"):
        symsim.load("gpt_oss_20b", PLAN, **{name: "zzz"})
    with pytest.raises(symsim.InputError, match="'precision' cannot be the word 'zzz'"):
        symsim.load("gpt_oss_20b", PLAN, precision="zzz")
