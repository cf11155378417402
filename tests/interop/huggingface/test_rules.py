"""Rules name what there is: keys of a class, dimensions of a family. A slip would be null without notice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from symsim import resources
from symsim.diagnostics import InputError, Source
from symsim.interop.huggingface.class_facts import has_class
from symsim.interop.huggingface.rules import BOOK, class_of
from symsim.interop.huggingface.translate import translate
from symsim.interop.model_text import family_of
from symsim.interop.rules.key_expressions import asked
from symsim.language import tree

TABLE = json.loads(resources.class_table("huggingface").read_text(encoding="utf-8"))["types"]
KEYS = {k for facts in TABLE.values() for kind in ("defaults", "renamed", "inert", "active", "cost")
        for k in facts.get(kind, ())}  # fmt: skip
READ_BY_NAME = {
    "per_layer_config",
    "_sliding_window_pattern",
    "_remove_final_layer_norm",
    "router_bias",
    *("swa_q_lora_rank", "swa_kv_lora_rank", "swa_qk_nope_head_dim", "swa_v_head_dim"),
}
"""Keys that a class asks for by name although they are no fields of it."""
OF_THE_LIBRARY = [t for t in BOOK.known_types() if has_class(class_of(t))]


def expressions(model_type: str) -> Iterator[tree.Expression]:
    for item, rule in BOOK.every_rule(model_type):
        yield from rule.arguments.values()
        yield from (check.condition for check in rule.checks)
        yield from () if item.when is None else (item.when,)


@pytest.mark.parametrize("model_type", OF_THE_LIBRARY)
def test_every_name_of_a_rule_is_a_key(model_type: str) -> None:
    names = {name.partition(".")[0] for node in expressions(model_type) for name in asked(node)}
    assert names <= KEYS | READ_BY_NAME


@pytest.mark.parametrize("model_type", BOOK.known_types())
def test_every_dimension_of_a_rule_is_one_of_its_family(model_type: str) -> None:
    for _, rule in BOOK.every_rule(model_type):
        assert set(rule.arguments) <= {p.name for p in family_of(rule.family).parameters}


def test_a_value_that_some_layers_lack_is_an_error() -> None:
    config = {"model_type": "openelm", "model_dim": 64, "num_transformer_layers": 2, "head_dim": 16, "vocab_size": 512,
              "num_query_heads": [4, None], "num_kv_heads": [4, 4], "ffn_with_glu": True, "ffn_dim_divisor": 16,
              "ffn_multipliers": [1, 1], "normalize_qk_projections": True,
              "share_input_output_layers": True}  # fmt: skip
    with pytest.raises(InputError, match="heads has no value in layer 1"):
        translate(config, "m", Source("config.json", ""))


def test_the_list_of_feed_forwards_has_one_for_each_layer() -> None:
    config = {"model_type": "deepseek_v32", "num_hidden_layers": 4, "mlp_layer_types": ["dense", "sparse"]}
    with pytest.raises(InputError, match="'mlp_layer_types' has 2 entries for 4 layers"):
        translate(config, "m", Source("config.json", ""))
