"""Reading text files with a header: one encoding, one way to name a fault's line."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Sequence
from pathlib import Path


def read_utf8(path: str | Path) -> str:
    """The text of a file; a byte order mark at its start is left out.

    Raises:
        ValueError: It cannot be read, is empty, or is not UTF-8; the message names the line of the first bad byte.
    """
    try:
        content = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if not content.strip():
        raise ValueError(f"{path} is empty")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8") from error


def check_header(path: str | Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a file's columns have different names and that those wanted are among them.

    Raises:
        ValueError: They are not; the message gives the nearest name that there is.
    """
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: every column needs its own name, but {', '.join(map(repr, twice))} is there twice")
    for name in wanted:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{path} has no column {name!r}, but {', '.join(map(repr, header))}{hint}")


def check_fields(path: str | Path, line: int, found: int, header: Sequence[str]) -> None:
    """Check that a row has a field for every column.

    Raises:
        ValueError: It has more or fewer.
    """
    if found != len(header):
        raise ValueError(
            f"{path}, line {line}: a row must have {len(header)} fields as the header has, but has {found}"
        )
