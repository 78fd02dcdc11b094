"""The modes that work on a study that exists read its own configuration, not the composed one."""

from __future__ import annotations

from raytune_nn.config.compose import Composed, type_config
from raytune_nn.config.objective import read_objective
from raytune_nn.errors import ConfigError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.locate import locate_study
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import stored_config
from raytune_nn.study.session import read_record


def open_existing(composed: Composed) -> tuple[StudyFolder, StudyRecord]:
    """The folder and the record of the study that ``study.name`` names.

    Raises:
        ConfigError: No name is given, or there is no such study.
    """
    folder = find_existing(composed)
    settings = type_config(stored_config(folder)).settings
    return folder, read_record(folder, read_objective(settings.objective))


def find_existing(composed: Composed) -> StudyFolder:
    """The folder of the study that ``study.name`` names, as it is now.

    Raises:
        ConfigError: No name is given.
        UnusableError: The storage cannot be read.
    """
    study = composed.settings.study
    if study.name is None:
        raise ConfigError(
            f"mode={composed.settings.mode.value} needs the name of a study",
            "study.name=null",
            "study.name=first",
        )
    folder = locate_study(study.storage, study.name)
    folder.fetch()
    return folder
