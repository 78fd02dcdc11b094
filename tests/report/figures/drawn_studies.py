"""Studies that never ran, for figures: told event by event, or driven through a real scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raytune_nn.config import schema
from raytune_nn.config.objective import Goal, Objective
from raytune_nn.report.study import Study
from raytune_nn.search.scheduler import Decision, Scheduler
from raytune_nn.space.domains import Choice, LogUniform, RandInt, Uniform
from raytune_nn.space.space import GroupChoice, Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord

ACCURACY = Objective("val_acc", True, schema.Take.best)
LOSS = Objective("val_loss", False, schema.Take.best)
FOLDS = Objective("val_acc", True, schema.Take.best, folds=2)
TWO = Objective("val_acc", True, schema.Take.best, further=(Goal("val_loss", False),))
THREE = Objective("val_acc", True, schema.Take.best, further=(Goal("val_loss", False), Goal("size", False)))

BRANCHES = {"sgd": Space({"optimizer.momentum": Uniform(0.0, 0.99)}), "adam": Space()}
SPACE = Space(
    {
        "optimizer.lr": LogUniform(1e-4, 1e-1),
        "model.net.depth": RandInt(1, 4),
        "model.net.norm": Choice((None, True, "batch")),
        "model.net.widths": Choice(([64], [64, 64], 64)),
    },
    {"optimizer": GroupChoice(BRANCHES)},
)


def settings(scheduler: Mapping[str, Any] | None = None, gpus: float = 0.0, workers: int = 1) -> schema.Config:
    """What figures read of a configuration."""
    config = schema.Config(resources=schema.ResourcesConfig(cpus=1.0, gpus=gpus, memory=None, workers=workers))
    if scheduler is not None:
        config.search = schema.SearchConfig(searcher={}, scheduler=dict(scheduler))
    return config


class Made:
    """A journal that grows, a second an event."""

    def __init__(
        self, objective: Objective = ACCURACY, space: Space | None = None, config: schema.Config | None = None
    ) -> None:
        self.objective, self.space, self.config = objective, space, config
        self.events: list[Event] = []
        self.now, self._trials = 1000.0, 0

    def tell(self, type: str, **fields: Any) -> None:
        self.now += 1.0
        self.events.append({"type": type, "time": self.now, **fields})

    def open(self) -> None:
        self.tell("opened", name="s", torn=0)

    def suggest(self, params: Mapping[str, Any] | None = None) -> str:
        trial = str(self._trials)
        self._trials += 1
        self.tell("suggested", trial=trial, params=dict(params or {}))
        return trial

    def report(self, trial: str, epoch: int, *values: float, **more: Any) -> None:
        """One report; a value a metric of the objective."""
        metrics = {goal.metric: value for goal, value in zip(self.objective.goals, values, strict=True)}
        self.tell("reported", trial=trial, epoch=epoch, step=10 * epoch, seconds=1.0 * epoch, metrics=metrics, **more)

    def trial(
        self,
        *values: float | tuple[float, ...],
        end: str | None = "complete",
        params: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> str:
        """A whole trial, a report an epoch; with ``end`` None it runs on."""
        trial = self.suggest(params)
        self.tell("started", trial=trial)
        for epoch, value in enumerate(values, start=1):
            self.report(trial, epoch, *(value if isinstance(value, tuple) else (value,)))
        if end is not None:
            self.tell("ended", trial=trial, state=end, reason=reason, error=reason)
        return trial

    def close(self, status: str = "complete") -> None:
        self.tell("closed", status=status, reason="")

    def study(self) -> Study:
        record = StudyRecord.fold(self.objective, self.events)
        return Study(StudyFolder(Path("/nowhere/s")), record, self.events, self.config, self.space)


def drive(
    made: Made,
    scheduler: Scheduler,
    params: Sequence[dict[str, Any]],
    value: Callable[[dict[str, Any], int], float],
    epochs: int,
) -> None:
    """One slot trains all trials as the scheduler says, and writes what a driver would write."""
    saved: dict[str, int] = {}
    now: dict[str, dict[str, Any]] = {}
    paused: dict[str, str] = {}
    made.open()
    while True:
        new = len(now) < len(params)
        resumption = scheduler.next_to_run(new)
        if resumption is not None:
            trial, source = resumption.trial, resumption.source
            made.tell("resumed", trial=trial, source=source, params=resumption.params, new=new)
            saved[trial] = saved[source or trial]
            now[trial] = resumption.params or now[trial]
            paused.pop(trial)
        elif new:
            trial = made.suggest(params[len(now)])
            now[trial] = params[len(now)]
            scheduler.on_start(trial, now[trial])
        else:
            break
        _train(made, scheduler, trial, now[trial], value, saved, paused, epochs)
    for trial, reason in paused.items():
        made.tell("ended", trial=trial, state="stopped", reason=reason)
    made.close()


def _train(
    made: Made,
    scheduler: Scheduler,
    trial: str,
    params: dict[str, Any],
    value: Callable[[dict[str, Any], int], float],
    saved: dict[str, int],
    paused: dict[str, str],
    epochs: int,
) -> None:
    begin = saved.get(trial, 0)
    made.tell("started", trial=trial, **({"epoch": begin} if begin else {}))
    for epoch in range(begin + 1, epochs + 1):
        told = value(params, epoch)
        due = scheduler.pauses and epoch in (scheduler.decision_steps or ())
        made.report(trial, epoch, told, **({"saved": True, "rung": epoch} if due else {}))
        if due:
            saved[trial] = epoch
        verdict = scheduler.on_report(trial, epoch, made.objective.score(told))
        if verdict.decision is Decision.PAUSE:
            made.tell("decided", trial=trial, epoch=epoch, decision="pause", reason=verdict.reason)
            paused[trial] = verdict.reason
            return
        if verdict.decision is Decision.STOP:
            made.tell("decided", trial=trial, epoch=epoch, decision="stop", reason=verdict.reason)
            made.tell("ended", trial=trial, state="stopped", reason=verdict.reason)
            scheduler.on_end(trial, complete=False)
            return
    made.tell("ended", trial=trial, state="complete", reason="")
    scheduler.on_end(trial, complete=True)


def numbers(column: Any) -> list[float]:
    """A column of a trace without its gaps."""
    array = np.asarray(column, np.float64)
    return [float(number) for number in array[~np.isnan(array)]]


def named(figure: Any, name: str) -> Any:
    """The visible trace of this name."""
    (trace,) = [trace for trace in figure.data if trace.name == name and trace.visible in (None, True)]
    return trace
