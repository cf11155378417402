"""What changes when one key of a small configuration changes, and what the class refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from building import Fingerprint, build, configuration, fingerprint, flops
from cost_keys import COST_KEYS
from transformers.integrations.heterogeneity.configuration_utils import AmbiguousGlobalPerLayerAttributeError
from values import is_activation, may_be_null, others


class Varied:
    """A small configuration of one type, and what becomes of it when keys change.

    ``base`` are its keys, ``config`` the object that the class makes of them, ``hints`` the types and ``raw`` the
    class's own defaults.
    """

    def __init__(
        self, model_type: str, base: Mapping[str, object], raw: Mapping[str, object], hints: Mapping[str, object]
    ) -> None:
        self.model_type, self.base, self.raw, self.hints = model_type, dict(base), raw, hints
        self.config = configuration(model_type, self.base)
        model = build(model_type, self.config)
        self.usual, self.work = fingerprint(model), flops(model)
        layers = self.value("num_hidden_layers")
        self.layers = layers if isinstance(layers, int) else 4
        self.seen: dict[str, Fingerprint | None] = {}

    def parameters(self, changes: Mapping[str, object]) -> Fingerprint | None:
        """Parameters after changes of keys; ``None`` where the class refuses them."""
        name = repr(sorted(changes.items()))
        if name not in self.seen:
            try:
                model = build(self.model_type, configuration(self.model_type, {**self.base, **changes}))
            except Exception:
                self.seen[name] = None
            else:
                self.seen[name] = fingerprint(model)
        return self.seen[name]

    def work_after(self, changes: Mapping[str, object]) -> int | None:
        try:
            return flops(build(self.model_type, configuration(self.model_type, {**self.base, **changes})))
        except Exception:
            return None

    def value(self, key: str) -> object:
        """The value of a key as the class fills it in; its own default where layers differ."""
        try:
            return getattr(self.config, key, self.raw.get(key))
        except AmbiguousGlobalPerLayerAttributeError:
            return self.raw.get(key)

    def tried(self, key: str) -> list[object]:
        """Other values of a key."""
        value, raw = self.value(key), self.raw.get(key)
        return list(others(key, value, raw, self.hints.get(key, object), self.layers))

    def sorted(self, keys: list[str], read: set[str], alone: bool = False) -> dict[str, list[str]]:
        """The keys that change parameters (active), that change the work alone (cost), and nothing (inert).

        ``read`` are the keys that the model's files read; it grows while other configurations are built.
        With ``alone`` each key is varied by itself: one that may count and is seen to change nothing is not called
        inert, for it may change something together with another.
        """
        active = {key for key in keys if any(self.changes({}, key, value) for value in self.tried(key))}
        rest = [key for key in keys if key not in active]
        undecided = {key for key in rest if key in read and self.counts(key)}
        if not alone:
            active |= {key for key in undecided if self.changes_with_another(key, keys)}
            undecided = set()
        rest = [key for key in rest if key not in active]
        cost = {
            key
            for key in rest
            if key in COST_KEYS or self.changes_work(key) or (key in read and not self.is_varied(key))
        }
        inert = [key for key in rest if key not in cost]
        return {"active": sorted(active), "cost": sorted(cost), "inert": sorted(inert)}

    def changes(self, others: Mapping[str, object], key: str, value: object) -> bool:
        """Whether a value of a key changes the parameters of a configuration that the class takes."""
        after = self.parameters({**others, key: value})
        return after is not None and after != self.parameters(others)

    def changes_with_another(self, key: str, keys: list[str]) -> bool:
        """Whether a key changes parameters once another key has another value (a head's size, then their number)."""
        values = [value for value in self.tried(key) if self.parameters({key: value}) is not None]
        for other in keys:
            if other == key or not self.counts(other):
                continue
            for beside in self.tried(other)[:2]:
                if values and self.parameters({other: beside}) is not None:
                    if any(self.changes({other: beside}, key, value) for value in values[:1]):
                        return True
                elif not values and any(
                    (after := self.parameters({other: beside, key: value})) is not None and after != self.usual
                    for value in self.tried(key)[:2]
                ):
                    return True
        return False

    def counts(self, key: str) -> bool:
        """Whether a key may say how many or how large: no factor, no token's number, no name of a function."""
        value = self.value(key)
        return not (isinstance(value, (float, str, dict)) or "token_i" in key or is_activation(key))

    def is_varied(self, key: str) -> bool:
        """Whether any other value of a key was built; of factors, numbers of tokens and functions none is needed."""
        value = self.value(key)
        harmless = isinstance(value, float) or "token_i" in key or is_activation(key) or "init" in key
        return harmless or any(self.parameters({key: other}) is not None for other in self.tried(key))

    def changes_work(self, key: str) -> bool:
        if self.work is None or not self.counts(key):
            return False
        works = (self.work_after({key: value}) for value in self.tried(key)[:3])
        return any(work is not None and work != self.work for work in works)

    def refusals(self, key: str) -> Iterator[str]:
        """What the class refuses under a key, where it takes the usual value."""
        value = self.value(key)
        # Where its type allows null, the class refuses it because of another key.
        if value is not None and not may_be_null(self.hints.get(key)) and self.parameters({key: None}) is None:
            yield "null"
        if isinstance(value, int) and not isinstance(value, bool) and value and self.parameters({key: 0}) is None:
            yield "zero"
        if key == "pad_token_id":
            beyond = getattr(self.config.get_text_config(), "vocab_size", None)
            if beyond is not None and self.parameters({key: beyond}) is None:
                yield "beyond vocab_size"
        if isinstance(value, (list, tuple)) and len(value) > 1:
            if self.parameters({key: list(value)[:-1]}) is None:
                yield "short"
            if isinstance(value[0], str) and self.parameters({key: ["?"] * len(value)}) is None:
                yield "unknown word"

    def one_layer(self, key: str) -> str | None:
        """What another value of a key in one layer alone (``per_layer_config``) does."""
        value = self.value(key)
        if not isinstance(value, int) or value < 1:
            return None
        other = not value if isinstance(value, bool) else max(value // 2, 1)
        after = self.parameters({"per_layer_config": {"1": {key: other}}})
        return "refused" if after is None else "ignored" if after == self.usual else "used"
