"""TSV files: quotes mean nothing, faults are named by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytune_nn.data.tsv import read_tsv


def test_wanted_columns_are_read_and_quotes_stay(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b'label\ttext\tid\r\nham\t"so" he said\t1\r\n\r\nspam\t win\xc2\x85now \t2\r\n')
    table = read_tsv(path, ["text", "label"])
    assert table.columns == {"text": ['"so" he said', "win\x85now"], "label": ["ham", "spam"]}
    assert table.place(1) == f"{path}, line 4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label\ttext\n", "has a header, but no row"),
        ("label\ttxt\nham\tx\n", "has no column 'text', but 'label', 'txt'; did you mean 'txt'?"),
        ("label\ttext\nham\tx\nspam\n", "line 3: a row must have 2 fields as the header has, but has 1"),
        ("label\ttext\nham\tx\ty\n", "line 2: a row must have 2 fields as the header has, but has 3"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"t\.tsv") as refused:
        read_tsv(path, ["text", "label"])
    assert message in str(refused.value)
