"""Cross-validation: a trial trains once a fold, and reports the mean over the folds done after each.

Every fold starts from the trial's own seed and from a process put back to its beginning. So it is, to the last bit, the
single training with ``data.folds=k data.fold=i``, and what differs between folds is their rows alone.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from raytune_nn.config.objective import Objective, Values, finite
from raytune_nn.errors import RaytuneError
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.files import Files
from raytune_nn.store.retry import Retry
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.saved_state import as_unusable, write_state
from raytune_nn.trial.task import Report, StudyContext, TrialTask
from raytune_nn.trial.tensorboard import TrialLogger
from raytune_nn.trial.wind_down import WindDown

Send = Callable[[Report], bool]
# Trains (configuration, answers to its reports, folder for its model, front that a model worth keeping joins) and
# returns the epochs and the optimizer steps that it took.
Train = Callable[[dict[str, Any], Send, Path, tuple[Values, ...]], tuple[int, int]]


def run_folds(
    objective: Objective,
    config: dict[str, Any],
    front: tuple[Values, ...],
    states: FoldStates,
    train: Train,
    send: Send,
    stopped: Callable[[], bool],
    wind_down: WindDown,
) -> None:
    """Trains fold after fold, until the last, a value that is not finite, or the answer to stop or pause.

    The model that stays in the trial's folder is that of the fold with the best value. No trial can beat the study's
    best in the mean without a fold that does, so where no fold does, none is written.

    Args:
        config: The trial's configuration; each fold's ``data`` gets its ``folds`` and ``fold``.
        front: The study's when the trial began: its best value.
        states: What the trial goes on from, and where it says how far it came.
        train: Trains one fold.
        send: Takes the report after each fold, and answers whether to go on.
        stopped: Asked after each validation inside a fold; a fold that is cut short is not reported.
        wind_down: Whether to leave after a fold; and hears if that is how it ended.

    Raises:
        ValueError: A fold ended without a validation.
    """
    started = time.monotonic()
    done = states.load(front)
    folder = states.folder
    draft = folder.with_name(f".{folder.name}")
    try:
        for number in range(len(done.metrics), objective.folds or 0):
            fold = _Fold(objective.of_fold, stopped)
            took = train(fold_config(config, objective.folds, number), fold, draft, done.front)
            if fold.cut_short:
                return
            if fold.chosen is None:
                raise ValueError(f"each fold must come to a validation, but fold {number} of {objective.folds} did not")
            done.epochs, done.steps = done.epochs + took[0], done.steps + took[1]
            done.metrics.append(fold.chosen.metrics)
            checkpoint = None
            if fold.chosen.checkpoint is not None and fold.values is not None:
                states.retry.run(partial(_replace_files, draft, folder), folder)
                states.retry.run(partial(states.files.publish, *folder.iterdir()), folder)
                done.front, checkpoint = (fold.values,), folder.name
            may_pause, leaves = states.may_pause(done), wind_down.asked()
            saved = not fold.lost and number + 1 < (objective.folds or 0) and states.save(done, may_pause, leaves)
            means, seconds = mean_metrics(done.metrics, objective), time.monotonic() - started
            rung = done.epochs if saved and may_pause else None
            if not send(Report(done.epochs, done.steps, seconds, means, checkpoint, saved, rung)) or fold.lost:
                return
            if saved and leaves:
                wind_down.left = True
                return
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass
class Done:
    """How far a trial came."""

    metrics: list[dict[str, float]]  # of each fold's report that counts
    epochs: int
    steps: int
    front: tuple[Values, ...]  # what the next fold must beat to be worth a model


class FoldStates:
    """What a trial with folds goes on from: the folds that it has done.

    Args:
        checkpoints: The study's folder of them.
        logger: Gets a mark where a state is saved.
        outbox: Takes the files.
    """

    def __init__(
        self, checkpoints: Path, study: StudyContext, task: TrialTask, logger: TrialLogger, outbox: Outbox
    ) -> None:
        self._checkpoints, self._study, self._task = checkpoints, study, task
        self._logger, self._outbox = logger, outbox
        self._number, self._last_epoch = task.saves, task.epoch

    @property
    def retry(self) -> Retry:
        """Waits for the storage."""
        return self._outbox.retry

    @property
    def files(self) -> Files:
        """Of the study."""
        return self._outbox.files

    @property
    def folder(self) -> Path:
        """For the trial's model."""
        return self._checkpoints / self._task.id

    def load(self, front: tuple[Values, ...]) -> Done:
        """What was done before this piece of work.

        Raises:
            UnusableState: It cannot be loaded.
            OSError, RaytuneError: As `Retry.run` does.
        """
        if not self._task.epoch:
            return Done([], 0, 0, front)
        path = state_path(self._checkpoints, self._task.id, self._number)
        try:
            return self.retry.run(lambda: Done(**torch.load(path, weights_only=True)), path)
        except (OSError, RaytuneError):  # of the storage
            raise
        except Exception as error:  # pickle lets through whatever an object raises
            raise as_unusable(error) from error

    def may_pause(self, done: Done) -> bool:
        """Whether the answer to the report may be to pause; to be asked once a report."""
        earlier, self._last_epoch = self._last_epoch, done.epochs
        return self._study.pauses and self._study.waits(earlier, done.epochs)

    def save(self, done: Done, may_pause: bool, leaves: bool) -> bool:
        """Saves where the trial may pause, or leaves an interrupted study, and returns whether it did."""
        saves = may_pause or (leaves and self._study.saves_to_leave)
        if saves:
            self._number += 1
            path = state_path(self._checkpoints, self._task.id, self._number)
            self._outbox.put(path, partial(write_state, asdict(done)), durable=True)
            self._logger.mark(self._number)
        return saves


def _replace_files(draft: Path, folder: Path) -> None:
    """Puts a model's files in the place of another's."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in draft.iterdir():
        os.replace(path, folder / path.name)


def fold_config(config: Mapping[str, Any], folds: int | None, fold: int) -> dict[str, Any]:
    """The configuration of one fold as a single training."""
    data = {**config["data"], "folds": folds, "fold": fold}
    return {**config, "data": data, "objective": {**config["objective"], "folds": None}}


def mean_metrics(folds: Sequence[Mapping[str, float]], objective: Objective) -> dict[str, float]:
    """The mean of each metric that all these folds have, and the objective's standard deviation.

    The deviation is that of a sample (n - 1); it is left out after the first fold, and where a value is not finite.
    """
    names = [name for name in folds[0] if all(name in metrics for metrics in folds)]
    means = {name: statistics.mean(metrics[name] for metrics in folds) for name in names}
    values = [metrics.get(objective.metric, math.nan) for metrics in folds]
    if len(values) > 1 and all(map(math.isfinite, values)):
        means[objective.std_name] = statistics.stdev(values)
    return means


class _Fold:
    """Hears the reports of one fold, and keeps the one that counts."""

    def __init__(self, objective: Objective, stopped: Callable[[], bool]) -> None:
        self._objective, self._stopped = objective, stopped
        self.chosen: Report | None = None
        self.values: Values | None = None
        self.lost = False  # its value is missing or not finite, whatever comes after
        self.cut_short = False

    def __call__(self, report: Report) -> bool:
        if not self.lost:
            self._hear(report, self._objective.values(report.metrics))
        self.cut_short = self._stopped()
        return not self.cut_short

    def _hear(self, report: Report, values: Values | None) -> None:
        self.lost = not finite(values)
        if not finite(values) or self._objective.replaces(values, self.values):
            self.chosen, self.values = report, values
