"""Variants of attention and feed-forward save what autograd keeps of plain torch operations, byte for byte.

A layer of the library's text stands beside the same layer written in torch. What torch keeps beyond the text's rules is
stated where there is any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question
from tests.models.small_models import small

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.slow

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from tests.validation.plain_attention import Layer, by_choice, one_kernel, turn  # noqa: E402
from tests.validation.plain_torch import DTYPE, saved_bytes  # noqa: E402

BATCH, SEQ, HIDDEN = 2, 32, 64
TOKENS = BATCH * SEQ


def attention(
    layer: Layer, x: Tensor, heads: int = 4, kv_heads: int = 2, dim: int = 16, normed: Callable[[Tensor], Tensor] = turn
) -> Tensor:
    q, k, v = (layer.linear(x, n * dim).unflatten(-1, (n, dim)) for n in (heads, kv_heads, kv_heads))
    return layer.core(turn(normed(q)), turn(normed(k)), v)


def decoder(mix: Callable[[Layer, Tensor], Tensor]) -> Callable[[Layer, Tensor], Tensor]:
    """x + mix(norm(x)), then x + mlp(norm(x))."""

    def run(layer: Layer, x: Tensor) -> Tensor:
        x = x + layer.linear(mix(layer, layer.norm(x)), HIDDEN)
        return x + layer.swiglu(layer.norm(x), 96)

    return run


def of_heads(layer: Layer, x: Tensor) -> Tensor:
    return attention(layer, x, normed=layer.norm)


def of_width(layer: Layer, x: Tensor) -> Tensor:
    return attention(layer, x, normed=lambda t: layer.norm(t.flatten(2)).unflatten(-1, (-1, 16)))


def gate_of_features(layer: Layer, x: Tensor) -> Tensor:
    return attention(layer, x) * torch.sigmoid(layer.linear(x, 64))


def gate_of_heads(layer: Layer, x: Tensor) -> Tensor:
    gate = torch.sigmoid(layer.linear(x, 4))
    return (attention(layer, x).unflatten(-1, (4, 16)) * gate[..., None]).flatten(2)


def normed_output(layer: Layer, x: Tensor) -> Tensor:
    return layer.norm(attention(layer, x))


def wide_values(layer: Layer, x: Tensor) -> Tensor:
    q, k, v = layer.linear(x, 64 + 32 + 2 * 24).split((64, 32, 48), -1)
    return layer.core(turn(q.unflatten(-1, (4, 16))), turn(k.unflatten(-1, (2, 16))), v.unflatten(-1, (2, 24)))


def keys_as_values(layer: Layer, x: Tensor) -> Tensor:
    q, k = (layer.linear(x, 16 * n).unflatten(-1, (n, 16)) for n in (4, 2))
    v = layer.norm(k, bare=True)
    return layer.core(turn(layer.norm(q)), turn(layer.norm(k)), v)


def chunks(layer: Layer, x: Tensor) -> Tensor:
    return attention(layer, x.unflatten(1, (-1, 8)).flatten(0, 1)).unflatten(0, (BATCH, -1)).flatten(1, 2)


def differential(layer: Layer, x: Tensor) -> Tensor:
    q, k, v = (t.unflatten(-1, (-1, 16)) for t in layer.linear(x, 64 + 2 * 32).split((64, 32, 32), -1))
    q, k = turn(q), turn(k)
    first, second = (layer.core(q, k, half.repeat(1, 1, 2, 1)) for half in v.chunk(2, 2))
    a, b = (torch.cat(parts, -1).clone() for parts in zip(first.chunk(2, -1), second.chunk(2, -1), strict=True))
    lambdas = layer.weight(64)
    return layer.norm(one_kernel(lambda a, b, w: a - w.sum() * b, a, b, lambdas), bare=True)


def latent(layer: Layer, x: Tensor, indexed: bool = False) -> Tensor:
    """4 heads of 16 + 8 features and 12 of values, from 24 and 20 shared ones."""
    q_latent = layer.norm(layer.linear(x, 24))
    kv_latent, k_rope = layer.linear(x, 20 + 8).split((20, 8), -1)
    kv_latent = layer.norm(kv_latent.contiguous())
    q = layer.linear(q_latent, 4 * 24).unflatten(-1, (4, 24))
    q = torch.cat((q[..., :16], turn(q[..., 16:])), -1)
    kv = layer.linear(kv_latent, 4 * 28).unflatten(-1, (4, 28))
    k = torch.cat((kv[..., :16], turn(k_rope)[:, :, None].expand(-1, -1, 4, -1)), -1)
    if not indexed:
        return layer.core(q, k, kv[..., 16:])
    return by_choice(layer.core(q, k, kv[..., 16:]), index(layer, x, q_latent))


@torch.no_grad()
def index(layer: Layer, x: Tensor, q_latent: Tensor) -> Tensor:
    q, k = layer.linear(q_latent, 32).unflatten(-1, (2, 16)), layer.linear(x, 16)
    scores = functional.relu(torch.einsum("bqhd,bkd->bhqk", q, k)) * layer.linear(x, 2).transpose(1, 2)[..., None]
    return scores.sum(1).topk(8, -1).indices.to(torch.int32)


def parallel(layer: Layer, x: Tensor) -> Tensor:
    n = layer.norm(x)
    return x + (layer.linear(attention(layer, n), HIDDEN) + layer.swiglu(n, 96))


def post_norms(layer: Layer, x: Tensor) -> Tensor:
    x = x + layer.norm(layer.linear(attention(layer, x), HIDDEN))
    return x + layer.norm(layer.swiglu(x, 96))


def relu_mlp(layer: Layer, x: Tensor) -> Tensor:
    x = x + layer.linear(attention(layer, layer.norm(x)), HIDDEN)
    return x + layer.linear(functional.relu(layer.linear(layer.norm(x), 96)), HIDDEN)


def layer_norms(layer: Layer, x: Tensor) -> Tensor:
    """With a gain alone, then without weights; torch keeps two statistics of a row of each, in bf16."""
    x = x + layer.linear(attention(layer, functional.layer_norm(x, (HIDDEN,), layer.weight(HIDDEN))), HIDDEN)
    return x + layer.swiglu(functional.layer_norm(x, (HIDDEN,)), 96)


def embedding_of_layer(layer: Layer, x: Tensor) -> Tensor:
    x = decoder(attention)(layer, x)
    features = x.detach()[..., :8].clone().requires_grad_()
    weighed = one_kernel(lambda g, f: functional.gelu(g) * f, layer.linear(x, 8), features)
    return x + layer.norm(layer.linear(weighed, HIDDEN))


def low_rank(layer: Layer, x: Tensor) -> Tensor:
    x = x + layer.norm(layer.linear(layer.linear(x, 8), HIDDEN))
    return decoder(attention)(layer, x)


def hyper(layer: Layer, streams: Tensor) -> Tensor:
    """Four streams side by side; what mixes them is one kernel before the branch and one after it."""

    def collapse(x: Tensor, weight: Tensor) -> Tensor:
        return functional.linear(x, weight).float()

    def start(x: Tensor, mixes: Tensor) -> Tensor:
        return (x.unflatten(-1, (4, -1)) * torch.sigmoid(mixes[..., :4, None])).sum(2).to(x.dtype)

    def finish(x: Tensor, mixes: Tensor, branch: Tensor) -> Tensor:
        mixed = torch.einsum("btij,btid->btjd", mixes[..., 8:].unflatten(-1, (4, 4)), x.unflatten(-1, (4, -1)).float())
        return (mixed + mixes[..., 4:8, None] * branch[:, :, None]).flatten(2).to(x.dtype)

    def around(x: Tensor, branch: Callable[[Tensor], Tensor]) -> Tensor:
        mixes = one_kernel(collapse, x, layer.weight(24, 4 * HIDDEN))
        return one_kernel(finish, x, mixes, branch(layer.norm(one_kernel(start, x, mixes))))

    streams = around(streams, lambda n: layer.linear(attention(layer, n), HIDDEN))
    return around(streams, lambda n: layer.swiglu(n, 96))


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    build: Callable[[Layer, Tensor], Tensor]
    beyond: int = 0
    width: int = HIDDEN
    family: dict[str, object] = field(default_factory=dict)


def usual(mixer: str, feed: str = "mlp(96)") -> str:
    return f"residual {{ pre_norm; {mixer} }}; residual {{ pre_norm; {feed} }}"


PLAIN = "attention(4, 2, 16)"
LATENT = "latent_attention(4, 24, 20, 16, 8, 12"
UNCHOSEN = 2 * TOKENS * 4 * (SEQ - 8)
"""Plain torch masks what an indexer did not choose, and keeps the softmax of all pairs."""

CASES = (
    Case("plain", usual(PLAIN), decoder(attention)),
    Case("norms of heads", usual("attention(4, 2, 16, qk_norm = true)"), decoder(of_heads)),
    Case("weights for each head", usual("attention(4, 2, 16, qk_norm = true, qk_norm_over = each_head)"),
         decoder(of_heads)),
    Case("norms of the full width", usual("attention(4, 2, 16, qk_norm = true, qk_norm_over = width)"),
         decoder(of_width)),
    Case("a gate of features", usual("attention(4, 2, 16, gate = per_feature)"), decoder(gate_of_features)),
    Case("a gate of heads", usual("attention(4, 2, 16, gate = per_head)"), decoder(gate_of_heads)),
    Case("a norm of the output", usual("attention(4, 2, 16, output_norm = rms)"), decoder(normed_output)),
    Case("values of another size", usual("attention(4, 2, 16, value_dim = 24)"), decoder(wide_values)),
    Case("keys as values", usual("attention(4, 2, 16, qk_norm = true, value_norm = rms_bare, keys_are_values = true)"),
         decoder(keys_as_values)),
    Case("chunks", usual("attention(4, 2, 16, chunk = 8)"), decoder(chunks)),
    Case("latent", usual(f"{LATENT})"), decoder(latent)),
    Case("latent with an indexer", usual(f"{LATENT}, indexer_heads = 2, indexer_dim = 16, indexer_topk = 8)"),
         decoder(lambda layer, x: latent(layer, x, True)), beyond=UNCHOSEN),
    Case("one norm for both", "residual { n = pre_norm(x); a = attention(n, 4, 2, 16); f = mlp(n, 96); add(a, f) }",
         parallel),
    Case("norms after", f"residual {{ {PLAIN}; post_norm }}; residual {{ mlp(96); post_norm }}", post_norms),
    Case("relu", usual(PLAIN, "mlp(96, activation = relu)"), relu_mlp),
    Case("layer norms without a shift",
         f"residual {{ norm_of(layer_gain); {PLAIN} }}; residual {{ norm_of(layer_bare); mlp(96) }}",
         layer_norms, beyond=2 * 2 * 2 * TOKENS),
    Case("an embedding of the layer", f"{usual(PLAIN)}; layer_input(8)", embedding_of_layer),
    Case("a residual of low rank", f"laurel(8); {usual(PLAIN)}", low_rank),
    Case("hyper-connections", f"hyper_residual(4) {{ pre_norm; {PLAIN} }}; hyper_residual(4) {{ pre_norm; mlp(96) }}",
         hyper, width=4 * HIDDEN, family={"before": "embedding; widen(4)", "mid": "hyper_head(4)"}),
)  # fmt: skip


def library(case: Case) -> int:
    model = small(case.text, layers=1, **case.family)  # type: ignore[arg-type]
    plan = question("llama32_1b", f"world=1,mbs={BATCH},gbs={BATCH},seq={SEQ},attention=unfused", None).plan
    return int(answer(model, plan, None).values["A"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_layer_saves_what_autograd_keeps(case: Case) -> None:
    x = torch.randn(BATCH, SEQ, case.width, dtype=DTYPE, requires_grad=True)
    layer = Layer(case.build, x)
    assert saved_bytes(lambda: layer(x), layer) == library(case) + case.beyond
