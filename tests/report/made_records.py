"""Records of studies that never ran, and settings to show them under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytune_nn.config import schema
from raytune_nn.config.objective import Objective
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord


def make_settings(verbose: int = 1, max_epochs: int = 9, **limits: Any) -> schema.Config:
    """The settings that the live view reads; keywords are keys of ``budget``."""
    unset = dict.fromkeys(("max_hours", "max_gpu_hours", "max_total_epochs", "stagnation", "target"))
    budget = schema.BudgetConfig(num_trials=4, max_epochs=max_epochs, **(unset | limits))
    return schema.Config(verbose=verbose, budget=budget)


class Told:
    """A record that grows event by event, a second apart."""

    def __init__(self, metric: str = "val_acc", maximise: bool = True) -> None:
        self.record = StudyRecord(Objective(metric, maximise, schema.Take.best))
        self.metric, self.now = metric, 100.0

    def tell(self, type: str, **fields: Any) -> Event:
        self.now += 1.0
        event = {"type": type, "time": self.now, **fields}
        self.record.apply(event)
        return event

    def open(self, torn: int = 0) -> Event:
        return self.tell("opened", name="s", torn=torn)

    def trial(
        self, *values: float, end: str | None = "complete", params: dict[str, Any] | None = None, error: str = ""
    ) -> Iterator[Event]:
        """The events of one trial, a report an epoch."""
        trial = str(len(self.record.trials))
        yield self.tell("suggested", trial=trial, params=params or {})
        yield self.tell("started", trial=trial)
        for epoch, value in enumerate(values, start=1):
            metrics = {self.metric: value}
            yield self.tell("reported", trial=trial, epoch=epoch, seconds=1.0 * epoch, metrics=metrics)
        if end:
            reason = error.strip().splitlines()[-1] if error else ""
            yield self.tell("ended", trial=trial, state=end, reason=reason, error=error)

    def changed(self) -> Iterator[Event]:
        """A trial that reports 0.9 with one rate, goes on with another, reports 0.8, and runs on."""
        trial = str(len(self.record.trials))
        yield self.tell("suggested", trial=trial, params={"lr": 0.1})
        yield self.tell("started", trial=trial)
        yield self.tell("reported", trial=trial, epoch=1, seconds=1.0, metrics={self.metric: 0.9}, saved=True)
        yield self.tell("decided", trial=trial, decision="pause", reason="so")
        yield self.tell("resumed", trial=trial, source=None, params={"lr": 0.5}, new=False)
        yield self.tell("started", trial=trial, epoch=1)
        yield self.tell("reported", trial=trial, epoch=2, seconds=1.0, metrics={self.metric: 0.8}, saved=True)

    def add(self, *values: float, **more: Any) -> None:
        """A trial that nobody listens to."""
        for _ in self.trial(*values, **more):
            pass
