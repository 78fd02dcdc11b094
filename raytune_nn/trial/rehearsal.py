"""Preflight, stage B, second half: can a trial begin?

Data, model, optimizer and trainer are built by the trial's own code, and Lightning takes them to the first training
batch: no step is taken. What is wrong with a file, a column, a size or a value shows here, before the first trial.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import _TunerExitException

from raytune_nn.errors import ConfigError
from raytune_nn.store.free_space import check_room
from raytune_nn.trial.blame import blame
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.checkpoint_size import checkpoint_size
from raytune_nn.trial.ctrl_c import raise_if_interrupted
from raytune_nn.trial.fit import quieten
from raytune_nn.trial.gpu import is_out_of_memory
from raytune_nn.trial.instantiate import instantiate, locate_all, setting
from raytune_nn.trial.isolation import Isolation, trial_threads
from raytune_nn.trial.manual import check_manual
from raytune_nn.trial.ranks import FSDP
from raytune_nn.trial.reporter import stop_fit
from raytune_nn.trial.sharding import check_sharding
from raytune_nn.trial.task import Size, StudyContext
from raytune_nn.trial.tensorboard import TrialLogger

if TYPE_CHECKING:
    from raytune_nn.trial.targets import TargetCheck

# It ends before a validation could fail, and would print the profiler's table.
_TRAINER = {"num_sanity_val_steps": 0, "profiler": None}
_CPU_MEMORY = "DefaultCPUAllocator: can't allocate memory"  # torch has no class for it
_OURS = f"{__name__.partition('.')[0]}.nn."


def prepare(study: StudyContext, check: TargetCheck) -> Isolation:
    """Makes a process ready for the trials of a study: imports all that they can name, and runs stage B.

    Returns:
        The state that each trial begins with; the rehearsal has left nothing in it.

    Raises:
        ConfigError: The first rule that is broken; or a trial's checkpoints have no room, where the study has none yet.
    """
    check.check_names()
    locate_all(study.config, study.branches)
    isolation = Isolation(trial_threads(study.config))
    size = rehearse(check.trials)
    begun = (Path(study.folder) / "checkpoints").is_dir()  # a slot that comes late is no reason to end it: it waits
    if size is not None and not (begun or study.url):
        check_room(study.folder, size.model + study.states * size.state)
    return isolation


def rehearse(configs: Sequence[Mapping[str, Any]]) -> Size | None:
    """Takes the first of these configurations that comes so far to its first batch, and returns how large it is.

    Args:
        configs: Those of trials, interpolations unresolved. The first may be a study's base configuration, with
            placeholders that every trial replaces.

    Raises:
        ConfigError: None comes so far; the error is that of the last.
    """
    refusal = None
    for config in configs:
        stop = _StopAtFirstBatch()
        refusal = _refusal(config, stop)
        if refusal is None:
            return stop.size
    if refusal is not None:
        raise refusal
    return None


def measured(configs: Sequence[Mapping[str, Any]]) -> Iterator[Size]:
    """How large the trials of these configurations are; of those that build."""
    for config in configs:
        stop = _StopAtFirstBatch(measures=True)
        _refusal(config, stop)
        if stop.size is not None:
            yield stop.size


def one_batch_refusal(
    config: Mapping[str, Any], build_data: Callable[[Any], LightningDataModule]
) -> ConfigError | None:
    """Why one batch of training and one of validation cannot be taken with a trial's configuration; None: they can.

    Args:
        build_data: Makes a data module of its part of the configuration.
    """
    stop = _StopAfterOneBatch()
    stop.build_data = build_data
    refusal = _refusal(config, stop)
    if refusal is None and stop.memory is not None:
        return ConfigError("a trial must fit into memory", stop.memory, "narrower bounds in search_space")
    return refusal


def _refusal(config: Mapping[str, Any], stop: _StopAtFirstBatch) -> ConfigError | None:
    try:
        _begin(config, stop)
    except ConfigError as error:
        return error
    except (Exception, SystemExit) as error:  # the user's code can raise anything
        raise_if_interrupted(error)
        if isinstance(error, MemoryError) or is_out_of_memory(error) or _CPU_MEMORY in str(error):
            stop.memory = f"{type(error).__name__}: {error}".strip()
            return None  # other trials may be smaller
        return blame(error, stop.part, config)
    return None


def _begin(config: Mapping[str, Any], stop: _StopAtFirstBatch) -> None:
    quieten(int(setting(config, "verbose")))
    stop.sharded = config["trainer"].get("strategy") == FSDP
    # Modules may ask where they can write. What they warn of, they will warn of again.
    with tempfile.TemporaryDirectory(prefix="rtnn-") as folder, warnings.catch_warnings(action="ignore"):
        logger = TrialLogger(Path(folder), "rehearsal", {}, ["rehearsal"])
        try:
            built = build_trial(
                {**config, "trainer": {**config["trainer"], **_TRAINER, **by_itself(config)}},
                [stop],
                begins=stop.begins,
                build_data=stop.build_data,
                logger=logger,
                enable_checkpointing=True,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            stop.begins("data")
            stop.config = built.config
            built.trainer.fit(built.model, datamodule=built.data)
        finally:
            logger.close(failed=True)


def by_itself(config: Mapping[str, Any]) -> dict[str, Any]:
    """One of several workers rehearses, and meets no other."""
    return {"strategy": "auto"} if config["resources"].get("workers", 1) != 1 else {}


class _StopAtFirstBatch(Checkpoint):
    """Notes which part is at work, and ends the training before its first step.

    Lightning calls callbacks that keep checkpoints last, and adds no other one beside them.

    Args:
        measures: Ends it as soon as the size is known.
    """

    config: Mapping[str, Any]  # interpolations resolved
    size: Size | None = None  # once it is known
    sharded = False  # whether the trials are, where the rehearsal is not
    build_data: Callable[[Any], LightningDataModule] = staticmethod(instantiate)
    memory: str | None = None  # what was said where there was too little of it

    def __init__(self, measures: bool = False) -> None:
        self.part, self._measures = "data", measures

    def begins(self, part: str) -> None:
        """What is at work from now on: one of `raytune_nn.trial.blame.RULES`."""
        self.part = part

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.begins("model")  # the data are set up

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_precision(trainer)
        self.size = checkpoint_size(pl_module, trainer.optimizers)
        if self._measures:
            raise _TunerExitException
        if self.config["optimizer"].get("_target_") is not None:
            self.begins("optimizer")
            check_manual(pl_module, self.config["lr_scheduler"])
        if self.sharded:
            check_sharding(trainer, pl_module)
        self.begins("data")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.begins("batch")
        for change in getattr(pl_module.training_step, "changes", ()):
            batch = change.change(trainer, batch)
        if type(pl_module).__module__.startswith(_OURS):
            pl_module.eval()
            with torch.no_grad(), trainer.precision_plugin.forward_context():
                pl_module.batch_loss(batch)  # type: ignore[operator]  # all of ours have it
        raise _TunerExitException  # Lightning tidies up and returns

    def _check_precision(self, trainer: Trainer) -> None:
        """Lightning takes another where a CPU cannot do what was asked for, and the study would record a wrong one."""
        asked = str(self.config["trainer"].get("precision"))
        if asked in ("16", "16-mixed") and trainer.precision != "16-mixed":
            raise ConfigError("trainer.precision=16-mixed needs a GPU", "a CPU", "trainer.precision=bf16-mixed")


class _StopAfterOneBatch(_StopAtFirstBatch):
    """Lets a batch be trained and one be validated, and ends the training before its epoch is over."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.begins("batch")
        if batch_idx:  # it has no validation in this epoch
            raise _TunerExitException

    def on_train_batch_end(self, trainer: Trainer, *batch: Any, **more: Any) -> None:
        stop_fit(trainer)  # the validation comes at once

    def on_validation_batch_end(self, *batch: Any, **more: Any) -> None:
        raise _TunerExitException

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        raise _TunerExitException
