"""What stays alive between forward and backward, by the strategy's recomputation."""

from __future__ import annotations

from itertools import pairwise

from symsim.compiler.expand import expand
from symsim.compiler.liveness import Moment
from symsim.compiler.phases import Phased, phase
from symsim.language.library import library_of
from symsim.language.models import elaborate_model, model_source
from symsim.loading.plan import structure_of
from symsim.records.strategy import CHOICES


def layer(recompute: frozenset[str] = frozenset(), whole: bool = False, **choices: object) -> Phased:
    """The layer of a small Llama under a recomputation."""
    model = elaborate_model(model_source("llama(hidden=64, layers=2, heads=4, ffn=128, vocab=512)"))
    structure = structure_of({n: choices.get(n, c.default) for n, c in CHOICES.items()})  # type: ignore[misc]
    graph, _, _ = expand(model, library_of(), structure)
    return phase(graph.slots[0].unit, recompute, whole)


def kept(phased: Phased) -> list[str]:
    return [t.name for t in phased.kept]


def test_a_tensor_saved_twice_is_held_once() -> None:
    names = kept(layer())
    assert len(names) == len(set(names))
    assert names.count("attention.context.o.o") == 1


def test_recomputing_the_whole_layer_keeps_its_input_alone() -> None:
    phased = layer(whole=True)
    assert kept(phased) == ["x"]
    assert [o.name for o in phased.replayed] == [o.name for o in phased.unit.operators]


def test_core_attention_keeps_what_enters_it_and_what_leaves_it() -> None:
    plain, again = kept(layer()), kept(layer(frozenset({"core_attn"})))
    assert set(plain) - set(again) == {"attention.context.o.lse"}
    assert "attention.context.o.o" in again


def test_a_discarded_norm_is_dropped_though_the_next_linear_saves_it() -> None:
    plain, again = kept(layer()), kept(layer(frozenset({"layernorm"})))
    assert set(plain) - set(again) == {"pre_norm.rmsnorm.y", "pre_norm.rmsnorm_2.y"}


def test_a_discarded_norm_is_made_again_before_its_reader_runs_backward() -> None:
    moments = layer(frozenset({"layernorm"})).moments
    order = [(m.operator, m.phase) for m in moments]
    assert order.index(("pre_norm.rmsnorm_2", "recompute")) == order.index(("mlp.up", "backward")) - 1


def test_every_kept_tensor_is_alive_when_the_backward_pass_begins() -> None:
    for phased in (layer(), layer(frozenset({"mlp"})), layer(frozenset({"layernorm", "core_attn"}))):
        first = next(m for m in phased.moments if m.phase != "forward")
        assert set(phased.kept) <= set(first.alive)


def saved_alive(moment: Moment, phased: Phased) -> set[str]:
    return {t.name for t in moment.alive if t in phased.kept}


def test_saved_tensors_are_freed_in_the_order_of_the_backward_pass() -> None:
    phased = layer()
    backward = [saved_alive(m, phased) for m in phased.moments if m.phase == "backward"]
    assert all(after <= before for before, after in pairwise(backward))
    assert backward[-1] == {"x"}


def gradients_alive(operator: str) -> list[str]:
    moment = next(m for m in layer().moments if (m.operator, m.phase) == (operator, "backward"))
    return [t.name for t in moment.alive if t.name.startswith("d")]


def test_the_gradient_of_the_residual_stream_waits_while_a_branch_runs_backward() -> None:
    assert "dresidual_add_2.y" in gradients_alive("mlp.act")
    assert len(gradients_alive("mlp.act")) == 3


def test_a_sum_passes_its_gradient_on_without_a_copy() -> None:
    assert gradients_alive("residual_add_2") == ["dresidual_add_2.y"]


def test_an_activation_is_alive_until_its_last_reader() -> None:
    phased = layer()
    forward = {m.operator: [t.name for t in m.alive] for m in phased.moments if m.phase == "forward"}
    assert "x" in forward["residual_add"]
    assert "attention.output.y" in forward["residual_add"]
    assert "attention.output.y" not in forward["pre_norm.rmsnorm_2"]
