"""Studies in this process: one slot, real trainings, no Ray; and what their journals say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from command_line import inside

from raytune_nn.modes.preflight import preflight
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.session import open_study
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.saved_state import UnusableState


class Killed(Exception):
    """The driver dies."""


def run(
    name: str,
    command: tuple[str, ...],
    kill_after: int | None = None,
    harm: Callable[[Event, Path], None] | None = None,
) -> list[Event]:
    """One driver's time with a study, to its end or so many events; returns the journal.

    Args:
        harm: Told each event and the study's folder, before the driver goes on.
    """
    checked = inside(preflight, *command, f"study.name={name}")
    plan, folder, isolation = checked.plan, checked.folder, Isolation(threads=1)
    heard: list[str] = []

    def listen(event: Event, record: StudyRecord) -> None:
        heard.append(event["type"])
        if harm is not None:
            harm(event, folder.path)
        if len(heard) == kill_after:
            raise Killed

    with suppress(Killed), open_study(plan, folder, listen) as conductor:
        while (task := conductor.next_task()) is not None:
            conductor.started(task.id)
            id = task.id
            try:
                run_trial(plan.context(folder), task, isolation, lambda report: conductor.reported(id, asdict(report)))  # noqa: B023
            except UnusableState as error:
                conductor.fall_back(id, str(error), "")
            else:
                conductor.ended(id)
        conductor.close(interrupted=False)
    return list(read_journal(folder.journal))


def paused(events: list[Event]) -> list[tuple[str, int, str]]:
    return [(event["trial"], event["epoch"], event["reason"]) for event in events if event["type"] == "decided"]
