"""Reading CSV files: a header, then rows of numbers and categories, with fields left out here and there."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from raytune_nn.data.delimited import check_fields, check_header, read_utf8

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")  # fields that say nothing


@dataclass(frozen=True)
class CsvTable:
    """The columns of a CSV file.

    Attributes:
        path: The file.
        frame: Its fields; those in `MISSING` are NaN.
        lines: Line of the file at which each row begins.
    """

    path: str | Path
    frame: pd.DataFrame
    lines: Sequence[int]

    def place(self, row: int, column: str) -> str:
        """Where a field stands, for messages."""
        return f"{self.path}, line {self.lines[row]}, column {column!r}"

    def is_numeric(self, column: str) -> bool:
        """Whether every field of a column is a number or missing; true and false are 1 and 0.

        Raises:
            ValueError: No field says anything, most are numbers and some are not, or they are texts of which less
                than every second one comes again, such as names.
        """
        present = self.frame[column].notna().to_numpy()
        if not present.any():
            raise ValueError(f"{self.path}: column {column!r} holds no value; leave it out by `drop`")
        text = present & np.isnan(self._as_numbers(column))
        if text.any() and text.sum() * 2 < present.sum():
            row = int(text.argmax())
            raise ValueError(
                f"{self.place(row, column)}: {self.frame[column].iloc[row]!r} is not a number, but most of the "
                "column are; mend the file, or name the column in `categorical`"
            )
        different = self.frame[column].nunique()
        if text.any() and different * 2 > present.sum():
            raise ValueError(
                f"{self.path}: column {column!r} must hold numbers, or two rows a category on average, but "
                f"{present.sum()} fields are {different} different texts ({self.frame[column].dropna().iloc[0]!r}, …); "
                "leave it out by `drop`, or name it in `categorical`"
            )
        return not text.any()

    def numbers(self, column: str, needed: bool = False) -> npt.NDArray[np.float64]:
        """A column of numbers, shape (rows,); missing ones are NaN.

        Raises:
            ValueError: A field is text or infinite, or missing although all are ``needed``.
        """
        values = self._as_numbers(column)
        wrong = (np.isnan(values) & (needed | self.frame[column].notna().to_numpy())) | np.isinf(values)
        if wrong.any():
            row = int(wrong.argmax())
            found = "missing" if self.frame[column].isna().iloc[row] else repr(str(self.frame[column].iloc[row]))
            raise ValueError(f"{self.place(row, column)}: the field must be a finite number, but is {found}")
        return values

    def classes(self, column: str) -> list[str]:
        """A column of the names of classes, read as text.

        Raises:
            ValueError: One is missing.
        """
        missing = self.frame[column].isna().to_numpy()
        if missing.any():
            raise ValueError(
                f"{self.place(int(missing.argmax()), column)}: the field must name a class, but is missing"
            )
        return list(self.frame[column].str.strip())

    def _as_numbers(self, column: str) -> npt.NDArray[np.float64]:
        import pandas as pd

        values = pd.to_numeric(self.frame[column], errors="coerce")
        return cast("npt.NDArray[np.float64]", values.to_numpy(np.float64, na_value=np.nan))


def read_csv(path: str | Path, wanted: Sequence[str], text: Sequence[str] = ()) -> CsvTable:
    """Reads a CSV file, fields in double quotes where they need it.

    Args:
        path: The file, UTF-8.
        wanted: Columns that it must have.
        text: Columns to keep as they are written, although they may look like numbers.

    Raises:
        ValueError: The file cannot be read, has no row, lacks a column, has two of one name, or a row has more or
            fewer fields than the header.
    """
    import pandas as pd

    content = read_utf8(path)
    header, lines = _structure(path, content)
    check_header(path, header, wanted)
    if not lines:
        raise ValueError(f"{path} has a header, but no row")
    frame = pd.read_csv(
        io.StringIO(content),
        names=header,
        header=0,
        index_col=False,
        dtype=dict.fromkeys(set(text) & set(header), str),
        na_values=list(MISSING),
        keep_default_na=False,
        skipinitialspace=True,
        low_memory=False,  # else the type of a column may change from one piece of the file to the next
    )
    return CsvTable(path, frame, lines)


def _structure(path: str | Path, content: str) -> tuple[list[str], Sequence[int]]:
    """The header, and the line where each row begins.

    pandas fills up a short row in silence and counts rows instead of lines, so that a fault could not be found.
    """
    reader = csv.reader(io.StringIO(content, newline=""), skipinitialspace=True, strict=True)
    header: list[str] = []
    lines, begin = array("q"), 1
    try:
        for fields in reader:
            if fields and not header:
                header = [name.strip() for name in fields]
            elif fields:
                check_fields(path, begin, len(fields), header)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {begin}: {error}") from error
    return header, lines
