"""Dimensions that differ between layers: lists, values by the number of the layer, and what layers they make."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from symsim.records.model import Model
from tests.models.counting import model_of, parameters

FAMILY = """
words mix {{ full, local }}
layer one {{
    residual {{ pre_norm; attention(heads, heads, 16, window = 8 if mix == local else 0) }}
    residual {{ pre_norm; mlp(ffn) }}
}}
family mine(hidden, layers, mix[] = full, heads[] = 4, ffn[] = 2 * hidden, vocab, norm = rms, activation = swiglu,
            positions = rope, max_positions = 0, embedding_norm = false) {{
    embedding
    repeat layers {{ one }}
    normalization
    head(true)
}}
model m = mine(hidden = 64, layers = 6, vocab = 512{})
"""


def mine(given: str) -> Model:
    return model_of(FAMILY.format(f", {given}" if given else ""))


@pytest.mark.parametrize(
    ("given", "dimension", "values"),
    [
        ("", "ffn", 128),
        ("ffn = 96", "ffn", 96),
        ("ffn = [96, 96]", "ffn", 96),
        ("ffn = [96, 32]", "ffn", (96, 32) * 3),
        ("ffn = [repeat 4 96, 32]", "ffn", (96, 96, 96, 96, 32, 96)),
        ("mix = [repeat 2 local, full]", "mix", ("local", "local", "full") * 2),
        ("ffn = 32 * (1 + layer)", "ffn", (32, 64, 96, 128, 160, 192)),
        ("mix = full if layer == 5 else local", "mix", ("local",) * 5 + ("full",)),
        ("mix = full if layer < 6 else local", "mix", "full"),
        ("heads = [4, 2], ffn = 16 * heads", "ffn", (64, 32) * 3),
    ],
)
def test_a_dimension_has_a_value_for_each_layer(given: str, dimension: str, values: object) -> None:
    assert mine(given).dimensions[dimension] == values


def test_parameters_are_those_of_the_layers_one_by_one() -> None:
    per_feature = 3 * 64
    one = parameters(mine("ffn = 96"))
    assert parameters(mine("ffn = [96, 32, 64]")) - one == per_feature * (2 * (32 - 96) + 2 * (64 - 96))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("ffn = [96, wide]", "E203"),
        ("ffn = [0, 96]", "E218"),
        ("mix = [local, globl]", "E252"),
        ("hidden = [64, 32]", "E201"),
        ("ffn = [repeat 0 96]", "E109"),
        ("layers = 2000, ffn = [96, 32]", "E201"),
    ],
)
def test_a_wrong_value_of_a_layer_is_an_error(given: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        mine(given)
    assert caught.value.diagnostics[0].code == code


def test_few_layers_may_differ() -> None:
    text = FAMILY.format(", ffn = [96, 32]").replace("layers = 6", "layers = 2000")
    with pytest.raises(InputError, match="E254"):
        model_of(text)


def test_one_value_is_no_list() -> None:
    text = FAMILY.format("").replace("hidden = 64", "hidden = [64, 32]")
    with pytest.raises(InputError, match="E207"):
        model_of(text)
