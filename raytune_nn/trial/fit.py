"""The body of a trial: merge, seed, build, fit. The same code runs in a slot and in a single training."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytune_nn.config.objective import Objective, Values, finite
from raytune_nn.config.secrets import Secrets
from raytune_nn.space.merge import merge_params
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.free_space import refuse_below
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.checkpoint import Checkpointer
from raytune_nn.trial.ctrl_c import keep_signals
from raytune_nn.trial.folds import FoldStates, Send, run_folds
from raytune_nn.trial.instantiate import setting
from raytune_nn.trial.isolation import Isolation, trial_threads
from raytune_nn.trial.lean_loop import lighten
from raytune_nn.trial.machine import this_machine
from raytune_nn.trial.other_logger import OtherLogger
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.ranks import ALONE, Ranks
from raytune_nn.trial.reporter import Reporter
from raytune_nn.trial.run_upload import RunUpload
from raytune_nn.trial.saved_state import as_unusable, check_state
from raytune_nn.trial.task import Report, StudyContext, TrialTask
from raytune_nn.trial.tensorboard import SilentLogger, TrialLogger
from raytune_nn.trial.training_state import TrainingState
from raytune_nn.trial.wind_down import WindDown

if TYPE_CHECKING:
    from pytorch_lightning import Callback


def run_trial(
    study: StudyContext,
    task: TrialTask,
    isolation: Isolation,
    send: Callable[[Report], bool],
    stopped: Callable[[], bool] = lambda: False,
    outbox: Outbox | None = None,
    ranks: Ranks = ALONE,
    pulse: Pulse | None = None,
    wind_down: WindDown | None = None,
    watch: Sequence[Callback] = (),
) -> None:
    """Trains one trial to its end, or until told to stop.

    Args:
        study: What all trials share.
        task: This trial's sampled values, and where it begins.
        isolation: Restored first, so that earlier trials of this process cannot be felt.
        send: Takes each report and answers whether to go on.
        stopped: Whether to stop now; asked between the reports of a trial with folds, which are far apart.
        outbox: Takes the files that reports speak of; None: each is in its place before its report is sent.
        ranks: The trial's workers, of which this one trains here.
        pulse: Counts batches; None: nobody asks.
        wind_down: Whether to save the state and leave; and hears if that is how it ended.
        watch: Callbacks of whoever looks on; they hear of all of its trainings.

    Raises:
        UnusableState: It cannot go on from the state that the task names.
        Exception: Whatever the user's code raises.
    """
    lighten()
    keep_signals()
    outbox, wind_down = outbox or Outbox(), wind_down or WindDown()
    run, checkpoints = Path(study.folder) / "tb" / task.id, Path(study.folder) / "checkpoints"
    if task.epoch:
        outbox.retry.run(partial(outbox.files.fetch, state_path(checkpoints, task.id, task.saves)))
    check_state(checkpoints, task, ranks, outbox.retry)
    config = merge_params(study.config, study.branches, task.params)
    seed, threads = int(setting(config, "seed")), trial_threads(config)
    isolation.restore(seed, threads)
    logger = SilentLogger(run, task.id) if ranks.rank else _open_logger(study, task, run, outbox)
    named = not ranks.rank and (config.get("logger") or {}).get("_target_") is not None
    other = OtherLogger(logger, task.params, Secrets(config).hide) if named else None
    first = _FirstOfAll(lambda report: ranks.agree(send(report)), this_machine(config))
    tracker = _Tracker(study.objective, first, logger, other, task.values)
    whose: dict[str, Any] = {"names": {"id": task.id, "study": study.name, "folder": study.folder}}
    whose["open_logger"] = None if other is None else other.open
    whose["callbacks"] = watch

    def train_fold(config: dict[str, Any], send: Send, draft: Path, front: tuple[Values, ...]) -> tuple[int, int]:
        isolation.restore(seed, threads)
        logger.continue_steps()
        objective = study.objective.of_fold
        straight, report = Outbox(retry=outbox.retry), Reporter(send, objective, pulse=pulse)
        return _train(config, isolation, objective, report, logger, whose, draft, front, outbox=straight)

    failed = True
    try:
        if study.objective.folds is None:
            reporter = Reporter(tracker, study.objective, study, ranks, pulse, wind_down)
            saves = study.saves_states or task.epoch > 0
            state = TrainingState(checkpoints, task, logger, reporter, outbox, ranks) if saves else None
            kept, values = checkpoints / task.id, task.values
            objective, front = study.objective, task.front
            _train(config, isolation, objective, reporter, logger, whose, kept, front, values, state, outbox, ranks)
        else:
            states = FoldStates(checkpoints, study, task, logger, outbox)
            run_folds(study.objective, config, task.front, states, train_fold, tracker, stopped, wind_down)
        failed = not finite(tracker.values)
    finally:
        if other is not None:
            other.close(failed)
        logger.close(None if wind_down.left else failed)


def _open_logger(study: StudyContext, task: TrialTask, run: Path, outbox: Outbox) -> TrialLogger:
    """The trial's run, where it goes on."""
    retry, after = outbox.retry, task.saves if task.epoch else None
    metrics = [goal.metric for goal in study.objective.goals]
    retry.run(partial(refuse_below, study.folder, study.min_free))
    upload = RunUpload(outbox.files, run, retry) if outbox.files.is_remote else None
    if upload is not None:
        retry.run(upload.fetch)
    return retry.run(lambda: TrialLogger(run, task.id, task.params, metrics, after, retry, upload, study.space), run)


