"""A run of Megatron as text of the language: its model, and behind it its strategy.

What arguments mean is text, in ``formats/megatron``; here keys are put together, and each is accounted for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from symsim.interop.megatron.argument_table import NONE, TOOL, by_name, defaults, effect_of, only_with
from symsim.interop.megatron.arguments import ENVIRONMENT, PEFT, Arguments
from symsim.interop.megatron.derived import derive
from symsim.interop.model_text import identifier, model_text
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys, evaluate
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule, RuleBook
from symsim.interop.rules.strategy_values import choices_of
from symsim.interop.strategy_text import strategy_text

BOOK = RuleBook(TOOL)
MODELS = ("dense", "dense_layers", "experts", "hybrid")
"""Rules of models; the first whose condition holds is taken."""
REFUSED_BY = "Megatron refuses this too"


def translated(given: Arguments, name: str, title: str) -> str:
    """Text of the language for the arguments of a run.

    Raises:
        InputError: what Megatron refuses, or what cannot be expressed.
    """
    known = {**defaults(), "world_size": None, ENVIRONMENT: {}, PEFT: {}}
    derived = derive(given, known)
    facts = KeyFacts({**known, **derived})
    reading = Reading(given.keys, given.source, facts, None, REFUSED_BY, "model")
    keys = Keys(reading, BOOK.maps())
    model = _model_rule(keys)
    strategy = BOOK.rule_of("_run", keys)
    dimensions = dimensions_of(model, keys, (), ("vocab",))
    choices = choices_of(strategy, keys)
    notes = [*given.remarks, *_remarks(model, strategy, keys), *_not_modelled(given.keys)]
    comments = [f"Source: {title}."]
    if "vocab" not in dimensions:
        comments.append("The vocabulary is the tokenizer's and not in the file: give vocab.")
    first = model_text(identifier(name), "", model.family, dimensions, comments)
    return first + "\n" + strategy_text("run", "", choices, (), list(dict.fromkeys(notes)))


@cache
def read_names() -> frozenset[str]:
    """Every argument that a rule reads, or that values are worked out of."""
    rules = [rule for name in ("_run", *MODELS) for _, rule in BOOK.every_rule(name)]
    return frozenset(k for rule in rules for k in rule.asked()) | _WORKED_OUT


_WORKED_OUT = frozenset(
    {
        "hybrid_layer_pattern", "hybrid_override_pattern", "num_layers", "encoder_num_layers", "ffn_hidden_size",
        "moe_ffn_hidden_size", "swiglu", "quick_geglu", "squared_relu", "window_size",
        "num_virtual_stages_per_pipeline_rank", "num_layers_per_virtual_pipeline_stage",
        "pipeline_model_parallel_layout", "use_megatron_fsdp", "data_parallel_sharding_strategy", "use_torch_fsdp2",
        "use_distributed_optimizer", "main_grads_dtype", "grad_reduce_in_bf16", "accumulate_allreduce_grads_in_fp32",
        "recompute_modules", "recompute_activations", "moe_layer_recompute", "attention_backend", "use_flash_attn",
        "transformer_impl", "cp_comm_type", "moe_token_dispatcher_type", "moe_flex_dispatcher_backend",
        "moe_enable_deepep", "optimizer", "optimizer_cpu_offload", "fine_grained_activation_offloading",
        "offload_modules", "num_experts", "multi_latent_attention", "padded_vocab_size", "vocab_size",
        "global_batch_size", "tokenizer_type",
    }
)  # fmt: skip
"""What :mod:`~symsim.interop.megatron.derived` reads."""


def _is_usual(value: Any, default: Any) -> bool:
    """Whether a value is the default; a log prints some as they are after Megatron's checks."""
    return value in (default, [default]) or (default is None and type(value) is int and value == 1)


def _model_rule(keys: Keys) -> Rule:
    for name in MODELS:
        for item, rule in BOOK.every_rule(name):
            if item.when is None or evaluate(item.when, keys) is True:
                return rule
    raise AssertionError("one of the rules holds for every model")


def _remarks(model: Rule, strategy: Rule, keys: Keys) -> Iterable[str]:
    return (*remarks_of(model, keys), *remarks_of(strategy, keys))


def _not_modelled(given: Mapping[str, Any]) -> list[str]:
    """Arguments that no rule reads and that may change the cost, each with what it would change."""
    used, known = read_names(), by_name()
    said: list[str] = []
    for name, value in given.items():
        argument = known.get(name)
        if argument is None or name in used or _is_usual(value, argument.default):
            continue
        needed, _, word = only_with(name).partition("=")
        with_it = given.get(needed, known[needed].default) if needed else True
        if (str(with_it) != word) if word else not with_it:
            continue
        effect = effect_of(name)
        if effect and effect != NONE:
            said.append(f"{argument.flags[0]} is not modelled: {effect}")
    return said
