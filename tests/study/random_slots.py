"""Whole studies without Ray: slots that run made-up trials in a random order."""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hand_study import EPOCHS, OBJECTIVE, TWO, Heard, make_plan, report

from raytune_nn.config.objective import Objective, Values
from raytune_nn.search.asha import ASHA
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Scheduler, Verdict
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import ENDED, TrialRecord
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.session import open_study
from raytune_nn.trial.task import TrialTask


class Copying(Scheduler):
    """Pauses every trial at epochs 3 and 6; each goes on from the state of the one that was best there, with that one's
    parameters changed, where it is not the best itself.
    """

    pauses = copies = True
    decision_steps = frozenset({3, 6})

    def __init__(self) -> None:
        self._params: dict[str, dict[str, Any]] = {}
        self._scores: dict[int, dict[str, float]] = {3: {}, 6: {}}
        self._paused: list[tuple[str, int]] = []

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        self._params[trial] = params

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        if trial in self._scores.get(step, [trial]):
            waits = (trial, step) in self._paused
            return Verdict(Decision.PAUSE, "to copy") if waits else GO_ON
        self._scores[step][trial] = score
        self._paused.append((trial, step))
        return Verdict(Decision.PAUSE, "to copy")

    def on_end(self, trial: str, complete: bool) -> None:
        self._paused = [pair for pair in self._paused if pair[0] != trial]

    def next_to_run(self, new_available: bool) -> Resumption | None:
        if not self._paused or (new_available and len(self._paused) < 3):
            return None
        trial, step = self._paused.pop(0)
        scores = self._scores[step]
        best = max(scores, key=lambda other: scores[other])
        if scores[best] == scores[trial]:
            return Resumption(trial)
        self._params[trial] = {"optimizer.lr": self._params[best]["optimizer.lr"] * 1.25}
        return Resumption(trial, best, self._params[trial])

    def describe(self) -> str:
        return "copies"


SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "none": NoScheduler,
    "promoting": lambda: ASHA(EPOCHS),
    "copying": Copying,
    "stopping": lambda: ASHA(EPOCHS, promote=False),
}
STUDIES = [*((name, OBJECTIVE) for name in sorted(SCHEDULERS)), ("none", TWO)]


FAILED, OUT = "Traceback\nValueError: so it is", "Traceback\ntorch.OutOfMemoryError: CUDA out of memory"


@dataclass(frozen=True)
class Life:
    """What becomes of one attempt at a trial that nobody stops."""

    values: list[float]  # by epoch
    losses: list[float]
    fails_after: int | None  # epochs, where it does
    error: str = ""

    @classmethod
    def of(cls, seed: int, trial: str, attempt: int, alone: bool) -> Life:
        """A few diverge, a few fail, half of these at the first attempt only, a few for memory, half of these alone."""
        rng = random.Random(f"{seed}/{trial}")
        values = [round(rng.random(), 1) for _ in range(EPOCHS)]
        fate = rng.random()
        if fate < 0.15:
            values[rng.randrange(EPOCHS)] = rng.choice([math.nan, math.inf, -math.inf])
        losses = [round(rng.random(), 1) for _ in range(EPOCHS)]
        if rng.random() < 0.1:
            losses[rng.randrange(EPOCHS)] = math.nan
        again = rng.random() < 0.5
        if fate > 0.7 and (attempt == 0 or again):
            return cls(values, losses, rng.randrange(EPOCHS), FAILED)
        if 0.5 < fate < 0.65 and (not alone or again):
            return cls(values, losses, rng.randrange(EPOCHS), OUT)
        return cls(values, losses, None)


@dataclass(frozen=True)
class Call:
    """A call of the conductor, what it answered, and how many events it had been told before."""

    name: str
    trial: str
    before: int
    epoch: int = 0
    value: float = 0.0
    loss: float = 1.0
    error: str = ""
    answer: bool = True


