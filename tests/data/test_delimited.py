"""Text files with a header: what cannot be read is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytune_nn.data.delimited import check_fields, check_header, read_utf8


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.tsv"
    path.write_bytes(content)
    return path


def test_utf8_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_utf8(written(tmp_path, "é\n".encode())) == "é\n"
    assert read_utf8(written(tmp_path, "é\n".encode("utf-8-sig"))) == "é\n"


def test_the_line_of_a_bad_byte_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file\.tsv, line 3: byte 0xe9 is not UTF-8"):
        read_utf8(written(tmp_path, b"a\nb\ncaf\xe9\n"))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"file\.tsv is empty"):
        read_utf8(written(tmp_path, content))


def test_a_file_that_is_absent_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.csv cannot be read: No such file"):
        read_utf8(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_utf8(tmp_path)


def test_a_missing_column_is_answered_with_the_nearest_name() -> None:
    check_header("f.csv", ["age", "income"], ["income"])
    with pytest.raises(ValueError, match=r"f\.csv has no column 'incme', but 'age', 'income'; did you mean 'income'\?"):
        check_header("f.csv", ["age", "income"], ["incme"])
    with pytest.raises(ValueError, match=r"has no column 'zzz', but 'age', 'income'$"):
        check_header("f.csv", ["age", "income"], ["zzz"])


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="its own name, but 'age' is there twice"):
        check_header("f.csv", ["age", "income", "age"], [])


def test_a_ragged_row_is_refused() -> None:
    check_fields("f.csv", 7, 2, ["a", "b"])
    with pytest.raises(ValueError, match=r"f\.csv, line 7: a row must have 2 fields as the header has, but has 3"):
        check_fields("f.csv", 7, 3, ["a", "b"])
