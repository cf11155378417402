"""Long formulas are broken at their outermost operators."""

from __future__ import annotations

from symsim.emit.wrapping import wrap


def test_what_fits_stays_on_one_line() -> None:
    assert wrap("a + b", 5) == ["a + b"]


def test_terms_fill_the_line_and_start_with_their_operator() -> None:
    assert wrap("aa + bb − cc + dd", 8) == ["aa + bb", "− cc", "+ dd"]


def test_the_outermost_operator_breaks_first() -> None:
    assert wrap("a·(b + c) + d·(e + f)", 12) == ["a·(b + c)", "+ d·(e + f)"]


def test_arguments_are_set_in() -> None:
    assert wrap("max(aaaa, bbbb, cccc)", 12) == ["max(aaaa,", "  bbbb,", "  cccc)"]


def test_a_long_denominator_goes_below() -> None:
    assert wrap("aaaa·bbbb/(cccc·dddd)", 12) == ["aaaa·bbbb", "/(cccc·dddd)"]


def test_a_list_breaks_before_the_sums_in_it() -> None:
    assert wrap("max(aa + bb, cc + dd)", 14) == ["max(aa + bb,", "  cc + dd)"]
    assert wrap("(aa − bb if c − d else e)", 14) == ["(aa − bb", "  if c − d", "  else e)"]


def test_what_goes_on_with_an_argument_is_set_in_further() -> None:
    assert wrap("max(aaaa + bbbb, cccc + dddd)", 10) == ["max(aaaa", "    + bbbb,", "  cccc", "    + dddd)"]


def test_a_short_factor_stays_whole() -> None:
    assert wrap("aaaa·bbbb·(c − 1) + d", 12) == ["aaaa·bbbb", "  ·(c − 1)", "+ d"]


def test_operators_of_two_characters_stay_whole() -> None:
    assert wrap("aaaa ** (1 / 3)", 12) == ["aaaa ** (1 / 3)"]
    assert wrap("aaaa // (bbbb * cccc)", 18) == ["aaaa", "// (bbbb * cccc)"]


def test_groups_of_digits_stay_together() -> None:
    assert wrap("855 638 016 + 1", 8) == ["855 638 016", "+ 1"]


def test_what_follows_a_broken_piece_starts_a_line() -> None:
    assert wrap("max(aaaa, bbbb) + c", 10) == ["max(aaaa,", "  bbbb)", "+ c"]


def test_a_product_of_names_breaks_where_nothing_else_can() -> None:
    assert wrap("aaaa·bbbb·cccc/dddd", 12) == ["aaaa·bbbb", "·cccc/dddd"]
    assert wrap("aaaa·(bbbb + cc + dd + ee + ff + gggggggggggg)", 14)[0] == "aaaa·(bbbb"


def test_what_is_deep_is_set_in_no_further_than_leaves_room() -> None:
    names = [f"name_{k:02}_of_twenty_five_cols" for k in range(8)]
    nested = "".join(f"max({name}, " for name in names) + "0" + ")" * len(names)
    assert max(map(len, wrap(nested, 48))) <= 48
