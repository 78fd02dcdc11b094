"""How long a configuration trains: a trial as a slot runs it, for a few epochs or a part of one."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.exceptions import _TunerExitException

from raytune_nn.config.objective import finite
from raytune_nn.trial.dry_run import Timing
from raytune_nn.trial.first_report import alone
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.reporter import stop_fit
from raytune_nn.trial.task import Report, StudyContext, TrialTask

SECONDS = 1.0  # of training
LONGEST = 2.0  # seconds; an epoch that takes longer is cut, and counted up to its length
EPOCHS = 5  # at most
LEAST_BATCHES = 3  # the first takes longer than the others


def time_trial(study: StudyContext, params: Mapping[str, Any], isolation: Isolation) -> Timing | None:
    """Trains a configuration for a second or two in a folder that does not stay; None where that says nothing.

    Raises:
        Exception: Whatever the user's code raises.
    """
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="rtnn-") as folder:
        place = replace(alone(study, params, folder, {}), pauses=False, copy_seconds=None, saves_to_leave=False)
        run_trial(place, TrialTask("0", {}, ()), isolation, clock.hear, watch=[clock])
    measured = clock.measured()
    if measured is None:
        return None
    start, epoch = measured
    return Timing(dict(params), start, epoch, clock.reached(study), clock.score(study))


class _Clock(Callback):
    """Notes when what happens, and ends the training in time."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._reports: list[tuple[float, Report]] = []
        self._train: list[float] = []  # times at the ends of batches, the beginning of the first one before them
        self._validation: list[float] = []
        self._batches = (0.0, 0.0)
        self._steps = 1.0  # of the optimizer, for each batch
        self._cut = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._batches = float(trainer.num_training_batches), float(sum(trainer.num_val_batches))
        self._until = time.perf_counter() + SECONDS
        self._cut_at = time.perf_counter() + LONGEST
        self._train = [time.perf_counter()]

    def on_train_batch_end(self, trainer: Trainer, *batch: Any, **more: Any) -> None:
        if self._reports:
            return
        self._train.append(time.perf_counter())
        self._steps = trainer.global_step / (len(self._train) - 1)
        if self._too_long and LEAST_BATCHES < len(self._train) <= self._batches[0]:
            self._cut = True
            stop_fit(trainer)  # a validation comes first

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._reports:
            self._validation = [time.perf_counter()]

    def on_validation_batch_end(self, *batch: Any, **more: Any) -> None:
        if self._reports:
            return
        self._validation.append(time.perf_counter())
        if self._too_long and LEAST_BATCHES < len(self._validation) <= self._batches[1]:
            self._cut = True
            raise _TunerExitException  # Lightning tidies up and returns

    def hear(self, report: Report) -> bool:
        """Takes a report; whether to train on."""
        self._reports.append((time.perf_counter(), report))
        return not self._over and len(self._reports) < EPOCHS

    @property
    def _too_long(self) -> bool:
        return time.perf_counter() > self._cut_at

    @property
    def _over(self) -> bool:
        return time.perf_counter() > self._until

    def measured(self) -> tuple[float, float] | None:
        """Seconds of the start and of an epoch; None where no batch was trained."""
        if len(self._train) < 2:
            return None
        starts = self._train[0] - self._begun
        if self._cut:
            epoch = self._batches[0] * _each(self._train) + self._batches[1] * _each(self._validation)
            return starts, epoch
        epochs = [(at, report.epoch) for at, report in self._reports]
        if not epochs:  # it ended by itself
            return None
        first = (epochs[0][0] - self._train[0]) / epochs[0][1]
        later = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in itertools.pairwise(epochs) if b[1] > a[1]]
        epoch = statistics.mean(later) if later else first
        return starts + max(0.0, first - epoch), epoch

    def reached(self, study: StudyContext) -> float:
        """What an epoch adds to the study's fidelity."""
        if study.fidelity.is_epochs:
            return 1.0
        if self._reports and not self._cut:
            report = self._reports[-1][1]
            return (study.fidelity.reached(vars(report)) or 0) / report.epoch
        return self._steps * self._batches[0]

    def score(self, study: StudyContext) -> float | None:
        """Of the first epoch, where it was a whole one."""
        if self._cut or not self._reports or self._reports[0][1].epoch != 1:
            return None
        values = study.objective.values(self._reports[0][1].metrics)
        return study.objective.score(values[0]) if finite(values) else None


def _each(times: list[float]) -> float:
    """Seconds of a batch; the first one is left out where there are others."""
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return statistics.mean(steps[1:] or steps or [0.0])
