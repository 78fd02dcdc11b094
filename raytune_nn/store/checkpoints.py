"""What stays under ``checkpoints/``: the models of the best trials (of several metrics, the Pareto front's) and of
trials that may come to be among them, and training states.

A training state is what a trial goes on from (``checkpoints/<trial>/resume-<number>.ckpt``). Its number is counted in
the journal, and a new one is written beside the ones before: a driver that dies before the journal has the report of a
state goes on from the state that it knows. Once the report is in the journal, that state and the one before stay, in
case it is damaged, and earlier ones go; those after it are of a trial that has not waited. With the trial's end both
go, but the last one stays until the study ends where another trial may be told to go on from it.

With ``checkpoints.keep_states=rungs`` a state that was saved where the scheduler decides gets a second name,
``rung-<what the trial had reached>.ckpt``, under which nothing is ever removed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from raytune_nn.config.schema import CheckpointsConfig, KeepStates
from raytune_nn.errors import ConfigError
from raytune_nn.store.files import IN_FOLDER, Files
from raytune_nn.store.folder import usable
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.retry import Retry
from raytune_nn.store.seal import damage
from raytune_nn.store.trial import TrialRecord

MODEL = "model.ckpt"
_RESUME, _RUNG = "resume-*.ckpt", "rung-*.ckpt"
STATES = (_RESUME, _RUNG)


def state_path(checkpoints: Path, trial: str, number: int) -> Path:
    """Where a trial's state of this number is, from 1."""
    return checkpoints / trial / _RESUME.replace("*", str(number))


def rung_path(checkpoints: Path, trial: str, reached: int) -> Path:
    """Where a trial's state of a rung stays for good."""
    return checkpoints / trial / _RUNG.replace("*", str(reached))


class States:
    """The training states of a study's trials.

    Args:
        folder: The study's ``checkpoints`` folder.
        retry: Waits for the storage: what is not there for a while is not lost.
        files: Of the study.
    """

    def __init__(self, folder: Path, retry: Retry | None = None, files: Files = IN_FOLDER) -> None:
        self._folder, self._retry, self._files = folder, retry or Retry(), files

    def has(self, trial: TrialRecord) -> bool:
        """Whether the last state of a trial is there: somebody may have made room."""
        path = state_path(self._folder, trial.id, trial.saves)
        return trial.saves > 0 and self._retry.run(partial(self._files.has, path), path)

    def hand_over(self, source: TrialRecord, trial: TrialRecord) -> None:
        """Makes the last state of one trial the next one of another; the first may go on at once.

        Raises:
            UnusableError: The system refuses.
        """
        self._retry.run(partial(self._hand_over, source, trial))

    def _hand_over(self, source: TrialRecord, trial: TrialRecord) -> None:
        path = state_path(self._folder, trial.id, trial.saves + 1)
        with usable(path):
            self._files.remove(path)
            if self.has(source):
                self._files.copy(state_path(self._folder, source.id, source.saves), path)

    def replaced(self, trial: TrialRecord) -> None:
        """Removes a trial's states but the last two; there may be later ones that it has not told of."""
        for number in range(trial.saves - 2, 0, -1):
            path = state_path(self._folder, trial.id, number)
            if not self._files.has(path):  # nor are those before
                return
            self._files.remove(path)

    def damaged_model(self, trial: TrialRecord | None) -> dict[str, str]:
        """What the journal is to say of a trial's model that is damaged: its file, and what is wrong with it.

        Where somebody removed the whole folder to make room, there is nothing to say; nor is a second time.

        Raises:
            UnusableError: The system refuses.
        """
        if trial is None or trial.checkpoint is None or trial.model_damage:
            return {}
        path = self._folder / trial.checkpoint / MODEL
        with usable(path):
            self._retry.run(partial(self._files.fetch_folder, path.parent, STATES), path)
            why = self._retry.run(lambda: damage(path) if path.parent.is_dir() else "", path)
        file = str(path.relative_to(self._folder.parent))
        return {"trial": trial.id, "file": file, "why": why} if why else {}

    def keep_rung(self, trial: TrialRecord) -> None:
        """Keeps a trial's last state for good, if it is of a rung.

        Raises:
            UnusableError: The system refuses.
        """
        if trial.saved is None or trial.saved.rung is None or not self.has(trial):
            return
        path = rung_path(self._folder, trial.id, trial.saved.rung)
        with usable(path):
            self._files.copy(state_path(self._folder, trial.id, trial.saves), path)

    def keep_known(self, trial: TrialRecord) -> None:
        """Removes the states of a trial that is not running but its last one, and unless it ended the one before."""
        numbers = [trial.saves, trial.saves - 1] if trial.before is not None and not trial.ended else [trial.saves]
        self._remove(trial.id, but=[state_path(self._folder, trial.id, number) for number in numbers])

    def remove(self, trial: TrialRecord) -> None:
        """The trial has ended."""
        self._remove(trial.id)

    def remove_all(self) -> None:
        """The study has ended."""
        for name in self._files.names(self._folder):
            self._remove(name)

    def _remove(self, trial: str, but: Sequence[Path] = ()) -> None:
        folder = self._folder / trial
        patterns = (_RESUME, f".{_RESUME}", f".{_RUNG}")  # also what a killed process had half written
        found = [folder / name for name in self._files.names(folder) if _is_any(name, patterns)]
        for path in found:
            if path not in but:
                self._files.remove(path)
        self._files.prune(folder)


