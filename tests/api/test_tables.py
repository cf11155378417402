"""Tables of plans: every row is the plan that ``load`` would make of it, whatever kind of table it stands in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symsim

ROWS: dict[str, list[Any]] = {
    "tp": [8, 4, 8, 2, 8, 8],
    "mbs": [1, 2, 1, 1, 4, 1],
    "vp": [1, 1, 2, 5, 1, 1],
    "recompute": ["none", "full", "none", {"core_attn"}, "full", "full"],
    "recompute_layers": [None, None, None, None, 2, 3],
    "moe_imbalance": [None, 1, None, 1, None, 1],
    "network.bandwidth": ["25 GB/s", "50 GB/s", "25 GB/s", "25 GB/s", "50 GB/s", "50 GB/s"],
    "layers": [80, 80, 160, 80, 80, 80],
}


@pytest.fixture(scope="module")
def plan() -> symsim.Plan:
    return symsim.load("llama3_70b", "tp8_pp4", "h100_sxm", seq=4096)


def row(plan: symsim.Plan, k: int) -> symsim.Answer:
    return symsim.evaluate(plan.changed(set={n: v[k] for n, v in ROWS.items()}))


def test_rows_of_several_structures_are_their_plans(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, ROWS, wanted=["time.iteration", "memory.peak", "peak", "network.bandwidth"])
    assert found.legal.all()
    for k in range(len(ROWS["tp"])):
        answer = row(plan, k)
        assert found.iteration_s[k] == pytest.approx(answer.iteration_s, rel=1e-12)
        assert found.peak_bytes[k] == pytest.approx(answer.peak_bytes, rel=1e-12)
        assert found["peak"][k] == pytest.approx(np.array(answer["peak"], dtype=float), rel=1e-12)
    assert found["network.bandwidth"].tolist() == [25e9, 50e9, 25e9, 25e9, 50e9, 50e9]


def test_choices_that_contradict_each_other_are_not_legal(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"schedule": ["1f1b", "zb_v", "zb_h1"], "vp": [1, 4, 1]})
    assert found.legal.tolist() == [True, False, True]
    assert list(found.illegal.values()) == [1] and "two chunks" in next(iter(found.illegal))
    assert np.isnan(found.iteration_s[1])


def test_items_of_a_step_add_up_in_every_structure(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"recompute": ["none", "full"], "offload": ["none", {"optimizer"}]})
    items = sum(
        v for n, v in found.items() if n.startswith("time.") and n not in ("time.iteration", "time.bubble_share")
    )
    assert items == pytest.approx(found.iteration_s, rel=1e-12)


def test_one_value_holds_for_every_row(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"tp": [4, 8], "mbs": 2, "recompute": "full"})
    same = symsim.evaluate(plan, {"tp": [4, 8], "mbs": [2, 2], "recompute": ["full"] * 2})
    assert found.iteration_s.tolist() == same.iteration_s.tolist()


def test_microbatches_replace_gbs(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"microbatches": [8, 32], "tp": [8, 4]}, wanted=["m", "gbs"])
    assert found["m"].tolist() == [8, 32]
    assert found["gbs"].tolist() == [32, 256]
    by_count = plan.changed(microbatches=8)
    assert by_count.choices["gbs"] == 32
    assert symsim.evaluate(by_count, {"tp": [8, 4]}, wanted=["gbs"])["gbs"].tolist() == [32, 64]


def test_stages_of_a_layout_decide_the_ranks() -> None:
    plan = symsim.load("llama3_8b", {"world": 8, "gbs": 16, "seq": 1024, "layout": "Et*8|t*8|t*8|t*8L"}, "h100_sxm")
    found = symsim.evaluate(plan, {"pp": [4, 2], "mbs": [1, 2]})
    exact = [symsim.evaluate(plan.changed(pp=p, mbs=m)).iteration_s for p, m in ((4, 1), (2, 2))]
    assert found.iteration_s == pytest.approx(np.array(exact), rel=1e-12)
    assert "pp" not in plan.compiled.inputs


def test_a_table_of_no_rows(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"tp": [], "mbs": []}, wanted=["memory.peak"])
    assert found["memory.peak"].shape == (0,)


def test_sizes_broadcast_like_arrays(plan: symsim.Plan) -> None:
    found = plan.compiled.evaluate(tp=np.array([[2], [8]]), mbs=[1, 2, 4], wanted=["memory.peak", "peak"])
    assert found.shape == found.peak_bytes.shape == (2, 3)
    assert found["peak"].shape == (2, 3, 4)
    assert (
        found.peak_bytes[1, 2]
        == plan.compiled.evaluate(tp=8, mbs=4).peak_bytes
        == symsim.evaluate(plan.changed(mbs=4)).peak_bytes
    )


def test_a_document_has_no_nan(plan: symsim.Plan) -> None:
    document = plan.compiled.evaluate(tp=[3, 8], wanted=["memory.peak"]).to_dict()
    assert document["values"]["memory.peak"][0] is None
    assert document["units"] == {"memory.peak": "bytes"}


class Frame:
    """What is asked of a data frame."""

    def __init__(self, data: dict[str, Any], index: Any = None) -> None:
        self.data, self.index = dict(data), index

    @property
    def columns(self) -> list[str]:
        return list(self.data)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]


def test_a_data_frame_answers_as_one(plan: symsim.Plan) -> None:
    found = symsim.evaluate(
        plan, Frame({"tp": [8, 3], "recompute": ["full", "none"]}, index=["a", "b"]), ["memory.peak"]
    )
    assert isinstance(found, Frame) and found.index == ["a", "b"]
    assert found.columns == ["tp", "recompute", "memory.peak", "legal"]
    assert found["legal"].tolist() == [True, False]


def test_a_pandas_frame(plan: symsim.Plan) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"tp": [8, 4], "vp": [1.0, None], "recompute": ["none", "full"]}, index=[7, 9])
    found = symsim.evaluate(plan, table)
    assert list(found.index) == [7, 9] and found["legal"].all()
    assert list(found.columns)[:3] == ["tp", "vp", "recompute"]
    assert found.loc[9, "time.iteration"] == symsim.evaluate(plan.changed(tp=4, recompute="full")).iteration_s


def test_an_arrow_table(plan: symsim.Plan) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"tp": [8, 4], "vp": [1, None], "recompute": ["none", "full"]})
    found = symsim.evaluate(plan, table, ["time.iteration", "peak"])
    assert found.column_names == ["tp", "vp", "recompute", "time.iteration", "peak", "legal"]
    assert found.column("time.iteration")[1].as_py() == pytest.approx(
        symsim.evaluate(plan.changed(tp=4, recompute="full")).iteration_s
    )
    assert len(found.column("peak")[0]) == 4


def test_a_table_of_no_rows_has_no_rows(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"price": [], "tp": []})
    assert found.iteration_s.tolist() == []


def test_membership_of_a_set_of_one_is_the_number_of_a_row(plan: symsim.Plan) -> None:
    found = symsim.evaluate(plan, {"tokens": [1e9, 2e9], "tp": [8, 4]}, wanted=["network.bandwidth / (1 GB/s) in {50}"])
    assert [v.tolist() for n, v in found.items() if " in " in n] == [[1, 1]]
