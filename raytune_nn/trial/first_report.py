"""A trial on its way to a first report: one batch trained and one validated, and what it saves loaded again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import Callback, LightningModule, Trainer

from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.merge import merge_params
from raytune_nn.store.checkpoints import MODEL
from raytune_nn.trial.blame import blame
from raytune_nn.trial.checkpoint import CONFIG
from raytune_nn.trial.ctrl_c import raise_if_interrupted
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.folds import fold_config
from raytune_nn.trial.instantiate import instantiate
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.rehearsal import by_itself
from raytune_nn.trial.task import Report, StudyContext, TrialTask

ONE = {"limit_train_batches": 1, "limit_val_batches": 1}
WHOLE = ("overfit_batches", "fast_dev_run")  # Lightning takes no limits beside them


def first_report(
    study: StudyContext, params: Mapping[str, Any], isolation: Isolation
) -> tuple[dict[str, float], tuple[float, float] | None]:
    """Trains a configuration for one batch, in a folder that does not stay.

    Where trials of the study save their states, it then goes on from its own, for one batch more.

    Returns:
        What it logged, and its batches of training and of validation in a whole epoch; None: not known.

    Raises:
        ConfigError: It fails, or what it saved cannot be loaded.
    """
    counted = CountedBatches()
    with tempfile.TemporaryDirectory(prefix="rtnn-") as folder:
        place = alone(study, params, folder, ONE)
        place = replace(place, pauses=study.saves_states, waits_at=None)
        reports = _train(place, TrialTask("0", {}, ()), isolation, counted)
        if not reports:
            return {}, counted.batches
        if reports[0].checkpoint is not None:
            _load_model(Path(folder) / "checkpoints" / reports[0].checkpoint)
        if reports[0].saved:
            values = place.objective.values(reports[0].metrics)
            _train(place, TrialTask("0", {}, (), values, reports[0].epoch, 1), isolation, Callback())
    return reports[0].metrics, counted.batches


def alone(study: StudyContext, params: Mapping[str, Any], folder: str, limits: Mapping[str, Any]) -> StudyContext:
    """A study of this one configuration, in a folder: of several folds the first, of several workers one.

    Args:
        limits: Of its trainer.
    """
    config = merge_params(study.config, study.branches, params)
    if study.objective.folds is not None:
        config = fold_config(config, study.objective.folds, 0)
    limits = {} if any(config["trainer"].get(key) for key in WHOLE) else limits
    config["trainer"] = {**config["trainer"], **limits, **by_itself(config)}
    return replace(study, config=config, branches={}, objective=study.objective.of_fold, folder=folder, url="")


def _train(place: StudyContext, task: TrialTask, isolation: Isolation, watch: Callback) -> list[Report]:
    """Up to the next report."""
    reports: list[Report] = []

    def send(report: Report) -> bool:
        reports.append(report)
        return False

    try:
        run_trial(place, task, isolation, send, watch=[watch])
    except RaytuneError:
        raise
    except (Exception, SystemExit) as error:  # the user's code can raise anything
        raise_if_interrupted(error)
        if task.epoch:
            raise _unloadable(error, "the state of its training") from error
        raise blame(error, "batch", place.config) from error
    return reports


def _load_model(folder: Path) -> None:
    """Whether the files of a winner are enough to build it, and its weights are those that were saved.

    Raises:
        ConfigError: They are not.
    """
    try:
        config = yaml.safe_load((folder / CONFIG).read_text())
        saved = torch.load(folder / MODEL, weights_only=True)["state_dict"]
        model: LightningModule = instantiate(config["model"])
        model.load_state_dict(saved)
        differ = [name for name, value in model.state_dict().items() if not _equal(value, saved.get(name))]
    except (Exception, SystemExit) as error:  # the user's code can raise anything
        raise_if_interrupted(error)
        raise _unloadable(error, "its weights") from error
    if differ:
        raise _unloadable(ValueError(f"{differ[0]} is not what was saved"), "its weights")


def _equal(value: Any, saved: Any) -> bool:
    if not isinstance(value, torch.Tensor):
        return True
    return isinstance(saved, torch.Tensor) and torch.equal(value.nan_to_num(), saved.to(value.device).nan_to_num())


def _unloadable(error: BaseException, what: str) -> ConfigError:
    rule = f"a checkpoint must bring a trial's module back: {what}"
    return ConfigError(rule, f"{type(error).__name__}: {error}".strip(), "mend what the module saves and loads")


class CountedBatches(Callback):
    """Notes how many batches an epoch has."""

    batches: tuple[float, float] | None = None  # of training and of validation; None: not known yet

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.batches = _length(trainer.train_dataloader), _length(trainer.val_dataloaders)


def _length(loaders: Any) -> float:
    """Batches of a loader or of several together; infinite where one does not know its length."""
    if loaders is None:
        return 0
    nested: Sequence[Any] = loaders if isinstance(loaders, list | tuple) else [loaders]
    try:
        return float(sum(map(len, nested)))
    except TypeError:
        return float("inf")
