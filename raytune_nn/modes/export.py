"""Writes a study for other programs: a database of Optuna, or tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from raytune_nn.config.compose import Composed
from raytune_nn.config.schema import ExportConfig, ExportTo
from raytune_nn.errors import ConfigError
from raytune_nn.modes.existing import open_existing
from raytune_nn.report.exports import write_csv, write_parquet
from raytune_nn.report.tables import counted
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DATABASE = "optuna.db"  # in the study's folder


def export(composed: Composed) -> None:
    """Writes the study named by ``study.name`` as ``export.to`` says; the study itself stays as it is.

    Raises:
        ConfigError: There is no such study, it has no trial, or ``export`` does not fit.
        UnusableError: The folder or the database cannot be written.
    """
    wanted = composed.settings.export
    if wanted.url is not None and wanted.to is not ExportTo.optuna:
        rule = "export.url is the place of a database; tables are written into the study's folder"
        raise ConfigError(rule, f"export.to={wanted.to.value}", "export.url=null, or export.to=optuna")
    folder, record = open_existing(composed)
    if not record.trials:
        raise ConfigError("a study must have a trial to be exported", f"{folder.place} has none", "another study.name")
    if wanted.to is ExportTo.optuna:
        print(_to_optuna(folder, record, wanted))
    else:
        write = write_csv if wanted.to is ExportTo.csv else write_parquet
        print(_written(folder, write(folder, record, read_journal(folder.journal))))


def _written(folder: StudyFolder, paths: Sequence[Path]) -> str:
    return "\n".join(folder.shown(path) for path in paths)


def _to_optuna(folder: StudyFolder, record: StudyRecord, wanted: ExportConfig) -> str:
    from raytune_nn.report.optuna_export import export_to_optuna, shown
    from raytune_nn.report.optuna_trials import optuna_trials

    database = _database(folder, wanted)
    trials = optuna_trials(record, read_journal(folder.journal), _space(folder))
    export_to_optuna(database, folder.name, record, trials)
    if wanted.url is None:
        folder.publish(folder.path / DATABASE)
    there = shown(database)
    if wanted.url is None and folder.url:
        there = f"sqlite:///{DATABASE}, once {folder.shown(folder.path / DATABASE)} is copied here"
    name = f"{counted(len(trials), 'trial')} in the Optuna study {folder.name}"
    return f"{name}\n\n{'dashboard':<12}optuna-dashboard {there}"


def _database(folder: StudyFolder, wanted: ExportConfig) -> URL:
    from sqlalchemy.engine import URL

    from raytune_nn.report.optuna_export import read_database

    if wanted.url is not None:
        return read_database(wanted.url)
    path = folder.path / DATABASE
    with usable(folder.shown(path)):
        folder.files.fetch(path)
    return URL.create("sqlite", database=str(path))


def _space(folder: StudyFolder) -> Space:
    try:
        return parse_space(yaml.safe_load(folder.space.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        rule = "a study must have its space.yaml, which says what Optuna's distributions are"
        raise ConfigError(rule, f"{folder.shown(folder.space)}: {error}", "export.to=parquet") from error
