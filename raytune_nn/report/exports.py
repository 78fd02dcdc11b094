"""Writes the tables of a study for other programs: Parquet beside ``trials.csv``, and the reports as CSV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO, Any

from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord


def write_parquet(folder: StudyFolder, record: StudyRecord, events: Iterable[Event]) -> list[Path]:
    """Writes ``trials.parquet`` and ``results.parquet``, each whole or not at all, and returns where they are.

    Raises:
        UnusableError: The folder cannot be written.
    """
    from pyarrow.parquet import write_table

    from raytune_nn.report.typed_tables import typed_reports, typed_trials

    tables = {"trials.parquet": typed_trials(record), "results.parquet": typed_reports(events)}
    return _write(folder, {name: partial(write_table, table) for name, table in tables.items()})


def write_csv(folder: StudyFolder, record: StudyRecord, events: Iterable[Event]) -> list[Path]:
    """The same as ``trials.csv`` and ``results.csv``."""
    from pyarrow.csv import write_csv as write_table

    from raytune_nn.report.typed_tables import typed_reports
    from raytune_nn.store.trial_table import trials_csv

    text, reports = trials_csv(record).encode(), typed_reports(events)
    return _write(
        folder, {"trials.csv": lambda file: file.write(text), "results.csv": lambda file: write_table(reports, file)}
    )


def leave_exports(folder: StudyFolder, record: StudyRecord, events: Iterable[Event]) -> None:
    """Writes the Parquet files; whatever goes wrong is said in one line, and changes nothing else."""
    try:
        write_parquet(folder, record, events)
    except Exception as error:
        reason = " ".join(str(error).split())
        print(f"raytune_nn: the tables in Parquet were not written: {reason}", file=sys.stderr)


def _write(folder: StudyFolder, writes: dict[str, Callable[[IO[bytes]], Any]]) -> list[Path]:
    paths = []
    for name, write in writes.items():
        path = folder.path / name
        with usable(folder.shown(path)):
            folder.files.write(path, write)
        paths.append(path)
    return paths
