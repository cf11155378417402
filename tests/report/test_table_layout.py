"""A table fits its page: what gives way first, and what never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from symsim.report.table_layout import NARROW_GAP, Part, fitted, folded

HEADINGS = ("operator", "limited by", "seconds")
ROWS = (("attention.context.o", "memory traffic", "12.5 ms"), ("mlp.up", "arithmetic", "982.6 ms"))
WHOLE = (False, False, True)


def widths(part: Part) -> list[int]:
    lines = [[cell.split("\n") for cell in row] for row in (part.headings, *part.rows)]
    return [max(len(text) for row in lines for text in row[k]) for k in range(len(part.columns))]


def total(part: Part) -> int:
    return sum(widths(part)) + part.gap * (len(part.columns) - 1)


def test_a_table_with_room_is_left_as_it_is() -> None:
    (part,) = fitted(HEADINGS, ROWS, WHOLE, 80)
    assert (part.headings, part.rows, part.gap) == (HEADINGS, ROWS, 2)


def test_columns_move_together_first() -> None:
    (part,) = fitted(HEADINGS, ROWS, WHOLE, 44)
    assert (part.rows, part.gap) == (ROWS, NARROW_GAP)


def test_then_text_is_folded_and_numbers_stay_whole() -> None:
    (part,) = fitted(HEADINGS, ROWS, WHOLE, 36)
    assert part.rows[0] == ("attention.\ncontext.o", "memory\ntraffic", "12.5 ms")
    assert total(part) <= 36


def test_then_the_table_goes_on_below_with_its_first_column() -> None:
    numbers = [[str(10**9 + k)] * 10 for k in range(2)]
    parts = fitted([f"n{k}" for k in range(10)], numbers, [True] * 10, 60)
    assert [part.columns for part in parts] == [(0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9)]


def test_a_heading_folds_where_its_numbers_are_short() -> None:
    (part,) = fitted(("stage", "below the fullest"), [("0", "1 B")], (True, True), 15)
    assert part.headings == ("stage", "below the\nfullest")


def test_words_stay_whole_where_they_fit() -> None:
    assert folded("memory.peak <= 0.95 * memory.capacity", 24) == ["memory.peak <= 0.95 *", "memory.capacity"]


def test_a_long_word_breaks_behind_a_sign_that_joins() -> None:
    assert folded("core_attn+layernorm+moe_act", 20) == ["core_attn+layernorm+", "moe_act"]


@given(
    st.lists(st.lists(st.text("ab +.", max_size=30), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(20, 100),
)
def test_nothing_is_lost_and_the_page_is_kept(rows: list[list[str]], width: int) -> None:
    parts = fitted(("one", "two", "three"), rows, (False,) * 3, width)
    for row, original in enumerate(rows):
        shown = {k: cell for part in parts for k, cell in zip(part.columns, part.rows[row], strict=True)}
        assert ["".join(shown[k].split()) for k in range(3)] == ["".join(cell.split()) for cell in original]
    longest = max(len(word) for row in rows for cell in row for word in (*cell.split(), ""))
    for part in parts:
        assert total(part) <= width or len(part.columns) <= 2 or longest > 12
