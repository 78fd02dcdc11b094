"""Which checkpoints stay on the disk: that of the best trial, and those of trials that still run."""

from __future__ import annotations

import shutil
from pathlib import Path

from raytune_nn.store.record import StudyRecord, TrialRecord


class Retention:
    """Removes a checkpoint as soon as its trial ended and is not, or no longer, the best.

    Args:
        folder: The study's ``checkpoints`` folder.
        record: As it stands when the study is opened, with no trial running: what a killed driver left is removed.
    """

    def __init__(self, folder: Path, record: StudyRecord) -> None:
        self._folder = folder
        self._kept = record.best
        wanted = {trial.checkpoint for trial in record.trials.values() if not trial.ended or trial is record.best}
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in wanted:
                shutil.rmtree(path, ignore_errors=True)

    def trial_ended(self, trial: TrialRecord, record: StudyRecord) -> None:
        """To be called after each end of a trial."""
        best = record.best
        for candidate in (trial, self._kept):
            if candidate is not None and candidate is not best:
                self._remove(candidate)
        self._kept = best

    def _remove(self, trial: TrialRecord) -> None:
        if trial.checkpoint is not None:
            shutil.rmtree(self._folder / trial.checkpoint, ignore_errors=True)
            trial.checkpoint = None
