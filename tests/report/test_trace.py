"""The trace as other programs read it."""

from __future__ import annotations

import json

import pytest

from symsim.report.trace import MESSAGES, PASSES, text, trace
from tests.analysis.test_timeline import of
from tests.errors.case import run


def test_passes_of_all_ranks_are_slices() -> None:
    line = of("llama3_70b", "schedule=zb_h1", micro_batches=8)
    events = json.loads(text(line, "step"))["traceEvents"]
    slices = [e for e in events if e["ph"] == "X"]
    for rank in range(4):
        own = [e for e in slices if e["pid"] == rank]
        for name in ("forward", "backward", "weight gradient"):
            assert [e["name"] for e in own if e["cat"] == name] == [f"{name} {k}" for k in range(8)]
        assert {e["tid"] for e in own if e["cat"] != "message"} == {PASSES}
        assert [e["cat"] for e in sorted(own, key=lambda e: e["ts"])][-2:] == ["data parallel", "optimizer"]


def test_messages_say_where_they_go() -> None:
    events = trace(of("llama3_70b", micro_batches=2), "step")["traceEvents"]
    sent = [(e["pid"], e["args"]["to"]) for e in events if e.get("tid") == MESSAGES and e["ph"] == "X"]
    assert sorted(set(sent)) == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert len(sent) == 12


def test_the_counter_of_memory_reaches_the_peak() -> None:
    line = of("llama3_70b")
    events = trace(line, "step")["traceEvents"]
    for i, rank in enumerate(line.ranks):
        counted = [e["args"]["bytes"] for e in events if e["ph"] == "C" and e["pid"] == i]
        assert max(counted) == pytest.approx(rank.peak_bytes, rel=1e-9)


PLAN = ("llama3_70b", "-s", "tp8_pp4", "-y", "h100_sxm", "--micro-batches", "4")


def test_the_command_prints_only_json_to_stdout() -> None:
    outcome = run("trace", *PLAN)
    assert outcome.status == 0
    assert json.loads(outcome.out)["otherData"]["micro_batches"] == 4
    assert "pipeline" in outcome.err


def test_the_command_writes_a_file_and_prints_the_summary(tmp_path: object) -> None:
    outcome = run("trace", *PLAN, "-o", f"{tmp_path}/trace.json")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("One step takes ")
    head = lines.index(next(line for line in lines if line.startswith("one step")))
    assert lines[head].split() == ["one", "step", "simulated", "formula", "difference"]
    assert lines[head + 1].split()[-1] == "0.00%"
    with open(f"{tmp_path}/trace.json", encoding="utf-8") as written:  # noqa: PTH123
        assert json.load(written)["otherData"]["schedule"] == "1f1b"
