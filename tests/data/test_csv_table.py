"""CSV files: kinds of columns, missing fields, and faults named by line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raytune_nn.data.csv_table import MISSING, CsvTable, read_csv


def read(folder: Path, content: str, wanted: tuple[str, ...] = (), text: tuple[str, ...] = ()) -> CsvTable:
    path = folder / "t.csv"
    path.write_text(content)
    return read_csv(path, wanted, text)


def test_numbers_truth_values_and_names_are_told_apart(tmp_path: Path) -> None:
    table = read(tmp_path, "n,e,b,s,h\n1,1e3,true,x,1\n-2.5,,False,x,a\n3,7,True,1,a\n4,7,True,1,1\n")
    assert [table.is_numeric(name) for name in "nebsh"] == [True, True, True, False, False]
    assert table.numbers("n").tolist() == [1, -2.5, 3, 4]
    np.testing.assert_array_equal(table.numbers("e"), [1000, np.nan, 7, 7])
    assert table.numbers("b").tolist() == [1, 0, 1, 1]
    assert table.frame["s"].tolist() == ["x", "x", "1", "1"]


@pytest.mark.parametrize("field", MISSING)
def test_what_says_nothing_is_missing(tmp_path: Path, field: str) -> None:
    table = read(tmp_path, f"n,s\n1,x\n {field},{field}\n3,y\n")
    assert table.is_numeric("n")
    np.testing.assert_array_equal(table.numbers("n"), [1, np.nan, 3])
    assert table.frame["s"].isna().tolist() == [False, True, False]


def test_text_columns_stay_as_they_are_written(tmp_path: Path) -> None:
    table = read(tmp_path, "zip,n\n007,1\n7,2\n", text=("zip", "not there"))
    assert table.classes("zip") == ["007", "7"]


def test_rows_know_their_lines_past_blank_ones_and_quoted_line_feeds(tmp_path: Path) -> None:
    table = read(tmp_path, '\ufeffa,"b, c"\n\n1,"two\nlines"\n2,"say ""x"""\n\n3,z\n')
    assert list(table.frame.columns) == ["a", "b, c"]
    assert table.frame["b, c"].tolist() == ["two\nlines", 'say "x"', "z"]
    assert list(table.lines) == [3, 5, 7]
    assert table.place(1, "a").endswith("t.csv, line 5, column 'a'")


def test_a_text_among_numbers_is_refused(tmp_path: Path) -> None:
    table = read(tmp_path, "age,s\n1,a\n\n2,a\nforty,b\n3,b\n")
    assert not table.is_numeric("s")
    with pytest.raises(ValueError, match=r"line 5, column 'age': 'forty' is not a number, but most .* `categorical`"):
        table.is_numeric("age")
    with pytest.raises(ValueError, match="line 5, column 'age': the field must be a finite number, but is 'forty'"):
        table.numbers("age")


def test_an_infinite_number_is_refused(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,2\n-inf,2\n")
    with pytest.raises(ValueError, match="line 3, column 'a': the field must be a finite number, but is '-inf'"):
        table.numbers("a")


def test_a_missing_field_is_refused_where_all_are_needed(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,x\nNaN,\n", text=("b",))
    with pytest.raises(ValueError, match="line 3, column 'a': the field must be a finite number, but is missing"):
        table.numbers("a", needed=True)
    with pytest.raises(ValueError, match="line 3, column 'b': the field must name a class, but is missing"):
        table.classes("b")


def test_a_column_of_names_is_refused(tmp_path: Path) -> None:
    table = read(tmp_path, "name,n\n" + "".join(f"n{min(row, 3)},1\n" for row in range(7)) + ",1\n")
    with pytest.raises(ValueError, match=r"'name' must hold numbers, or .* 7 fields are 4 different texts \('n0', …\)"):
        table.is_numeric("name")
    assert not read(tmp_path, "name,n\n" + "".join(f"n{min(row, 3)},1\n" for row in range(8))).is_numeric("name")


def test_an_empty_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column 'b' holds no value; leave it out by `drop`"):
        read(tmp_path, "a,b\n1,\n2,\n").is_numeric("b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "has a header, but no row"),
        ("a,b\n1,2\n3\n", "line 3: a row must have 2 fields as the header has, but has 1"),
        ('a,b\n1,"x\ny"\n1,2,3\n', "line 4: a row must have 2 fields as the header has, but has 3"),
        ("a,b\n1,2,\n", "line 2: a row must have 2 fields"),
        ("a,b,a\n1,2,3\n", "every column needs its own name, but 'a' is there twice"),
        ('a,b\n1,2\n3,"x\n', "line 3: unexpected end of data"),
        ("a,c\n1,2\n", "has no column 'b', but 'a', 'c'"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"t\.csv") as refused:
        read(tmp_path, content, wanted=("b",))
    assert message in str(refused.value)
