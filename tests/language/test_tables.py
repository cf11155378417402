"""Reading measured tables: what a good file gives, and the error that each malformed one provokes."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.diagnostics import Diagnostic, InputError
from symsim.language.tables import MAX_BYTES, MAX_DIMENSION, MAX_EFFICIENCY, MAX_ERRORS, MAX_ROWS, read_table

SYSTEMS = Path(__file__).parents[2] / "systems"

GOOD = """\
# Efficiency of a matrix multiplication
# Source: a bench
phase,m,k,n,efficiency
forward,4096,8192,1024,0.75
forward,4096,8192,2048,0.25

weight_grad, 8192 , 4096, 1024 , 6e-1
"""


def table_file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def errors_of(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(InputError) as caught:
        read_table(path, "matmul")
    return caught.value.diagnostics


def only_error(path: Path) -> Diagnostic:
    (diagnostic,) = errors_of(path)
    return diagnostic


def place_of(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.place is not None
    return diagnostic.place.line, diagnostic.place.column


# A good file


def test_phases_become_tables_of_their_own(tmp_path: Path) -> None:
    assert list(read_table(table_file(tmp_path, GOOD), "matmul")) == ["matmul.forward", "matmul.weight_grad"]


def test_entries_go_by_their_dimensions(tmp_path: Path) -> None:
    forward = read_table(table_file(tmp_path, GOOD), "matmul")["matmul.forward"]
    assert forward.dimensions == ("m", "k", "n")
    assert forward.entries == {(4096, 8192, 1024): 0.75, (4096, 8192, 2048): 0.25}


def test_cells_may_be_padded_with_blanks(tmp_path: Path) -> None:
    tables = read_table(table_file(tmp_path, GOOD), "matmul")
    assert tables["matmul.weight_grad"].entries == {(8192, 4096, 1024): 0.6}


def test_the_mean_is_over_the_entries_of_the_phase(tmp_path: Path) -> None:
    assert read_table(table_file(tmp_path, GOOD), "matmul")["matmul.forward"].mean == 0.5


def test_the_leading_comments_are_the_source(tmp_path: Path) -> None:
    source = read_table(table_file(tmp_path, GOOD), "matmul")["matmul.forward"].source
    assert source == "Efficiency of a matrix multiplication Source: a bench"


def test_a_table_without_comments_is_its_own_source(tmp_path: Path) -> None:
    path = table_file(tmp_path, "ranks,efficiency\n2,0.7\n")
    assert read_table(path, "e")["e"].source == str(path)


def test_without_a_phase_column_the_table_has_the_plain_name(tmp_path: Path) -> None:
    tables = read_table(table_file(tmp_path, "ranks,efficiency\n2,0.7\n8,0.4\n"), "pcie.all_reduce.efficiency")
    assert {name: dict(table.entries) for name, table in tables.items()} == {
        "pcie.all_reduce.efficiency": {(2,): 0.7, (8,): 0.4}
    }


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfranks,efficiency\r\n2,0.7\r\n", b"ranks,efficiency\n2,0.7"])
def test_files_of_other_editors_are_read(tmp_path: Path, content: bytes) -> None:
    assert read_table(table_file(tmp_path, content), "e")["e"].entries == {(2,): 0.7}


def test_a_duration_may_be_zero(tmp_path: Path) -> None:
    assert read_table(table_file(tmp_path, "ranks,fixed_s\n8,0\n"), "f")["f"].entries == {(8,): 0.0}


def test_only_efficiencies_are_bounded_above(tmp_path: Path) -> None:
    assert read_table(table_file(tmp_path, "ranks,bandwidth\n8,1e12\n"), "b")["b"].entries == {(8,): 1e12}


def test_the_largest_dimension_and_efficiency_are_read(tmp_path: Path) -> None:
    path = table_file(tmp_path, f"m,efficiency\n{MAX_DIMENSION},{MAX_EFFICIENCY}\n")
    assert read_table(path, "e")["e"].entries == {(MAX_DIMENSION,): MAX_EFFICIENCY}


@pytest.mark.parametrize("path", sorted(SYSTEMS.glob("*/*.csv")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_tables_are_read(path: Path) -> None:
    tables = read_table(path, path.stem)
    assert all(table.entries and "Source: " in table.source for table in tables.values())


def test_an_entry_of_b200_is_the_measured_one() -> None:
    tables = read_table(SYSTEMS / "b200" / "matmul.csv", "matmul")
    assert tables["matmul.forward"].entries[4096, 8192, 10240] == 0.6451614102335537
    assert tables["matmul.input_grad"].entries[4096, 10240, 8192] == 0.49804462256915516
    assert tables["matmul.weight_grad"].entries[10240, 4096, 8192] == 0.5979461534906494


# Files that cannot be read


def test_missing_file(tmp_path: Path) -> None:
    diagnostic = only_error(tmp_path / "absent.csv")
    assert (diagnostic.code, place_of(diagnostic)) == ("E401", (1, 1))


def test_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "matmul.csv").touch()
    assert only_error(tmp_path / "matmull.csv").hint == "did you mean 'matmul.csv'?"


def test_directory_instead_of_file(tmp_path: Path) -> None:
    assert only_error(tmp_path).code == "E401"


def test_path_that_no_file_can_have(tmp_path: Path) -> None:
    assert only_error(tmp_path / "a\0b.csv").code == "E401"
    assert only_error(tmp_path / ("a" * 5000)).code == "E401"


def test_file_over_the_largest_size(tmp_path: Path) -> None:
    assert only_error(table_file(tmp_path, b"#" * (MAX_BYTES + 1))).code == "E402"


def test_more_rows_than_the_largest_number(tmp_path: Path) -> None:
    rows = "".join(f"{m},1\n" for m in range(1, MAX_ROWS + 2))
    diagnostic = only_error(table_file(tmp_path, "m,efficiency\n" + rows))
    assert (diagnostic.code, place_of(diagnostic)) == ("E402", (MAX_ROWS + 2, 1))


@pytest.mark.parametrize("content", [b"m,efficiency\n1,\xff\n", b"m,efficiency\n1,\x00\n"])
def test_binary_file(tmp_path: Path, content: bytes) -> None:
    diagnostic = only_error(table_file(tmp_path, content))
    assert (diagnostic.code, place_of(diagnostic)) == ("E403", (2, 3))


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "m,efficiency\n", "m,efficiency\n# none\n\n"])
def test_file_without_rows(tmp_path: Path, content: str) -> None:
    assert only_error(table_file(tmp_path, content)).code == "E404"


# Wrong headers and rows


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("m,,efficiency", 3),
        ("m,k n,efficiency", 3),
        ("1,2,0.5", 1),
        ("m,m,efficiency", 3),
        ("m, phase,efficiency", 4),
        ("efficiency", 1),
        ("phase,efficiency", 1),
    ],
)
def test_wrong_header(tmp_path: Path, header: str, column: int) -> None:
    diagnostic = errors_of(table_file(tmp_path, f"{header}\nforward,1,1\n"))[0]
    assert (diagnostic.code, place_of(diagnostic)) == ("E405", (1, column))


@pytest.mark.parametrize("row", ["4096,8192", "4096,8192,1024,0.5", "4096;8192;0.5"])
def test_row_with_other_columns_than_the_header(tmp_path: Path, row: str) -> None:
    diagnostic = only_error(table_file(tmp_path, f"m,k,efficiency\n{row}\n"))
    assert (diagnostic.code, place_of(diagnostic)) == ("E406", (2, 1))
    assert diagnostic.hint == "the columns are m, k, efficiency"


def test_unknown_phase(tmp_path: Path) -> None:
    diagnostic = only_error(table_file(tmp_path, "phase,m,efficiency\nforwards,1,0.5\n"))
    assert (diagnostic.code, place_of(diagnostic)) == ("E407", (2, 1))
    assert diagnostic.hint == "did you mean 'forward'?"


@pytest.mark.parametrize(
    "cell", ["1.5", "4k", "", "-8", "0", "+8", "1_000", "1e3", "²", "٣", str(MAX_DIMENSION + 1), "9" * 10_000]
)
def test_dimension_that_is_no_positive_integer(tmp_path: Path, cell: str) -> None:
    diagnostic = only_error(table_file(tmp_path, f"m,k,efficiency\n 128,  {cell},0.5\n"))
    assert (diagnostic.code, place_of(diagnostic)) == ("E408", (2, 8))


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-inf", "-0.5", "0", "-0.0", "", "fast", "1_0", "0.5 %", "0x1", "1e999"]
)
def test_value_that_is_no_positive_number(tmp_path: Path, cell: str) -> None:
    diagnostic = only_error(table_file(tmp_path, f"m,efficiency\n128,{cell}\n"))
    assert (diagnostic.code, place_of(diagnostic)) == ("E409", (2, 5))


@pytest.mark.parametrize("cell", ["-1e-6", "nan", "inf"])
def test_duration_that_is_no_time(tmp_path: Path, cell: str) -> None:
    assert only_error(table_file(tmp_path, f"ranks,latency_s\n8,{cell}\n")).code == "E409"


def test_efficiency_above_what_is_possible(tmp_path: Path) -> None:
    diagnostic = only_error(table_file(tmp_path, "m,efficiency\n128,75\n"))
    assert (diagnostic.code, place_of(diagnostic)) == ("E410", (2, 5))


def test_row_given_twice(tmp_path: Path) -> None:
    rows = "phase,m,efficiency\nforward,1,0.5\ninput_grad,1,0.5\nforward,1,0.6\n"
    diagnostic = only_error(table_file(tmp_path, rows))
    assert (diagnostic.code, place_of(diagnostic)) == ("E411", (4, 1))
    assert "line 2" in diagnostic.message


# Reporting


def test_all_errors_of_a_file_are_reported_together(tmp_path: Path) -> None:
    diagnostics = errors_of(table_file(tmp_path, "phase,m,efficiency\nfoward,x,nan\nforward,1,0.5\nforward,2,9\n"))
    assert [diagnostic.code for diagnostic in diagnostics] == ["E407", "E408", "E409", "E410"]


def test_no_more_errors_are_reported_than_a_reader_wants(tmp_path: Path) -> None:
    diagnostics = errors_of(table_file(tmp_path, "m,efficiency\n" + "x,y\n" * 50))
    assert len(diagnostics) == MAX_ERRORS
    assert diagnostics[-1].hint is not None
    assert "further errors" in diagnostics[-1].hint


def test_the_caret_stands_under_the_wrong_cell(tmp_path: Path) -> None:
    path = table_file(tmp_path, "m,k,efficiency\n  128, 8x,0.5\n")
    assert only_error(path).render() == (
        f"{path}:2:8: error[E408]: '8x' is not a dimension\n"
        "  |   128, 8x,0.5\n"
        "  |        ^^\n"
        f"  hint: dimensions are integers from 1 to {MAX_DIMENSION}"
    )
