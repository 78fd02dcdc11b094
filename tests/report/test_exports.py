"""The tables that a study leaves for other programs, in a folder and on an object store."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyarrow.parquet import read_table
from study_folders import make_study

from raytune_nn.report import exports
from raytune_nn.report.exports import leave_exports, write_csv
from raytune_nn.store.journal import read_journal


def test_both_tables_are_there_and_no_draft(tmp_path: Path) -> None:
    folder, record = make_study(tmp_path / "s")
    leave_exports(folder, record, read_journal(folder.journal))
    assert read_table(folder.path / "trials.parquet")["value"].to_pylist() == [0.75, 0.5, None]
    results = read_table(folder.path / "results.parquet")
    assert results["metrics.val_acc"].to_pylist()[:2] == [0.5, 0.75]
    assert sorted(path.name for path in folder.path.glob(".*")) == []


def test_the_same_as_texts(tmp_path: Path) -> None:
    folder, record = make_study(tmp_path / "s")
    paths = write_csv(folder, record, read_journal(folder.journal))
    assert [path.name for path in paths] == ["trials.csv", "results.csv"]
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["epoch"], row["metrics.val_acc"]) for row in rows][:2] == [
        ("0", "1", "0.5"),
        ("0", "2", "0.75"),
    ]


def test_what_goes_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, record = make_study(tmp_path / "s")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left\non device")

    monkeypatch.setattr(exports, "write_parquet", fails)
    leave_exports(folder, record, [])
    assert capsys.readouterr().err == (
        "raytune_nn: the tables in Parquet were not written: [Errno 28] No space left on device\n"
    )
