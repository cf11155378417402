"""Rules that read a Hugging Face configuration: what its keys say about one dimension of a model.

A rule is a function of a :class:`~symsim.interop.huggingface_reading.Reading`; the makers below build the rules that
:mod:`symsim.interop.huggingface_architectures` lists. A key that is absent has the value that
Hugging Face's class of that ``model_type`` gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symsim.diagnostics import InputError, Place, error
from symsim.interop.huggingface_reading import Reading, spoken
from symsim.interop.model_text import Dimension, printable

Rule = Callable[[Reading], Dimension | None]
"""Gives the value of one dimension; ``None`` leaves it to the family."""
SizeRule = Callable[[Reading], int]


def always(value: Dimension) -> Rule:
    """The architecture has it, whatever the file says."""
    return lambda reading: value


def needed(*keys: str, default: int) -> SizeRule:
    """A size that every file of its own must give."""

    def rule(reading: Reading) -> int:
        key = reading.key(*keys)
        if key is not None:
            return reading.size(key)
        if not reading.nested:
            message = f"the configuration has no '{keys[0]}'"
            raise error("E508", message, Place(reading.source, 1, 1), "Hugging Face's class has no usual value for it")
        reading.remarks.append(f"{keys[0]} is not in the file; {default} is Hugging Face's default.")
        return default

    return rule


def size(*keys: str, default: int | str, null: int | str | None = None, least: int = 1) -> SizeRule:
    """A size; ``default`` where the key is absent, ``null`` where it is null. A name is another dimension."""

    def rule(reading: Reading) -> int:
        key = reading.key(*keys)
        if key is None:
            return _resolved(default, reading)
        if reading.config[key] is None and null is not None:
            return _resolved(null, reading)
        return reading.size(key, least)

    return rule


CONTEXTS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
"""What configurations call the longest sequence of a model."""

MOST_CONTEXT = 10**9
"""Longest sequence that a strategy may have."""


def trained_context(reading: Reading) -> int | None:
    """Tokens of a sequence that the model was trained on: before any scaling of its rotary positions.

    No formula needs it, so a configuration that has something else there is not refused.
    """
    config = reading.config
    scaled = [part for key in ("rope_scaling", "rope_parameters") if isinstance(part := config.get(key), Mapping)]
    before = [(part, "original_max_position_embeddings") for part in (*scaled, config)]
    for part, key in (*before, *((config, key) for key in CONTEXTS)):
        value = part.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_CONTEXT:
            return value
    return None


def _resolved(value: int | str, reading: Reading) -> int:
    return reading.found(value) if isinstance(value, str) else value


def flag(key: str, default: bool) -> Rule:
    return lambda reading: reading.flag(key, default)


def tied(default: bool) -> Rule:
    """Whether head and embedding share their weight; a nested text model may leave it to the whole."""

    def rule(reading: Reading) -> Dimension:
        key = "tie_word_embeddings"
        if key not in reading.config and isinstance(given := reading.outer.get(key), bool):
            return given
        return reading.flag(key, default)

    return rule


def kv_heads(default: int | str) -> SizeRule:
    """Key-value heads; null is one for each head. They must divide the heads."""
    count = size("num_key_value_heads", default=default, null="heads")

    def rule(reading: Reading) -> int:
        value = count(reading)
        heads = reading.found("heads")
        if heads % value:
            raise reading.conflict("num_key_value_heads", f"{value} key-value heads cannot share {heads} heads evenly")
        return value

    return rule


def head_dim(default: int | None = None) -> SizeRule:
    """Features of a head; ``None`` and null are an even share of the hidden size."""

    def rule(reading: Reading) -> int:
        if reading.config.get("head_dim") is not None:
            return reading.size("head_dim")
        if "head_dim" not in reading.config and default is not None:
            return default
        hidden, heads = reading.found("hidden"), reading.found("heads")
        if hidden % heads:
            key = reading.key("num_attention_heads", "n_head") or "num_attention_heads"
            message = f"{heads} heads cannot share {hidden} features evenly"
            raise reading.conflict(key, message, "give 'head_dim'")
        return hidden // heads

    return rule


_GATED = {"silu": "swiglu", "swish": "swiglu", "gelu": "geglu"}
_PLAIN = {"gelu": "gelu", "relu2": "relu2"}


def activation(*keys: str, default: str, gated: bool = True) -> Rule:
    """The activation, by Hugging Face's name; every approximation of GELU counts as GELU."""
    known = _GATED if gated else _PLAIN

    def rule(reading: Reading) -> Dimension:
        key = reading.key(*keys)
        name = default if key is None or reading.config[key] is None else reading.word(key, default)
        kind = "gelu" if name.startswith("gelu") or name == "quick_gelu" else name
        if kind not in known:
            form = "gated" if gated else "plain"
            message = f"a {form} feed-forward with '{printable(name, 40)}' cannot be expressed"
            raise reading.inexpressible(key or keys[0], message, "known here: " + ", ".join(sorted(known)))
        return known[kind]

    return rule


