"""What stays under ``checkpoints/``: the models of the best trials (of several metrics, the Pareto front's) and of
trials that may come to be among them, and training states.

A training state is what a trial goes on from (``checkpoints/<trial>/resume-<number>.ckpt``). Its number is counted in
the journal, and a new one is written beside the one before: a driver that dies before the journal has the report of a
state goes on from the state that it knows. Once the report is in the journal, the ones before go; those after it are
of a trial that has not waited. The last one stays until its trial ends, or until the study does where another trial
may be told to go on from it.
"""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

from raytune_nn.config.schema import CheckpointsConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.folder import usable
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

STATES = "resume-*.ckpt"


def state_path(checkpoints: Path, trial: str, number: int) -> Path:
    """Where a trial's state of this number is, from 1."""
    return checkpoints / trial / STATES.replace("*", str(number))


class States:
    """The training states of a study's trials.

    Args:
        folder: The study's ``checkpoints`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, trial: TrialRecord) -> bool:
        """Whether the last state of a trial is there: somebody may have made room."""
        return trial.saves > 0 and state_path(self._folder, trial.id, trial.saves).is_file()

    def hand_over(self, source: TrialRecord, trial: TrialRecord) -> None:
        """Makes the last state of one trial the next one of another; the first may go on at once.

        Raises:
            UnusableError: The system refuses.
        """
        path = state_path(self._folder, trial.id, trial.saves + 1)
        path.unlink(missing_ok=True)
        if self.has(source):
            with usable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                _link(state_path(self._folder, source.id, source.saves), path)

    def replaced(self, trial: TrialRecord) -> None:
        """Removes the states of a trial that its last one replaced; there may be later ones that it has not told of."""
        for number in range(trial.saves - 1, 0, -1):
            path = state_path(self._folder, trial.id, number)
            if not path.exists():  # nor are those before
                return
            path.unlink()

    def keep_last(self, trial: TrialRecord) -> None:
        """Removes all states of a trial that is not running but its last one."""
        self._remove(trial.id, but=state_path(self._folder, trial.id, trial.saves))

    def remove(self, trial: TrialRecord) -> None:
        """The trial has ended."""
        self._remove(trial.id)

    def remove_all(self) -> None:
        """The study has ended."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            self._remove(folder.name)

    def _remove(self, trial: str, but: Path | None = None) -> None:
        folder = self._folder / trial
        for path in [*folder.glob(STATES), *folder.glob(f".{STATES}")]:  # also what a killed process had half written
            if path != but:
                path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # a state is never written to again
    except OSError:  # some shares know no links
        shutil.copyfile(source, target)


class Retention:
    """Removes a model as soon as its trial ended and is not, or no longer, among those that stay; and states that
    nobody goes on from.

    Args:
        folder: The study's ``checkpoints`` folder.
        record: As it stands when the study is opened, with no trial running: what a killed driver left is removed.
        copies: Whether a trial may go on from another one's state.
        keep_states: Whether the last state of each trial stays for good.
    """

    def __init__(self, folder: Path, record: StudyRecord, copies: bool = False, keep_states: bool = False) -> None:
        self._folder, self._states = folder, States(folder)
        self._copies, self._keep_states = copies, keep_states
        self._kept = record.kept.trials
        kept = {trial.id for trial in self._kept}
        models = {trial.checkpoint for trial in record.trials.values() if not trial.ended or trial.id in kept}
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in models:
                self._remove_model(path.name)
            if path.name in record.trials:
                self._tidy_states(record.trials[path.name])

    def trial_ended(self, trial: TrialRecord, record: StudyRecord) -> None:
        """To be called after each end of a trial."""
        best = record.kept.trials
        kept = {other.id for other in best}
        for candidate in (trial, *self._kept):
            if candidate.id not in kept and candidate.checkpoint is not None:
                self._remove_model(candidate.checkpoint)
                candidate.checkpoint = None
        self._kept = best
        self._tidy_states(trial)

    def state_saved(self, trial: TrialRecord) -> None:
        """To be called once the report of a state is in the journal."""
        self._states.replaced(trial)

    def study_ended(self) -> None:
        """To be called when no trial will go on."""
        if not self._keep_states:
            self._states.remove_all()

    def _tidy_states(self, trial: TrialRecord) -> None:
        """Of a trial that is not running."""
        if trial.ended and not self._copies and not self._keep_states:
            self._states.remove(trial)
        else:
            self._states.keep_last(trial)

    def _remove_model(self, name: str) -> None:
        """All of a trial's folder but its states."""
        folder = self._folder / name
        if not any(folder.glob(STATES)):
            shutil.rmtree(folder, ignore_errors=True)
            return
        for path in folder.iterdir():
            if not path.match(STATES):
                path.unlink(missing_ok=True)


def check_checkpoints(config: CheckpointsConfig) -> None:
    """Checks ``checkpoints``.

    Raises:
        ConfigError: The first rule that is broken.
    """
    minutes = config.every_minutes
    if minutes is not None and not 0 < minutes < math.inf:
        rule = "checkpoints.every_minutes must be positive, or null for no safety copies"
        raise ConfigError(rule, minutes, "checkpoints.every_minutes=10")
    if config.keep_best < 1:
        rule = "checkpoints.keep_best must be at least 1: the winner's model always stays"
        raise ConfigError(rule, config.keep_best, "checkpoints.keep_best=1")
