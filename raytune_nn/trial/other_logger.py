"""A logger that the configuration names, beside the TensorBoard run: one run a trial, and no trial fails for it.

Its server may be away. As the clients of such servers do, it is tried again for as long as the trial trains. The pauses
grow, so that a connection that hangs does not hold the training up; what came meanwhile is lost there, and stands in
TensorBoard and in the journal. That it takes nothing is told once a trial, by its next report. What is wrong with its
configuration fails the trial as any other part does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import LightningModule
from pytorch_lightning.loggers.logger import Logger

from raytune_nn.trial.tensorboard import TrialLogger

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds without a call, after one that failed
WRONG = (ImportError, TypeError, ValueError, MisconfigurationException)  # of a logger that is built: its configuration


class OtherLogger(Logger):
    """What Lightning sees of it.

    Args:
        ours: The trial's TensorBoard run, which knows how steps go on after a fold or a resume.
        params: Dotted path -> sampled value; the only hyperparameters that are logged.
        hide: Takes secrets out of a text.
    """

    def __init__(self, ours: TrialLogger, params: Mapping[str, Any], hide: Callable[[str], str]) -> None:
        super().__init__()
        self._ours, self._params, self._hide = ours, dict(params), hide
        self._make: Callable[[], Logger] | None = None
        self._logger: Logger | None = None
        self._described = False  # whether it has the hyperparameters
        self._trouble, self._told = "", False
        self._again, self._pause = 0.0, FIRST_PAUSE

    def open(self, make: Callable[[], Logger]) -> OtherLogger:
        """Builds it, the first time; the folds of a trial share one run.

        Raises:
            Exception: Its configuration is wrong.
        """
        if self._make is None:
            self._make = make
            self._try(lambda logger: None)
        return self

    @property
    def name(self) -> str:
        return type(self._logger).__name__

    @property
    def version(self) -> str:
        return self._ours.version

    @property
    def experiment(self) -> Any:
        """Its own, for modules that log images and the like by ``self.loggers[1].experiment``; errors are theirs."""
        return self._logger.experiment if self._logger is not None else None  # type: ignore[attr-defined]

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: only sampled values are logged, at the start."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """The same metrics and steps as TensorBoard's."""
        moved = None if step is None else step + self._ours.first_step
        self._try(lambda logger: logger.log_metrics(dict(metrics), moved))

    def log_graph(self, model: LightningModule, input_array: Any = None) -> None:  # type: ignore[override]
        self._try(lambda logger: logger.log_graph(model, input_array))

    def save(self) -> None:
        self._try(lambda logger: logger.save())

    def finalize(self, status: str) -> None:
        """Nothing yet: it ends with the trial, not with a fold's training."""

    def trouble(self) -> str:
        """Why it takes nothing; empty where it does, or once that was told."""
        if not self._trouble or self._told:
            return ""
        self._told = True
        return self._trouble

    def close(self, failed: bool) -> None:
        """Ends its run; some loggers would else take the next trial's in this process for the same."""
        self._again = 0.0  # a last time

        def end(logger: Logger) -> None:
            logger.finalize("failed" if failed else "success")
            experiment = getattr(logger, "experiment", None)
            finish = getattr(experiment, "finish", None) or getattr(experiment, "end", None)
            if callable(finish):
                finish()

        if self._logger is not None:
            self._try(end)
        if trouble := self.trouble():
            logging.getLogger(__name__).warning("trial %s: %s", self._ours.version, trouble)

    def _try(self, call: Callable[[Logger], Any]) -> None:
        if self._make is None or time.monotonic() < self._again:
            return
        try:
            if self._logger is None:
                self._logger = _built(self._make)
            if not self._described:
                self._logger.log_hyperparams(self._params)
                self._described = True
            call(self._logger)
        except _Wrong as wrong:
            raise wrong.error from None
        except Exception as error:  # of whatever client and server
            self._failed(error)
        else:
            self._pause = FIRST_PAUSE

    def _failed(self, error: Exception) -> None:
        line = next(iter(str(error).strip().splitlines()), "")
        what = "the logger" if self._logger is None else self.name
        self._trouble = self._hide(f"{what} takes nothing for now: {type(error).__name__}: {line}")
        self._again = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


def _built(make: Callable[[], Logger]) -> Logger:
    try:
        return make()
    except WRONG as error:
        raise _Wrong(error) from error


class _Wrong(Exception):
    """Its configuration is."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
