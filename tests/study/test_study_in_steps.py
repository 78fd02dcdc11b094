"""Studies on the digits whose schedulers count optimizer steps: one slot, in this process, with real trainings."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

import pytest
import torch
from command_line import inside

from raytune_nn.modes.preflight import preflight
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import replay
from raytune_nn.study.session import StudyPlan, open_study
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation

# An epoch has 11, 21 or 42 steps, as the batch size is drawn.
SMALL = ("search.fidelity=step", "budget.num_trials=5", "budget.max_epochs=5", "seed=1", "cluster.cpus=1")
ASHA = ("+search=asha", *SMALL, "search.scheduler.max_epochs=270", "search.scheduler.grace_period=30")
RUNGS = (30, 90)
PBT = ("+search=pbt", *SMALL, "search.scheduler.max_epochs=120", "search.scheduler.interval=30")


class Killed(Exception):
    """The driver dies."""


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    gc.unfreeze()


def run(name: str, command: tuple[str, ...], kill_after: int | None = None) -> tuple[StudyPlan, list[Event]]:
    """One driver's time with a study; the plan is as fresh as the journal found it."""
    checked = inside(preflight, *command, f"study.name={name}")
    plan, folder, isolation = checked.plan, checked.folder, Isolation(threads=1)
    heard: list[str] = []

    def listen(event: Event, record: StudyRecord) -> None:
        heard.append(event["type"])
        if len(heard) == kill_after:
            raise Killed

    with suppress(Killed), open_study(plan, folder, listen) as conductor:
        while (task := conductor.next_task()) is not None:
            conductor.started(task.id)
            id = task.id
            run_trial(plan.context(folder), task, isolation, lambda report: conductor.reported(id, asdict(report)))  # noqa: B023
            conductor.ended(id)
        conductor.close(interrupted=False)
    return plan, list(read_journal(folder.journal))


def paused(events: list[Event]) -> list[tuple[str, int, str]]:
    return [(event["trial"], event["epoch"], event["reason"]) for event in events if event["type"] == "decided"]


def outcome(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["trial"], event["state"]) for event in events if event["type"] == "ended"]


def steps(events: list[Event]) -> dict[str, dict[int, int]]:
    """Of each trial, the optimizer steps at the ends of its epochs."""
    found: dict[str, dict[int, int]] = defaultdict(lambda: {0: 0})
    for event in events:
        if event["type"] == "reported":
            found[event["trial"]][event["epoch"]] = event["step"]
    return found


@pytest.mark.usefixtures("here")
def test_rungs_are_entered_by_steps_and_a_replay_gives_the_same_decisions() -> None:
    _, events = run("first", ASHA)
    taken = steps(events)
    assert len({each[1] for each in taken.values()}) > 1, "or steps would be epochs by another name"
    for trial, epoch, reason in paused(events):
        before, now = taken[trial][epoch - 1], taken[trial][epoch]
        rung = max(rung for rung in RUNGS if rung <= now)
        assert before < rung, "its first report at the rung or after it"
        assert reason.startswith(f"paused at rung {rung}: ")
    assert {trial for trial, _, _ in paused(events)} == set(taken), "everybody pauses at the first"
    for event in events:
        if event.get("saved"):
            before = taken[event["trial"]][event["epoch"] - 1]
            assert any(before < rung <= event["step"] for rung in RUNGS), "no state is saved elsewhere"

    places = [place for place, event in enumerate(events) if event["type"] == "decided"]
    for place in places:
        plan = inside(lambda composed: preflight(composed).plan, *ASHA, "study.name=again")
        record = StudyRecord.fold(plan.objective, events[:place])
        pending = replay(events[:place], record, plan.searcher, plan.scheduler, plan.fidelity)
        decided = {events[place]["trial"]: events[place]["reason"]}
        assert {id: verdict.reason for id, verdict in pending.items()} == decided


@pytest.mark.slow
@pytest.mark.parametrize("command", [ASHA, PBT], ids=["asha", "pbt"])
@pytest.mark.usefixtures("here")
def test_a_study_that_was_cut_goes_on_as_if_it_was_not(command: tuple[str, ...]) -> None:
    _, whole = run("whole", command)
    for cut in (9, 21):
        run(f"cut{cut}", command, kill_after=cut)
        _, events = run(f"cut{cut}", command)
        assert sorted(set(paused(events))) == sorted(paused(whole))
        assert outcome(events) == outcome(whole)
        assert steps(events) == steps(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_population_is_compared_every_so_many_steps() -> None:
    _, events = run("first", PBT)
    now: dict[str, int] = defaultdict(int)
    saved: dict[str, int] = {}
    passed: dict[str, bool] = {}
    for event in events:
        trial = event.get("trial", "")
        if event["type"] == "reported":
            passed[trial] = any(now[trial] < step <= event["step"] for step in (30, 60, 90))
            assert event.get("saved", False) <= passed[trial], "no state is saved elsewhere"
            now[trial] = event["step"]
            saved[trial] = event["step"] if event.get("saved") else saved.get(trial, 0)
        elif event["type"] == "decided":
            assert passed[trial]
        elif event["type"] == "resumed":
            now[trial] = saved[trial] = saved[event["source"] or trial]
    assert any(event["type"] == "resumed" and event["source"] is not None for event in events), "somebody is copied"