def product(first: str, second: str, default: tuple[int, int]) -> SizeRule:
    """Experts that always work, as one: their number times their width; a null number is none."""

    def rule(reading: Reading) -> int:
        return size(first, default=default[0], null=0, least=0)(reading) * size(second, default=default[1])(reading)

    return rule


def with_dense_layers(rule: Rule) -> Rule:
    """What matters only where some layers are dense."""
    return lambda reading: rule(reading) if reading.found("dense_layers") else None


def first_dense(default: int) -> SizeRule:
    """Dense layers before those with experts."""

    def rule(reading: Reading) -> int:
        count = size("first_k_dense_replace", default=default, null=0, least=0)(reading)
        layers = reading.found("layers")
        if count > layers:
            raise reading.conflict("first_k_dense_replace", f"{count} dense layers in a model of {layers}")
        every = reading.config.get("moe_layer_freq", 1)
        if every != 1:
            message = f"experts in every {spoken(every)} layers only cannot be expressed"
            raise reading.inexpressible("moe_layer_freq", message)
        return count

    return rule


def sparse_layers(reading: Reading) -> int:
    """Dense layers of the Qwen models with experts: a list of layers, and a step.

    Raises:
        InputError: they are not the first ones, which is all that can be expressed.
    """
    if (step := reading.config.get("decoder_sparse_step", 1)) != 1:
        message = f"experts in every {spoken(step)} layers only cannot be expressed"
        raise reading.inexpressible("decoder_sparse_step", message, "a family of your own can repeat such a pattern")
    listed = reading.config.get("mlp_only_layers")
    if listed is None:
        return 0
    key = "mlp_only_layers"
    if not isinstance(listed, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in listed):
        message = f"'{key}' must be a list of layers, not {spoken(listed)}"
        raise error("E509", message, reading.place(key), "for example [0, 1]")
    layers = sorted({i for i in listed if 0 <= i < reading.found("layers")})
    if layers != list(range(len(layers))):
        raise reading.inexpressible(
            key, "dense layers between those with experts cannot be expressed", "only the first layers may be dense"
        )
    return len(layers)


def no_dense_layers(reading: Reading) -> None:
    if sparse_layers(reading):
        raise reading.inexpressible("mlp_only_layers", "this architecture has no dense layers here")


def layer_kinds(reading: Reading) -> list[str] | None:
    """``layer_types``, one word for each layer, if it is given."""
    listed, key = reading.config.get("layer_types"), "layer_types"
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(kind, str) for kind in listed):
        message = f"'{key}' must be a list of words, not {spoken(listed)}"
        raise error("E509", message, reading.place(key), 'for example ["full_attention", "sliding_attention"]')
    if len(listed) != (layers := reading.found("layers")):
        raise reading.conflict(key, f"{len(listed)} kinds of layers are listed for {layers} layers")
    return [str(kind) for kind in listed]


def no_window(reading: Reading) -> Dimension | None:
    """Full attention in every layer."""
    kinds = layer_kinds(reading)
    if kinds is not None and set(kinds) != {"full_attention"}:
        raise _irregular(reading)
    return None


def window_everywhere(default: int) -> SizeRule:
    """One sliding window for all layers; 0 and null are none."""

    def rule(reading: Reading) -> int:
        width = size("sliding_window", default=default, null=0, least=0)(reading)
        kinds = layer_kinds(reading)
        if kinds is not None and set(kinds) != {"sliding_attention" if width else "full_attention"}:
            raise _irregular(reading)
        return width

    return rule


