"""Studies that never ran, as the report sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_records import Told

from raytune_nn.config import schema
from raytune_nn.config.objective import Goal, Objective
from raytune_nn.report.study import Study
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord

ACCURACY = Objective("val_acc", True, schema.Take.best)
FRONT = Objective("val_acc", True, schema.Take.best, further=(Goal("val_loss", False),))
COMMAND = "python -m raytune_nn +search=asha study.name=first"


def make_settings(max_epochs: int = 9, gpus: float = 0) -> schema.Config:
    """Those that the report reads."""
    limits: dict[str, Any] = {"max_hours": None, "max_gpu_hours": None, "target": None}
    limits |= {"max_total_epochs": None, "stagnation": None}
    return schema.Config(
        budget=schema.BudgetConfig(num_trials=4, max_epochs=max_epochs, **limits),
        resources=schema.ResourcesConfig(cpus=1, gpus=gpus, memory=None, workers=1),
        search=None,
    )


class Made(Told):
    """A study of which each event is told by hand, a second apart."""

    def __init__(self, objective: Objective = ACCURACY) -> None:
        super().__init__()
        self.record = StudyRecord(objective)
        self.events: list[Event] = []

    def tell(self, type: str, **fields: Any) -> Event:
        event = super().tell(type, **fields)
        self.events.append(event)
        return event

    def begin(self, version: str = "0.1.0") -> Made:
        self.tell("opened", name="first", torn=0, command=COMMAND, versions={"raytune_nn": version})
        return self

    def close(self, status: str = "complete", reason: str = "") -> Made:
        self.tell("closed", status=status, reason=reason)
        return self

    def train(self, trial: str, *values: float, slot: int = 0, begin: int = 0, **params: Any) -> Made:
        """A piece of work from its start to its last report, an epoch a second; the first suggests the trial."""
        if trial not in self.record.trials:
            self.tell("suggested", trial=trial, params=params)
        self.tell("started", trial=trial, slot=slot, **({"epoch": begin} if begin else {}))
        for index, value in enumerate(values, start=1):
            metrics = {"val_acc": value, "val_loss": 1 - value}
            more = {"step": begin + index, "seconds": 1.0 * index, "saved": True}
            self.tell("reported", trial=trial, epoch=begin + index, metrics=metrics, **more)
        return self

    def end(self, trial: str, state: str = "complete", reason: str = "", error: str = "") -> Made:
        self.tell("ended", trial=trial, state=state, reason=reason, error=error)
        return self

    def pause(self, trial: str, reason: str) -> Made:
        self.tell("decided", trial=trial, epoch=self.record.trials[trial].epochs, decision="pause", reason=reason)
        return self

    def study(self, folder: Path, settings: schema.Config | None = None) -> Study:
        """As it is by now."""
        return Study(StudyFolder(folder / "first"), self.record, self.events, settings or make_settings(), None)


def made_asha() -> Made:
    """Trial 1 is promoted and wins, 2 is its runner-up, 0 is stopped, 3 fails; two slots."""
    made = Made().begin()
    made.train("0", 0.5, lr=0.1).pause("0", "0.5 at rung 1")
    made.train("1", 0.7, slot=1, lr=0.01).pause("1", "0.7 at rung 1")
    made.tell("resumed", trial="1", source=None, params=None, new=False)
    made.train("1", 0.8, 0.9, begin=1).end("1")
    made.train("2", 0.6, 0.75, 0.85, slot=1, lr=0.02).end("2")
    made.train("3", 0.4, lr=1.0).end("3", "failed", "ValueError: <script>", "Traceback\nValueError: <script>")
    return made.end("0", "stopped", "stopped at rung 1: 0.5 < 0.7").close()
