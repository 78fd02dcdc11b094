"""A study driven by hand: plans without Hydra, and a conductor without Ray."""

from __future__ import annotations

from typing import Any

from raytune_nn.config import schema
from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.secrets import Secrets
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.space import LogUniform
from raytune_nn.space.space import Space
from raytune_nn.store.checkpoints import States
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, Journal, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.retry import Retry
from raytune_nn.study.budget import Budget
from raytune_nn.study.cache import Cache
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.failures import Failures
from raytune_nn.study.room import Room
from raytune_nn.study.session import StudyPlan

EPOCHS = 9  # of a whole training
SPACE = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})
OBJECTIVE = Objective("val_acc", True, schema.Take.best)
TWO = Objective("val_acc", True, schema.Take.best, further=(Goal("loss", False),))


def make_settings(**budget: Any) -> schema.Config:
    """A typed configuration; keywords are keys of ``budget``, ``checkpoints`` and ``failures``."""
    failures = schema.FailuresConfig(
        max_retries=budget.pop("max_retries", 0),
        retry_exceptions=budget.pop("retry_exceptions", True),
        no_report_timeout=None,
        storage_timeout=0,
        stop_after=budget.pop("stop_after", None),
    )
    every_minutes, keep_best = budget.pop("every_minutes", None), budget.pop("keep_best", 1)
    keep_states, min_free = budget.pop("keep_states", schema.KeepStates.none), budget.pop("min_free", 0)
    limits: dict[str, Any] = {"num_trials": 6, "max_epochs": EPOCHS} | dict.fromkeys(
        ("max_hours", "max_gpu_hours", "max_total_epochs", "stagnation", "target")
    )
    return schema.Config(
        mode=schema.Mode.run,
        seed=0,
        verbose=1,
        study=schema.StudyConfig("s", "studies", schema.Resume.auto, None),
        objective=schema.ObjectiveConfig("val_acc", "max", schema.Take.best),
        budget=schema.BudgetConfig(**(limits | budget)),
        resources=schema.ResourcesConfig(1, 2, None, 1),
        cluster=schema.ClusterConfig(
            None, None, None, report_every=0.25, grace_seconds=20, min_nodes=None, wait_minutes=10, max_slots=None
        ),
        failures=failures,
        checkpoints=schema.CheckpointsConfig(every_minutes, keep_best, keep_states, min_free),
        security=schema.SecurityConfig([]),
    )


def make_plan(scheduler: Scheduler | None = None, objective: Objective = OBJECTIVE, **budget: Any) -> StudyPlan:
    """What a command asks for, with a fresh searcher and scheduler."""
    settings = make_settings(**budget)
    return StudyPlan(
        settings=settings,
        config={"seed": 0, "budget": {"num_trials": settings.budget.num_trials}, "optimizer": {"lr": 0.1}},
        branches={},
        space=SPACE,
        objective=objective,
        searcher=RandomSearcher(SPACE, seed=0),
        scheduler=scheduler or NoScheduler(),
        num_trials=settings.budget.num_trials,
        command="python -m raytune_nn +search=random",
    )


class Heard(list[Event]):
    """A listener that keeps what it hears."""

    def __call__(self, event: Event, record: StudyRecord) -> None:
        assert event["type"] == "opened" or record.study
        self.append(event)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self]


def conduct(folder: StudyFolder, plan: StudyPlan, heard: Heard | None = None, cache: Cache | None = None) -> Conductor:
    """A conductor with a real journal and nothing else around it; goes on with what the journal holds."""
    journal = Journal(folder.journal)
    journal.append("opened", name=folder.name)
    record = StudyRecord.fold(plan.objective, read_journal(folder.journal))
    budget = Budget(plan.settings.budget, plan.objective, plan.settings.resources.gpus)
    failures = Failures(plan.settings.failures, record)
    listener = Heard() if heard is None else heard
    states = States(folder.checkpoints)
    room = Room(folder, plan.settings.checkpoints.min_free, 0, Retry())
    drivers = (plan.searcher, plan.scheduler, budget, plan.num_trials, failures, listener, plan.fidelity, Secrets())
    return Conductor(record, journal, states, *drivers, room, cache)


def start(conductor: Conductor) -> str:
    """Hands out and starts one trial."""
    task = conductor.next_task()
    assert task is not None
    conductor.started(task.id)
    return task.id


def train(conductor: Conductor, *values: float, error: str = "") -> str:
    """One trial from its suggestion to its end, with a report an epoch."""
    trial = start(conductor)
    for epoch, value in enumerate(values, start=1):
        if not conductor.reported(trial, report(epoch, value)):
            return trial
    conductor.ended(trial, error)
    return trial


def states(conductor: Conductor) -> list[str]:
    """Of the trials, in their order."""
    return [trial.state for trial in conductor.record.trials.values()]


def report(
    epoch: int,
    value: float | None,
    checkpoint: str | None = None,
    seconds: float | None = None,
    saved: bool = False,
    loss: float = 1.0,
    rung: int | None = None,
) -> Event:
    """What a slot sends; without a value the metric is not in it."""
    metrics = {"loss": loss, "val_loss": 2.0} if value is None else {"val_acc": value, "loss": loss}
    return {
        "epoch": epoch,
        "step": 10 * epoch,
        "seconds": float(epoch) if seconds is None else seconds,
        "metrics": metrics,
        "checkpoint": checkpoint,
        "saved": saved,
        "rung": rung,
    }
