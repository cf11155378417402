"""Tables for notebooks: every text of a user stays text."""

from __future__ import annotations

from symsim.report.html import MOST_ROWS, table

HOSTILE = "<script>alert('x')</script> & \"co\""
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;co&quot;"


def test_a_title_is_escaped() -> None:
    found = table(["a"], [["1"]], HOSTILE)
    assert f"<caption>{ESCAPED}</caption>" in found and "<script" not in found


def test_a_heading_is_escaped() -> None:
    found = table([HOSTILE], [["1"]])
    assert f"<th>{ESCAPED}</th>" in found and "<script" not in found


def test_a_cell_is_escaped() -> None:
    found = table(["a", "b"], [[HOSTILE, HOSTILE]])
    assert found.count(f">{ESCAPED}</td>") == 2 and "<script" not in found


def test_a_table_without_a_title_has_no_caption() -> None:
    assert "caption" not in table(["a"], [["1"]])


def test_the_first_column_is_to_the_left_and_others_to_the_right() -> None:
    assert '<td style="text-align: left">x</td><td style="text-align: right">1</td>' in table(["a", "b"], [["x", "1"]])


def test_a_long_table_says_how_many_rows_are_left() -> None:
    rows = [[str(k)] for k in range(MOST_ROWS + 2)]
    found = table(["a"], rows)
    assert f">{MOST_ROWS - 1}</td>" in found and f">{MOST_ROWS}</td>" not in found
    assert "<tr><td>… and 2 more</td></tr>" in found
    assert "more" not in table(["a"], rows[:MOST_ROWS])