def window_if_used(by_layer: bool) -> SizeRule:
    """A sliding window that ``use_sliding_window`` turns on, for all layers or for those after
    ``max_window_layers`` (``by_layer``)."""

    def rule(reading: Reading) -> int:
        if not reading.flag("use_sliding_window", False):
            return 0
        width = size("sliding_window", default=4096, null=0, least=0)(reading)
        if not width or not by_layer:
            return width
        layers = reading.found("layers")
        kinds = layer_kinds(reading)
        key = "layer_types" if kinds is not None else "max_window_layers"
        if kinds is None:
            full = size(key, default=28, least=0)(reading)
            kinds = ["full_attention" if i < full else "sliding_attention" for i in range(layers)]
        if len(set(kinds)) > 1:
            raise _irregular(reading, key)
        return width if kinds[0] == "sliding_attention" else 0

    return rule


def local_window(default: int) -> SizeRule:
    """The window of the local layers among global ones."""
    return size("sliding_window", default=default)


def local_layers(pattern: int) -> SizeRule:
    """Local layers before each global one; ``pattern`` counts both.

    Raises:
        InputError: the layers listed do not repeat so.
    """

    def rule(reading: Reading) -> int:
        kinds = layer_kinds(reading)
        if kinds is None:
            return _period(reading, "sliding_window_pattern", "_sliding_window_pattern", default=pattern) - 1
        return _turn(reading, kinds, "sliding_attention", pattern) - 1

    return rule


def alternating_window(default: int) -> Rule:
    """Local and global layers in turn, a local one first."""
    count = local_layers(2)

    def rule(reading: Reading) -> Dimension | None:
        if count(reading) != 1:
            raise _irregular(reading)
        return local_window(default)(reading)

    return rule


def full_every(default: int) -> SizeRule:
    """Every how many layers one has full attention instead of linear attention."""

    def rule(reading: Reading) -> int:
        kinds = layer_kinds(reading)
        if kinds is None:
            return _period(reading, "full_attention_interval", default=default)
        return _turn(reading, kinds, "linear_attention", default)

    return rule


def _turn(reading: Reading, kinds: list[str], other: str, usual: int) -> int:
    """Layers of one turn, the last of which has full attention and the rest are ``other``."""
    first = kinds.index("full_attention") + 1 if "full_attention" in kinds else len(kinds) + 1
    for turn in (usual, first):
        if turn > 1 and kinds == [(other if (i + 1) % turn else "full_attention") for i in range(len(kinds))]:
            return turn
    raise _irregular(reading)


def _period(reading: Reading, *keys: str, default: int) -> int:
    return size(*keys, default=default, least=2)(reading)


def _irregular(reading: Reading, key: str = "layer_types") -> InputError:
    return reading.inexpressible(
        key,
        "this order of layers cannot be expressed for this model_type",
        "a family of your own can repeat any pattern",
    )


Check = Callable[[Reading], None]
"""Looks at keys that make no dimension, but must not be passed over."""


def must_be(key: str, usual: bool, what: str) -> Check:
    """A flag whose other value cannot be expressed."""

    def check(reading: Reading) -> None:
        if reading.flag(key, usual) is not usual:
            raise reading.inexpressible(key, f"{what} cannot be expressed for this model_type")

    return check


def same_heads(reading: Reading) -> None:
    """Latent attention has as many key-value heads as heads."""
    key = "num_key_value_heads"
    if reading.config.get(key) is not None and reading.size(key) != reading.found("heads"):
        raise reading.conflict(key, f"latent attention of {reading.found('heads')} heads has as many key-value heads")


def inner_width(reading: Reading) -> None:
    """Mamba-2: heads × features of a head is ``expand`` × hidden."""
    expand = size("expand", default=2)(reading)
    inner = reading.found("heads") * reading.found("head_dim")
    if inner != (wanted := expand * reading.found("hidden")):
        raise reading.conflict("num_heads", f"heads × head_dim is {inner}, but expand × hidden_size is {wanted}")


def remark(key: str, text: str, default: object = None) -> Check:
    """A comment in the text about something that is left out, unless the key is absent, null, false or 0."""

    def check(reading: Reading) -> None:
        value = reading.config.get(key, default)
        if value:
            reading.remarks.append(text.format(spoken(value)))

    return check
