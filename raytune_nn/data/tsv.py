"""Reading TSV files: a header, then rows whose fields are parted by tabs; quotes mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raytune_nn.data.delimited import check_fields, check_header, read_utf8


@dataclass(frozen=True)
class TsvTable:
    """Some columns of a TSV file.

    Attributes:
        path: The file.
        columns: Fields of each column, without the blanks around them.
        lines: Line of the file where each row stands.
    """

    path: str | Path
    columns: dict[str, list[str]]
    lines: list[int]

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.path}, line {self.lines[row]}"


def read_tsv(path: str | Path, wanted: Sequence[str]) -> TsvTable:
    """Reads the wanted columns of a TSV file; lines without any character are left out.

    Raises:
        ValueError: The file cannot be read, has no row, lacks a column, has two of one name, or a row has more or
            fewer fields than the header.
    """
    # Not by splitlines(): it also cuts at marks that may stand inside a text.
    rows = [line.rstrip("\r").split("\t") for line in read_utf8(path).split("\n")]
    header = [name.strip() for name in rows[0]]
    check_header(path, header, wanted)
    lines = [number for number, fields in enumerate(rows[1:], start=2) if fields != [""]]
    if not lines:
        raise ValueError(f"{path} has a header, but no row")
    for line in lines:
        check_fields(path, line, len(rows[line - 1]), header)
    places = {name: header.index(name) for name in wanted}
    return TsvTable(path, {name: [rows[line - 1][at].strip() for line in lines] for name, at in places.items()}, lines)