class Slots:
    """Runs trials as Tune would, in a random order, and keeps the calls.

    Checkpoints are real folders: their ``model.ckpt`` says which trial and epoch wrote it.

    Args:
        crowded: Whether they share GPUs, so that trials can run out of memory there.
        copies: Whether trials save states for safety.
        damages: Whether some states are damaged.
    """

    def __init__(
        self,
        conductor: Conductor,
        folder: StudyFolder,
        heard: Heard,
        seed: int,
        crowded: bool = False,
        copies: bool = False,
        damages: bool = False,
    ) -> None:
        self.conductor, self.folder, self.heard = conductor, folder, heard
        self.seed, self.slots, self.crowded, self.rng = seed, 3, crowded, random.Random(seed)
        self.damages, self.found = damages, 0
        self.copies = copies and not conductor._scheduler.copies  # for safety
        self.running: dict[str, int] = {}  # id -> epochs reported
        self.saves: dict[str, int] = {}
        self.tasks: dict[str, TrialTask] = {}
        self.values: dict[str, Values | None] = {}  # of each trial
        self.calls: list[Call] = []

    def run(self, steps: int | None = None) -> None:
        """Until nothing is left to do, or for so many steps."""
        while steps is None or steps > 0:
            self.fill()
            if not self.running:
                assert self.conductor.finished
                return
            assert self.conductor.ending or not self.conductor.finished
            self.advance(self.rng.choice(sorted(self.running)))
            steps = None if steps is None else steps - 1

    def fill(self) -> None:
        while len(self.running) < self.slots:
            before = len(self.heard)
            task = self.conductor.next_task()
            if task is None:
                return
            self.calls.append(Call("next_task", task.id, before))
            self.start(task)

    def start(self, task: TrialTask) -> None:
        assert task.id not in self.running
        self.calls.append(Call("started", task.id, len(self.heard)))
        self.conductor.started(task.id)
        self.running[task.id] = task.epoch
        self.tasks[task.id], self.values[task.id] = task, task.values
        self.saves[task.id] = task.saves
        if task.epoch:
            state = state_path(self.folder.checkpoints, task.id, task.saves).read_text()
            assert state.split()[1] == str(task.epoch)
            if self.damages and self.rng.random() < 0.3:
                self.fall_back(task.id)

    def fall_back(self, trial: str) -> None:
        """As it is where the state is damaged."""
        self.calls.append(Call("fall_back", trial, len(self.heard)))
        self.conductor.fall_back(trial, "damaged", "Traceback")
        del self.running[trial]
        self.found += 1

    def advance(self, trial: str) -> None:
        """The next thing that happens in this trial."""
        epoch = self.running[trial]
        record = self.conductor.record.trials[trial]
        life = Life.of(self.seed, trial, record.retries, record.alone)
        if epoch == life.fails_after and (self.crowded or life.error != OUT):
            self.end(trial, life.error)
        elif epoch == EPOCHS:
            self.end(trial)
        else:
            self.report(trial, epoch + 1, life.values[epoch], life.losses[epoch])

    def end(self, trial: str, error: str = "") -> None:
        self.calls.append(Call("ended", trial, len(self.heard), error=error))
        self.conductor.ended(trial, error, out_of_memory=error == OUT)
        del self.running[trial]

    def report(self, trial: str, epoch: int, value: float, loss: float = 1.0) -> bool:
        call = Call("reported", trial, len(self.heard), epoch, value, loss)
        saved = self.save(trial, epoch) if math.isfinite(value) else False
        several = bool(self.conductor.record.objective.further)
        checkpoint = self.checkpoint(trial, epoch, (value, loss) if several else (value,))
        answer = self.conductor.reported(trial, report(epoch, value, checkpoint, saved=saved, loss=loss))
        self.calls.append(replace(call, answer=answer))
        self.running[trial] = epoch
        if not answer:
            del self.running[trial]
        return answer

    def save(self, trial: str, epoch: int) -> bool:
        """As ``trial/training_state.py`` does it."""
        scheduler = self.conductor._scheduler
        pauses = scheduler.pauses and epoch in (scheduler.decision_steps or ())
        if not pauses and not (self.copies and random.Random(f"{self.seed}/{trial}/{epoch}").random() < 0.3):
            return False
        self.saves[trial] += 1
        path = state_path(self.folder.checkpoints, trial, self.saves[trial])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{trial} {epoch}")
        return True

    def checkpoint(self, trial: str, epoch: int, values: Values) -> str | None:
        """As ``trial/checkpoint.py`` does it."""
        own = self.values[trial]
        if not all(map(math.isfinite, values)) or (own is not None and values[0] <= own[0]):
            return None
        self.values[trial] = values
        if any(wins(others, values) for others in self.tasks[trial].front):
            return None
        path = self.folder.checkpoints / trial / "model.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{trial} {epoch}")
        return trial


