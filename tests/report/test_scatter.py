"""The picture of predictions: well-formed, and every point where it belongs."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from symsim.report.scatter import LEFT, SIDE, TOP, scatter

POINTS = {"a & b": [(1.0, 1.0), (10.0, 100.0)], "c": [(3.0, 3.3)]}


def test_is_well_formed_and_names_the_sets() -> None:
    texts = [e.text for e in ElementTree.fromstring(scatter(POINTS)).iter() if e.tag.endswith("text")]
    assert {"a & b", "c", "1", "10", "100"} <= set(texts)


def test_points_stand_by_their_logarithms() -> None:
    at = [tuple(map(float, p)) for p in re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3.2"', scatter(POINTS))]
    assert at[0] == (LEFT, TOP + SIDE)
    assert at[1] == (LEFT + SIDE / 2, TOP)
    assert len(at) == 3