def _train(
    config: dict[str, Any],
    isolation: Isolation,
    objective: Objective,
    reporter: Reporter,
    logger: TrialLogger,
    whose: dict[str, Any],
    kept: Path,
    front: tuple[Values, ...],
    values: Values | None = None,
    state: TrainingState | None = None,
    outbox: Outbox | None = None,
    ranks: Ranks = ALONE,
) -> tuple[int, int]:
    """One training of a configuration, or what follows a saved state; returns its epochs and optimizer steps so far.

    Args:
        whose: Keywords of ``build_trial`` that tell the trial from others, and its callbacks before the reporter.
    """
    verbose = int(setting(config, "verbose"))
    quieten(verbose)
    built = build_trial(
        config,
        logger=logger,
        **{**whose, "callbacks": [*whose["callbacks"], reporter]},
        first=[] if state is None else [state],
        build_data=isolation.data.build,
        enable_checkpointing=True,  # by the reporter: with one that keeps checkpoints, Lightning adds none
        enable_progress_bar=False,
        enable_model_summary=verbose > 1,
        **ranks.trainer_keywords(config["trainer"]),
    )
    standalone = _standalone(config, built.stored)
    reporter.checkpointer = Checkpointer(kept, standalone, objective, front, values, outbox)
    path = None if state is None else state.path
    try:
        built.trainer.fit(built.model, datamodule=built.data, ckpt_path=path, weights_only=True)
    except Exception as error:
        if state is not None and state.cannot_load(error):
            raise as_unusable(error) from error
        raise
    return built.trainer.current_epoch, built.trainer.global_step


def _standalone(config: dict[str, Any], resolved: dict[str, Any]) -> dict[str, Any]:
    """A trial's configuration as that of a single training, ready to be run again by itself.

    Model and data hold values only, so that they can be built without Hydra, but for what comes from the environment;
    elsewhere references stay, so that an override of ``budget.max_epochs`` reaches the Trainer too.
    """
    study = {**resolved["study"], "name": None, "resume": "auto", "cache": [], "trial": None}
    parts = {"model": resolved["model"], "data": resolved["data"], "study": study, **_of_one_worker(config)}
    return {**config, **parts, "search": None, "search_space": {}, "mode": "run"}


def _of_one_worker(config: dict[str, Any]) -> dict[str, Any]:
    """What a single training is given in place of several workers."""
    if config["resources"].get("workers", 1) == 1:
        return {}
    return {"resources": {**config["resources"], "workers": 1}, "trainer": {**config["trainer"], "strategy": "auto"}}


def quieten(verbose: int) -> None:
    """Silences Lightning's own log and advice, unless the libraries' output was asked for."""
    if verbose > 1:
        return
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in ("pytorch_lightning", "lightning", "torchmetrics"):
        warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")


class _FirstOfAll:
    """Says with the first report where the trial is trained."""

    def __init__(self, send: Send, machine: dict[str, Any]) -> None:
        self._send, self._machine = send, machine

    def __call__(self, report: Report) -> bool:
        machine, self._machine = self._machine, {}
        return self._send(replace(report, machine=machine) if machine else report)


class _Tracker:
    """Keeps the trial's value while reports pass through, and shows it in its TensorBoard run."""

    def __init__(
        self, objective: Objective, send: Send, logger: TrialLogger, other: OtherLogger | None, values: Values | None
    ) -> None:
        self._objective, self._send, self._logger, self._other = objective, send, logger, other
        self.values, self._best = values, logger.best
        if values is not None and (self._best is None or objective.better(values[0], self._best[0])):
            self._best = values

    def __call__(self, report: Report) -> bool:
        values = self._objective.values(report.metrics)
        if values is not None and (not finite(values) or self._objective.replaces(values, self.values)):
            self.values = values
        if values is not None:
            before = None if self._best is None else self._best[0]
            best = self._objective.folds is not None or self._objective.better(values[0], before)
            self._best = values if best else self._best
            self._logger.log_result(values, best)
        self._logger.flush()  # the process may end while it waits for the answer
        trouble = "" if self._other is None else self._other.trouble()
        return self._send(replace(report, unlogged=trouble) if trouble else report)
