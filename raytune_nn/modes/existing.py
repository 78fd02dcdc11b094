"""The modes that work on a study that exists read its own configuration, not the composed one."""

from __future__ import annotations

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError
from raytune_nn.report.study import Study, read_study
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.locate import locate_study
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.resume import stored_config
from raytune_nn.study.session import read_record


def open_existing(composed: Composed) -> tuple[StudyFolder, StudyRecord]:
    """The folder and the record of the study that ``study.name`` names.

    Raises:
        ConfigError: No name is given, or there is no such study.
        UnusableError: Its journal is damaged, or the storage cannot be read.
    """
    study = read_existing(find_existing(composed))
    return study.folder, study.record


def find_existing(composed: Composed) -> StudyFolder:
    """The folder of the study that ``study.name`` names; nothing is read yet.

    Raises:
        ConfigError: No name is given.
    """
    study = composed.settings.study
    if study.name is None:
        raise ConfigError(
            f"mode={composed.settings.mode.value} needs the name of a study",
            "study.name=null",
            "study.name=first",
        )
    return locate_study(study.storage, study.name)


def read_existing(folder: StudyFolder) -> Study:
    """The study in a folder as it is now; it may be of an older configuration.

    Raises:
        ConfigError: There is no study, or none that this version can read.
        UnusableError: Its journal is damaged, or the storage cannot be read.
    """
    folder.fetch()
    return read_study(folder, stored_config(folder))


def read_again(folder: StudyFolder, record: StudyRecord) -> StudyRecord:
    """The record as the journal is now."""
    folder.fetch()
    return read_record(folder, record.objective)


def find_trial(record: StudyRecord, id: str) -> TrialRecord:
    """The trial that ``study.trial`` names.

    Raises:
        ConfigError: There is none.
    """
    trial = record.trials.get(id)
    if trial is None:
        raise _no_trial(record, id)
    return trial


def best_trial(record: StudyRecord) -> TrialRecord:
    """The best trial.

    Raises:
        ConfigError: There is none.
    """
    if record.best is None:
        raise _no_trial(record, "null, the best")
    return record.best


def _no_trial(record: StudyRecord, found: str) -> ConfigError:
    last = len(record.trials) - 1
    known = f"trials 0 to {last}" if last > 0 else "trial 0 alone" if last == 0 else "no trial"
    return ConfigError("study.trial must be a trial of the study", f"{found}; it has {known}", "study.trial=0")
