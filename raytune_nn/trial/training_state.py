"""The whole state of a training: saved where a trial may be told to pause, or for safety, and brought back where it
goes on.

A paused and continued training is, to the last bit, the one that was never interrupted. So the state is saved and
brought back at one and the same place: where an epoch begins, before any other callback hears of it. Everything that
Lightning does at the end of the epoch before is done then, also what comes after its last hook there.
"""

from __future__ import annotations

import random
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from raytune_nn.store.checkpoints import state_path
from raytune_nn.trial.hyperparameters import apply_changes, built_hyperparameters
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.ranks import ALONE, Ranks
from raytune_nn.trial.reporter import Reporter
from raytune_nn.trial.saved_state import blames_state, write_state
from raytune_nn.trial.task import TrialTask
from raytune_nn.trial.tensorboard import TrialLogger

OURS = "raytune_nn"  # our part of Lightning's checkpoint
_HPARAMS = [
    f"{of}{what}" for of in ("", "datamodule_") for what in ("hyper_parameters", "hparams_name", "hparams_type")
]


class TrainingState(Callback):
    """Saves before a report that the reporter holds back, and loads what the Trainer's ``ckpt_path`` names.

    Must be the first of the Trainer's callbacks.

    Args:
        checkpoints: The study's folder of them.
        task: Says how many states there are.
        logger: Gets a mark where a state is saved.
        reporter: Holds a report back until the state is saved.
        outbox: Takes the files.
        ranks: The trial's workers; the first one saves for all of them.
    """

    def __init__(
        self,
        checkpoints: Path,
        task: TrialTask,
        logger: TrialLogger,
        reporter: Reporter,
        outbox: Outbox,
        ranks: Ranks = ALONE,
    ) -> None:
        self._checkpoints, self._task, self._number = checkpoints, task, task.saves
        self._logger, self._reporter, self._outbox, self._ranks = logger, reporter, outbox, ranks
        self._arrival: Future[str] | None = None  # of the last state
        self._loaded: dict[str, Any] | None = None
        self._restoring = task.epoch > 0
        self._of_ranks: list[dict[str, Any]] = []  # what differs between the workers

    @property
    def path(self) -> str | None:
        """What the training goes on from, for Lightning's ``fit``; None: it begins."""
        return str(state_path(self._checkpoints, self._task.id, self._number)) if self._task.epoch else None

    def cannot_load(self, error: Exception) -> bool:
        """Whether the training failed for the state that it was to go on from."""
        return self._restoring and blames_state(error)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Optimizers and schedules are as they were built; a state is loaded into them after this."""
        self._built = built_hyperparameters(trainer)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._loaded = checkpoint[OURS]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._loaded is None:
            return
        apply_changes(trainer, self._loaded["built"], self._built)
        loop = trainer.fit_loop
        loop._last_train_dl_reload_epoch = self._loaded["train_reload"]
        loop.epoch_loop.val_loop._last_val_dl_reload_epoch = self._loaded["val_reload"]
        trainer._logger_connector._callback_metrics.update(self._own(self._loaded)["metrics"])
        self._reporter.reached = self._loaded["reached"]
        self._logger.go_on(loop.epoch_loop._batches_that_stepped)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves and reports; or goes on where another one did.

        Raises:
            StopIteration: The answer is to stop or pause; Lightning then ends the training before its next batch.
        """
        if self._loaded is not None:
            # Lightning would go on in the middle of its loop, past hooks and without a new order of the rows.
            trainer.fit_loop.restarting = False
            trainer.fit_loop._resuming_from_checkpoint = False
            _set_random_states(self._own(self._loaded)["random"])
            self._loaded, self._restoring = None, False
        elif self._reporter.holds and not self._reporter.send_held(saved=self._saves(trainer)):
            raise StopIteration

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[OURS] = {
            "ranks": self._of_ranks,
            "built": self._built,
            "reached": self._reporter.reached,
            "train_reload": trainer.fit_loop._last_train_dl_reload_epoch,
            "val_reload": trainer.fit_loop.epoch_loop.val_loop._last_val_dl_reload_epoch,
        }

    def _saves(self, trainer: Trainer) -> bool:
        """Saves, and returns whether it could: no trial fails for want of a safety copy."""
        self._await_last()
        copies, must_save = self._reporter.copies, self._reporter.must_save
        if not (must_save or self._ranks.agree(copies.possible)):
            return False
        metrics = {name: value.detach().cpu() for name, value in trainer.callback_metrics.items()}
        self._of_ranks = self._ranks.gather({"random": _random_states(), "metrics": metrics})
        saved = True
        try:
            self._save(trainer, must_save)
        except Exception as error:  # also the user's own hooks are asked for their state
            if must_save:
                raise
            copies.refuse((str(error).strip() or type(error).__name__).splitlines()[0])
            saved = False
        return self._ranks.agree(saved)

    def _own(self, state: dict[str, Any]) -> dict[str, Any]:
        """What this worker had of its own."""
        own: dict[str, Any] = state["ranks"][self._ranks.rank]
        return own

    def _await_last(self) -> None:
        """The number of a state is that of the last one that is there, and one more."""
        lost = "" if self._arrival is None else self._arrival.result()
        self._arrival = None
        if lost:
            self._number -= 1
            self._reporter.copies.refuse(lost)
            self._reporter.copies.refusal()  # its report has told it

    def _save(self, trainer: Trainer, needed: bool) -> None:
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        for key in _HPARAMS:  # the configuration has them
            checkpoint.pop(key, None)
        path = state_path(self._checkpoints, self._task.id, self._number + 1)
        self._arrival = self._outbox.put(path, partial(write_state, checkpoint), durable=True, needed=needed)
        self._number += 1
        self._logger.mark(self._number, trainer.fit_loop.epoch_loop._batches_that_stepped)


def _random_states() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    kind, keys, *rest = np.random.get_state()
    return {
        "python": (version, _as_tensor(words), gauss),
        "numpy": (kind, _as_tensor(keys), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    version, words, gauss = states["python"]
    kind, keys, *rest = states["numpy"]
    random.setstate((version, tuple(_as_words(words).tolist()), gauss))
    np.random.set_state((kind, _as_words(keys), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


def _as_tensor(words: Any) -> torch.Tensor:
    """Numbers of 32 bits without a sign: as a list, loading with ``weights_only`` would read them one by one."""
    return torch.from_numpy(np.array(words, dtype=np.uint32).view(np.int32))


def _as_words(tensor: torch.Tensor) -> np.ndarray:
    return tensor.numpy().view(np.uint32)
