"""The rules of ``formats/huggingface``, and which class of the library gives a type its defaults."""

from __future__ import annotations

from functools import cache

from symsim.interop.huggingface.class_facts import has_class
from symsim.interop.rules.rule_book import RuleBook
from symsim.language import tree

BOOK = RuleBook("huggingface")


def checks_of_whole(model_type: str) -> tuple[tree.Require | tree.Refuse, ...]:
    """What has to hold of a model with further parts, by the rule ``_whole_TYPE`` if there is one."""
    items = BOOK.items(f"_whole_{model_type}")
    return tuple(r for i in items for r in i.rules if isinstance(r, tree.Require | tree.Refuse))


@cache
def class_of(model_type: str) -> str:
    """The type whose class has the defaults: its own, or that of the rule that its rule begins with."""
    seen = model_type
    while not has_class(seen):
        like = BOOK.configs(seen)[-1].like
        if like is None:
            return model_type
        seen = like
    return seen