def wins(values: Values, others: Values) -> bool:
    """Whether others are no news beside these: of one metric, not better; of two, the second a loss, dominated."""
    if len(values) == 1:
        return values[0] >= others[0]
    return values != others and values[0] >= others[0] and values[1] <= others[1]


@contextmanager
def a_folder() -> Iterator[StudyFolder]:
    """Of a study that lasts for one example, and need not survive a power cut."""
    whole = patch("raytune_nn.store.checkpoints.damage", return_value="")  # the models here are texts
    with tempfile.TemporaryDirectory() as name, patch("os.fsync"), whole:
        yield StudyFolder(Path(name) / "s")


def run(
    folder: StudyFolder,
    seed: int,
    scheduler: Callable[[], Scheduler],
    objective: Objective = OBJECTIVE,
    crowded: bool = False,
    damages: bool = False,
    **budget: Any,
) -> tuple[Slots, Heard]:
    """One driver's time with a study, from where it stands to its end."""
    heard = Heard()
    with open_study(make_plan(scheduler(), objective, **budget), folder, heard) as conductor:
        slots = Slots(conductor, folder, heard, seed, crowded, "every_minutes" in budget, damages)
        slots.run()
        conductor.close(interrupted=False)
    return slots, heard


def check_journal(events: list[Event], num_trials: int, max_retries: int) -> None:
    """The rules that every journal keeps, whatever was killed when."""
    states: dict[str, str] = {}
    retries, alone = Counter[str](), Counter[str]()
    for event in events:
        trial, kind = event.get("trial", ""), event["type"]
        if kind == "opened":
            states = {id: "waiting" if state == "running" else state for id, state in states.items()}
        elif kind == "suggested":
            assert trial == str(len(states))
            states[trial] = "waiting"
        elif kind == "started":
            assert states[trial] == "waiting"
            states[trial] = "running"
        elif kind in ("reported", "checkpointed"):
            assert states[trial] == "running"
        elif kind == "retried":
            assert states[trial] == "running"
            states[trial] = "waiting"
            (alone if event.get("alone") else retries)[trial] += 1
        elif kind == "fell_back":
            assert states[trial] == "running"
            states[trial] = "waiting"
        elif kind == "decided" and event["decision"] == "pause":
            assert states[trial] in ("running", "waiting"), "or its driver died before this"
            states[trial] = "paused"
        elif kind == "resumed":
            assert states[trial] == "paused"
            states[trial] = "waiting"
        elif kind == "ended":
            assert states[trial] not in ENDED
            states[trial] = event["state"]
    assert len(states) <= num_trials
    assert max(retries.values(), default=0) <= max_retries
    assert max(alone.values(), default=0) <= 1


def check_winner(folder: StudyFolder, record: StudyRecord, keep_best: int = 1) -> None:
    kept = sorted(path.name for path in folder.checkpoints.glob("*"))
    if record.best is None:
        assert kept == []
        assert not folder.best.exists()
        return
    valued = [(trial.id, record.values(trial)) for trial in record.trials.values() if record.may_win(trial)]
    known = [(id, values) for id, values in valued if values is not None]
    assert record.best.value == max(values[0] for _, values in known)
    if record.objective.further:
        front = {id for id, values in known if not any(wins(others, values) for _, others in known)}
        assert kept == sorted(front) == sorted(trial.id for trial in record.front)
    else:
        best = sorted((record.objective.score(values[0]) for _, values in known), reverse=True)[:keep_best]
        assert kept == sorted(trial.id for trial in record.kept.trials)
        assert [record.objective.score(trial.value or 0.0) for trial in record.kept.trials] == best
    for trial in record.kept.trials:
        assert (folder.checkpoints / trial.id / "model.ckpt").read_text() == f"{trial.id} {trial.value_epoch}"
    assert (folder.best / "model.ckpt").read_text() == f"{record.best.id} {record.best.value_epoch}"


def outcome(trial: TrialRecord) -> tuple[object, ...]:
    """What a trial came to; the metrics as text, since NaN is not equal to itself."""
    return (
        trial.id,
        trial.params,
        trial.state,
        trial.value,
        str(trial.metrics),
        trial.value_epoch,
        trial.epochs,
        trial.reason,
        trial.retries,
        trial.alone,
    )
