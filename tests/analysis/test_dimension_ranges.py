"""The formulas of a dimension over its range, against the model compiled at each value."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from symsim.analysis.evaluate import evaluator, machine_of
from symsim.analysis.one_parameter import changed, parameter
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.condition import conditions, with_conditions
from symsim.analysis.solving.parameter_ranges import parameter_ranges
from symsim.diagnostics import InputError
from symsim.loading.question import question


@pytest.mark.parametrize(
    ("model", "plan", "name", "values", "formulas"),
    [
        ("gemma3_27b", "world=8,tp=2,pp=1,gbs=8,seq=4096", "layers", (3, 5, 6, 7, 12), 3),
        ("deepseek_v3", "world=16,ep=16,gbs=16,seq=4096", "dense_layers", (1, 60, 61, 62), 2),
        ("deepseek_v3", "world=16,ep=16,gbs=16,seq=4096", "layers", (1, 3, 4, 61), 2),
        ("gpt3_175b", "world=8,tp=2,gbs=8,seq=2048", "heads", (1, 2, 12, 96, 97, 128), 1),
        ("llama3_8b", "world=8,tp=2,gbs=8,seq=4096", "kv_heads", (1, 2, 8, 32), 1),
    ],
)
def test_formulas_are_those_of_the_model_at_each_value(
    model: str, plan: str, name: str, values: tuple[int, ...], formulas: int
) -> None:
    asked = question(model, plan, "h100_sxm")
    about = parameter(asked, name, high=200)
    wanted = conditions(asked, [parsed("memory.peak <= time.iteration")])
    found = parameter_ranges(asked, about, partial(with_conditions, wanted=wanted))
    assert len(found.ranges) == formulas
    outputs = ["memory.peak", "time.iteration", "flops.hardware_per_iteration", "parameters"]
    columns = found.values(outputs, np.array(values, dtype=float))
    for k, value in enumerate(values):
        mine = [float(column[k]) for column in columns]
        try:
            there = changed(asked, about, value)
            compiled = evaluator(there.model, there.plan.structure)
            legal = not compiled.broken(there.plan.sizes)
        except InputError:
            legal = False
        assert legal is not bool(np.isnan(mine[0])), value
        if legal:
            scalar = compiled.scalar(there.plan.sizes, machine_of(there))
            assert mine == pytest.approx([float(scalar[n]) for n in outputs], rel=1e-12), value


def test_what_the_models_text_computes_cannot_follow(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "m.sym"
    path.write_text("model m = llama(hidden = 1024, layers = 4, heads = 8, ffn = 4 * hidden, vocab = 32000)\n")
    asked = question(str(path), "world=8,tp=2,gbs=8,seq=4096", "h100_sxm")
    about = parameter(asked, "hidden", high=4096)
    wanted = conditions(asked, ())
    with pytest.raises(InputError) as problem:
        parameter_ranges(asked, about, partial(with_conditions, wanted=wanted)).holds([], np.array([2048.0]))
    assert problem.value.diagnostics[0].code == "E351"