def _is_any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


class Retention:
    """Removes a model as soon as its trial ended and is not, or no longer, among those that stay; and states that
    nobody goes on from.

    Args:
        folder: The study's ``checkpoints`` folder.
        record: As it stands when the study is opened, with no trial running: what a killed driver left is removed.
        copies: Whether a trial may go on from another one's state.
        keep_states: Which states stay for good.
        files: Of the study.
    """

    def __init__(
        self,
        folder: Path,
        record: StudyRecord,
        copies: bool = False,
        keep_states: KeepStates = KeepStates.none,
        files: Files = IN_FOLDER,
    ) -> None:
        self._folder, self._files, self._states = folder, files, States(folder, files=files)
        self._copies, self._keep_states = copies, keep_states
        self._kept = record.kept.trials
        kept = {trial.id for trial in self._kept}
        models = {trial.checkpoint for trial in record.trials.values() if not trial.ended or trial.id in kept}
        for name in files.names(folder):
            if name not in models:
                self._remove_model(name)
            if name in record.trials:
                self._keep_rung(record.trials[name])  # the driver died before it could
                self._tidy_states(record.trials[name])

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
        """To be called once the journal knows of a state, saved by the trial or handed over."""
        self._keep_rung(trial)
        self._states.replaced(trial)

    def state_given_up(self, trial: TrialRecord) -> None:
        """To be called once a trial fell back to an earlier state: those after it are of no use."""
        self._states.keep_known(trial)

    def study_ended(self) -> None:
        """To be called when no trial will go on."""
        if self._keep_states is not KeepStates.last:
            self._states.remove_all()

    def _keep_rung(self, trial: TrialRecord) -> None:
        if self._keep_states is KeepStates.rungs:
            self._states.keep_rung(trial)

    def _tidy_states(self, trial: TrialRecord) -> None:
        """Of a trial that is not running."""
        if trial.ended and not self._copies and self._keep_states is not KeepStates.last:
            self._states.remove(trial)
        else:
            self._states.keep_known(trial)

    def _remove_model(self, name: str) -> None:
        """All of a trial's folder but its states."""
        folder = self._folder / name
        found = self._files.names(folder)
        others = [file for file in found if not _is_any(file, STATES)]
        if len(others) == len(found):
            self._files.remove_folder(folder)
            return
        for file in others:
            self._files.remove(folder / file)


def check_checkpoints(config: CheckpointsConfig, pauses: bool) -> None:
    """Checks ``checkpoints``.

    Args:
        pauses: Whether the scheduler pauses trials.

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
    if config.keep_states is KeepStates.rungs and not pauses:
        rule = (
            "checkpoints.keep_states=rungs keeps the states with which trials pause, and wants a scheduler that pauses"
        )
        raise ConfigError(rule, "none that does", "checkpoints.keep_states=last")
