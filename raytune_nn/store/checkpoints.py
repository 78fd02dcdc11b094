"""What stays under ``checkpoints/``: the models of the Pareto front (of one metric, the best trial's) and of trials
that may come onto it, and training states.

A training state is what a trial goes on from (``checkpoints/<trial>/resume-<number>.ckpt``). Its number is counted in
the journal, and a new one is written beside the one before: a driver that dies before the journal has the report of a
state goes on from the state that it knows. Once the report is in the journal, the one before goes. The last one stays
until the study ends, also where its trial has ended: another trial may be told to go on from it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from raytune_nn.store.folder import usable
from raytune_nn.store.record import StudyRecord, TrialRecord

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

    def keep_last(self, trial: TrialRecord) -> None:
        """Removes the states of a trial that its last one replaced, or that the journal knows nothing of."""
        last = state_path(self._folder, trial.id, trial.saves)
        for path in last.parent.glob(STATES):
            if path != last:
                path.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """The study has ended."""
        for path in self._folder.glob(f"*/{STATES}"):
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # a state is never written to again
    except OSError:  # some shares know no links
        shutil.copyfile(source, target)


class Retention:
    """Removes a model as soon as its trial ended and is not, or no longer, on the front; and states that were replaced.

    Args:
        folder: The study's ``checkpoints`` folder.
        record: As it stands when the study is opened, with no trial running: what a killed driver left is removed.
    """

    def __init__(self, folder: Path, record: StudyRecord) -> None:
        self._folder, self._states = folder, States(folder)
        self._kept = record.front
        kept = {trial.id for trial in self._kept}
        models = {trial.checkpoint for trial in record.trials.values() if not trial.ended or trial.id in kept}
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name in record.trials:
                self._states.keep_last(record.trials[path.name])
            if path.name not in models:
                self._remove_model(path.name)

    def trial_ended(self, trial: TrialRecord, record: StudyRecord) -> None:
        """To be called after each end of a trial."""
        front = record.front
        kept = {other.id for other in front}
        for candidate in (trial, *self._kept):
            if candidate.id not in kept and candidate.checkpoint is not None:
                self._remove_model(candidate.checkpoint)
                candidate.checkpoint = None
        self._kept = front

    def state_saved(self, trial: TrialRecord) -> None:
        """To be called once the report of a state is in the journal."""
        self._states.keep_last(trial)

    def study_ended(self) -> None:
        """To be called when no trial will go on."""
        self._states.remove_all()

    def _remove_model(self, name: str) -> None:
        """All of a trial's folder but its states."""
        folder = self._folder / name
        if not any(folder.glob(STATES)):
            shutil.rmtree(folder, ignore_errors=True)
            return
        for path in folder.iterdir():
            if not path.match(STATES):
                path.unlink(missing_ok=True)
