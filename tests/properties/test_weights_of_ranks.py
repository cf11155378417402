"""The ranks of one replica hold the model's weights: each once, but for those that all of them hold."""

from __future__ import annotations

from itertools import product

import pytest

from symsim import resources
from symsim.analysis.evaluate import Answer, evaluator
from symsim.loading.question import question
from tests.models.counting import others_slow

MODELS = tuple(resources.shipped("models"))


def held(model: str) -> dict[tuple[int, int, int, int], Answer]:
    """One rank's share under every legal (tp, pp, ep, etp) of a few."""
    asked = question(model, "world=1,gbs=1,seq=8192,te_version=2.11.0", None)
    compiled = evaluator(asked.model, asked.plan.structure)
    found = {}
    for tp, pp, ep, etp in product((1, 2, 4, 8), (1, 2, 3, 4, 6), (1, 2, 8), (1, 2)):
        sizes = {**asked.plan.sizes, "tp": tp, "pp": pp, "ep": ep, "etp": etp, "world": 16 * tp * pp, "gbs": 16}
        if ((ep, etp) == (1, 1) or "experts" in asked.model.dimensions) and not compiled.broken(sizes):
            found[tp, pp, ep, etp] = Answer(compiled.scalar(sizes, None), pp)
    return found


@pytest.mark.parametrize("model", others_slow(MODELS))
def test_weights_of_all_ranks_are_those_of_the_model(model: str) -> None:
    """The vocabulary is padded to a multiple of 128·tp; a tied table is held by the first and the last stage.

    What is not spread over tp (norms, routers, low-rank projections) is known from tp = 1 and tp = 2;
    the sum over any other tp must then be the model again.
    """
    dimensions = question(model, None, None, (), needs_sizes=False).model.dimensions
    hidden, vocab = int(dimensions["hidden"]), int(dimensions["vocab"])
    found = held(model)

    def tables(pp: int) -> int:
        return 1 if dimensions["tied"] and pp == 1 else 2

    def without_tables(key: tuple[int, int, int, int]) -> int:
        answer, (tp, pp, _, _) = found[key], key
        return sum(answer.of_stage("P")) - tables(pp) * hidden * answer.values["V"] // tp

    whole = without_tables((1, 1, 1, 1))
    on_every_rank = 2 * without_tables((2, 1, 1, 1)) - whole if (2, 1, 1, 1) in found else 0
    experts = 0
    for key, answer in found.items():
        tp, _, ep, etp = key
        assert tp * (without_tables(key) - on_every_rank) + on_every_rank == whole, key
        if "P_expert" in answer.values and etp == 1:
            experts = sum(found[1, 1, 1, 1].of_stage("P_expert"))
            assert ep * sum(answer.of_stage("P_expert")) == experts, key
    published_tables = 1 if dimensions["tied"] else 2
    assert whole + experts + published_tables * hidden * vocab == found[1, 1, 1, 1].values["parameters"]
    assert 0 <= on_every_rank < whole / 5
    assert len(found) > 1


def test_experts_are_spread_over_etp() -> None:
    found = held("mixtral_8x7b")
    whole, halves = (sum(found[1, 1, 1, etp].of_stage("P_expert")) for etp in (1, 2))
    assert 2 * halves == whole


def test_experts_with_biases_are_not() -> None:
    """gpt-oss has them. Source: Megatron-Core 0.16.1, transformer_config.py."""
    assert {etp for *_, etp in held("gpt_oss_20b")} == {1}
