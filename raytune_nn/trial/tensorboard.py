"""One TensorBoard run a trial: its scalars, its sampled parameters, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger
from torch.utils.tensorboard import SummaryWriter

from raytune_nn.space.space import Space
from raytune_nn.store.retry import Retry
from raytune_nn.trial.event_files import cut_after
from raytune_nn.trial.event_writer import Writer
from raytune_nn.trial.hparams import BEST, LAST, columns, session_end, session_start
from raytune_nn.trial.run_upload import RunUpload
from raytune_nn.trial.task import NOTHING


class TrialLogger(Logger):
    """Writes to ``folder``; the module's own ``save_hyperparameters`` is not logged, only what was sampled.

    Args:
        folder: ``tb/<trial>``.
        trial: The trial's id, shown as the run's name.
        params: Dotted path -> sampled value.
        objective: The metrics that stand beside them in the HParams table.
        after: Number of the training state with which the trial goes on: what was written after it is taken out. None:
            it begins, and nothing of an earlier attempt stays.
        retry: Waits for the storage, once there is a file.
        upload: Sends the files to an object store; None: they are where they belong.
        space: What the study searches: the columns of its HParams table.

    Attributes:
        best: What the run has as the best value of each metric, of the trial's earlier pieces of work; None: nothing.
    """

    def __init__(
        self,
        folder: Path,
        trial: str,
        params: Mapping[str, Any],
        objective: Sequence[str],
        after: int | None = None,
        retry: Retry | None = None,
        upload: RunUpload | None = None,
        space: Space = NOTHING,
    ) -> None:
        super().__init__()
        self._upload = upload
        self._folder, self._trial, self._objective = folder, trial, list(objective)
        kept = cut_after(folder, after)
        self._writer = Writer(folder, retry or Retry())
        self._closed = False
        self._marked = None if kept is None else kept.step
        self.best: tuple[float, ...] | None = None
        if kept is not None:
            self._writer.file.next_step = kept.step
            best = [kept.scalars[BEST + name] for name in self._objective if BEST + name in kept.scalars]
            self.best = tuple(best) if len(best) == len(self._objective) else None
        self._add(columns(space, params, self._objective))
        self._add(session_start(params, time.time() if kept is None else kept.began))

    @property
    def name(self) -> str:
        return self._folder.parent.name

    @property
    def version(self) -> str:
        return self._trial

    @property
    def save_dir(self) -> str:
        return str(self._folder.parent)

    @property
    def log_dir(self) -> str:
        return str(self._folder)

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        """The writer, for modules that add images or histograms by ``self.logger.experiment``."""
        return self._writer

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: only sampled values are logged, at the start."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds one point a metric; ``epoch`` is Lightning's own bookkeeping and left out."""
        for name, value in metrics.items():
            if name != "epoch" and not self._closed:  # torch's writer would begin another file
                self._writer.add_scalar(name, value, step)

    def log_result(self, values: Sequence[float], best: bool) -> None:
        """Shows what a report gave for each metric of the objective, also in the HParams table.

        Args:
            best: Whether no earlier report was better.
        """
        step = self._writer.file.last_step
        for name, value in zip(self._objective, values, strict=True):
            self._writer.add_scalar(LAST + name, value, step)
            if best:
                self._writer.add_scalar(BEST + name, value, step)

    @property
    def first_step(self) -> int:
        """What is added to the steps of the present training, so that none comes twice in the run."""
        return self._writer.file.first_step

    def continue_steps(self) -> None:
        """A training that follows in the same run counts its steps from 0; they are shown after those before it."""
        self._writer.file.first_step = self._writer.file.next_step

    def go_on(self, step: int) -> None:
        """The trial goes on from a state whose next step is this one, be it another trial's: no step comes twice."""
        if self._marked is not None:
            self._writer.file.first_step = max(0, self._marked - step)

    def mark(self, number: int, step: int | None = None) -> None:
        """Notes in the run that the trial's state of this number belongs here.

        Args:
            step: The next step; None: that after the last one written.
        """
        self._writer.file.mark(number, step)
        self._writer.flush()
        if self._upload is not None:
            self._upload.send()

    def flush(self) -> None:
        """Puts what was logged into the file."""
        self._writer.flush()
        if self._upload is not None:
            self._upload.send_now_and_then()

    def close(self, failed: bool | None) -> None:
        """Writes the true status into the run, and closes it.

        Args:
            failed: None: the trial has not ended, and is to go on later.
        """
        if failed is not None:
            self._add(session_end(failed))
        self._writer.close()
        self._closed = True
        if self._upload is not None:
            self._upload.finish()

    def _add(self, event: Any) -> None:
        self._writer.file.add_summary(event)


class SilentLogger(TrialLogger):
    """Of a worker that writes nothing, since another one does; Lightning keeps modules from writing there."""

    def __init__(self, folder: Path, trial: str) -> None:
        Logger.__init__(self)
        self._folder, self._trial, self.best = folder, trial, None

    def continue_steps(self) -> None:
        pass

    def go_on(self, step: int) -> None:
        pass

    def mark(self, number: int, step: int | None = None) -> None:
        pass

    def flush(self) -> None:
        pass

    def log_result(self, values: Sequence[float], best: bool) -> None:
        pass

    def close(self, failed: bool | None) -> None:
        pass
