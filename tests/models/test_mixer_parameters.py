"""Parameters of state-space, linear-attention and convolution layers equal those of Hugging Face's own modules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.counting import model_of, parameters, rows

MIXERS = rows("params_mixers.json")
"""Modules of transformers 5.24.0 on the meta device: width, the call of the library, parameters."""

VOCABULARY = 128


@pytest.mark.parametrize("row", MIXERS, ids=[f"{row['module']}: {row['call']}" for row in MIXERS])
def test_a_mixer_has_the_parameters_of_hugging_faces_module(row: dict[str, Any]) -> None:
    hidden = row["hidden"]
    model = model_of(f"""
        layer mixed {{ residual {{ {row["call"]} }} }}
        family mixer(hidden, layers, vocab, norm = rms, activation = gelu, positions = none, max_positions = 0,
                     embedding_norm = false) {{ embedding; repeat layers {{ mixed }}; head(true) }}
        model one = mixer(hidden = {hidden}, layers = 1, vocab = {VOCABULARY})
    """)
    assert parameters(model) - VOCABULARY * hidden == row["parameters"]
