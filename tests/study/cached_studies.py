"""Studies of made-up trainings, of which each can take over what another has trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hand_study import EPOCHS, OBJECTIVE, conduct, make_plan, report

from raytune_nn.config.identity import digest
from raytune_nn.search.asha import ASHA
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.seal import write_sealed
from raytune_nn.study.cache import Cache
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.identities import Identities
from raytune_nn.study.resume import replay

SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "none": NoScheduler,
    "promoting": lambda: ASHA(EPOCHS),
    "stopping": lambda: ASHA(EPOCHS, promote=False),
}


class OfParams(Identities):
    """Identities that are the parameters', without code or data to read."""

    def __init__(self, code: str = "code") -> None:
        self._name = code

    def begin(self) -> None:
        pass

    @property
    def code(self) -> str:
        return self._name

    def of(self, params: Any) -> str:
        return f"{self._name}-data-{digest(params)}"


class Cycle(Searcher):
    """Suggests the same few values again and again."""

    def __init__(self, values: int) -> None:
        self._values = values

    def suggest(self, number: int) -> dict[str, Any]:
        return {"optimizer.lr": (number % self._values + 1) / 100}


def value(lr: float, epoch: int) -> float:
    """Of a training with this rate: all are different, and most improve."""
    return round(0.5 + (lr * 7919 % 0.4) + 0.01 * epoch, 6)


def study(
    folder: StudyFolder,
    *sources: StudyFolder,
    scheduler: str = "none",
    searcher: Searcher | None = None,
    code: str = "code",
    statuses: dict[str, str] | None = None,
    said: list[str] | None = None,
    **budget: Any,
) -> Conductor:
    """A conductor of a study that takes over from others; goes on where its journal ends."""
    plan = make_plan(SCHEDULERS[scheduler](), **budget)
    if searcher is not None:
        plan = replace(plan, searcher=searcher)
    listed = [(source, (statuses or {}).get(source.name, "complete")) for source in sources]
    cache = Cache(OfParams(code), listed, OBJECTIVE, folder)
    cache.begin(([] if said is None else said).append)
    conductor = conduct(folder, plan, cache=cache)
    events = list(read_journal(folder.journal))
    pending = replay(events, conductor.record, plan.searcher, plan.scheduler, plan.fidelity)
    for id, verdict in pending.items():
        conductor.endings.carry_out(conductor.record.trials[id], verdict)
    return conductor


def run(conductor: Conductor, folder: StudyFolder, slots: int = 2, steps: int | None = None) -> Conductor:
    """Trains on so many slots, an epoch each in turn, until nothing is left to do, or for so many epochs.

    A model is kept of each report that is a trial's best so far.
    """
    running: dict[str, int] = {}
    while True:
        while len(running) < slots and (task := conductor.next_task()) is not None:
            conductor.started(task.id)
            running[task.id] = task.epoch
        if not running or (steps is not None and steps <= 0):
            break
        for trial in list(running):
            epoch = running[trial] = running[trial] + 1
            steps = None if steps is None else steps - 1
            lr = conductor.record.trials[trial].params["optimizer.lr"]
            write_model(folder, trial)
            sent = report(epoch, value(lr, epoch), checkpoint=trial, saved=epoch < EPOCHS)
            if not conductor.reported(trial, sent):
                del running[trial]
            elif epoch == EPOCHS:
                conductor.ended(trial)
                del running[trial]
    if steps is None:
        assert conductor.finished
        conductor.close(interrupted=False)
    return conductor


def write_model(folder: StudyFolder, trial: str) -> None:
    """A checkpoint that says whose it is."""
    place = folder.checkpoints / trial
    place.mkdir(parents=True, exist_ok=True)
    with (place / MODEL).open("w+b") as file:
        write_sealed(lambda to: to.write(b"model \0\0"), file)
    (place / "config.yaml").write_text("{}")


def made(tmp_path: Path, name: str = "first", **more: Any) -> StudyFolder:
    """The folder of a study that has run to its end."""
    folder = StudyFolder(tmp_path / name)
    run(study(folder, **more), folder)
    return folder
