"""Trains a trial once more, part by part, as its study did: each begins with the state that the one before left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.recorded import Recorded
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import Report, StudyContext, TrialTask


class Repetition:
    """One trial's.

    Args:
        study: Its folder takes models and states, and is empty.
    """

    def __init__(self, study: StudyContext, recorded: Recorded, isolation: Isolation) -> None:
        self._study, self._recorded, self._isolation = study, recorded, isolation
        self.model: Path | None = None  # that of the trial's value, once it was reported

    def run(self, hear: Callable[[Report], bool]) -> None:
        """Trains all parts, or until told to stop.

        Args:
            hear: Takes each report, and answers whether to go on.

        Raises:
            Exception: Whatever the user's code raises.
        """
        heard, epoch, goes_on = 0, 0, True

        def take(report: Report) -> bool:
            nonlocal heard, goes_on
            heard += 1
            goes_on = hear(report)
            return goes_on and heard < until

        for number, part in enumerate(self._recorded.parts):
            task = TrialTask(self._recorded.trial, part.params, front=(), epoch=epoch, saves=number)
            until, epoch = heard + len(part.reports), part.reports[-1]["epoch"]
            # Where another part follows, it pauses at the end of this one.
            pauses = part is not self._recorded.parts[-1]
            study = replace(self._study, waits_at=(epoch,), pauses=True) if pauses else self._study
            run_trial(study, task, self._isolation, take)
            if heard == until:
                self._keep_model(until)
            if heard < until or not goes_on:
                return

    def _keep_model(self, until: int) -> None:
        """Under another name, so that what follows leaves it: a part keeps the model of its own best report."""
        value = self._recorded.value
        path = Path(self._study.folder) / "checkpoints" / self._recorded.trial / MODEL
        if self.model is None and value is not None and value < until and path.is_file():
            self.model = path.rename(path.with_name(f"value-{MODEL}"))
