"""Trials that are stopped by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hand_study import EPOCHS, OBJECTIVE, SPACE, Heard, conduct, make_plan, report, start
from hypothesis import given, settings
from hypothesis import strategies as st
from random_slots import SCHEDULERS, Slots, a_folder, check_journal

from raytune_nn.config.fidelity import EPOCHS as IN_EPOCHS
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.search.scheduler import Resumption, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import BY_HAND, StudyRecord
from raytune_nn.store.stop_requests import STUDY
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.resume import replay
from raytune_nn.study.session import open_study

ALL: dict[str, Callable[[], Scheduler]] = {
    **SCHEDULERS,
    "pbt": lambda: PBT(6, EPOCHS, interval=2, space=SPACE, seed=3),
}


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def ended(conductor: Conductor, trial: str) -> tuple[str, str, float | None]:
    record = conductor.record.trials[trial]
    return record.state, record.reason, record.value


def test_a_running_trial_ends_at_its_next_report_and_its_value_counts(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(), heard)
    first, second = start(conductor), start(conductor)
    conductor.reported(first, report(1, 0.5))
    conductor.by_hand.ask(first)
    conductor.tick()
    assert conductor.record.trials[first].state == "running"
    assert conductor.reported(second, report(1, 0.1))
    assert not conductor.reported(first, report(2, 0.9))
    assert ended(conductor, first) == ("stopped", BY_HAND, 0.9)
    assert conductor.record.best is conductor.record.trials[first]
    assert heard.types[-3:] == ["reported", "decided", "ended"]
    assert (heard[-2]["decision"], heard[-2]["reason"]) == ("stop", BY_HAND)
    assert conductor.reported(second, report(2, 0.2)), "the others go on"


def test_a_trial_that_comes_to_its_end_first_is_complete(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    trial = start(conductor)
    conductor.reported(trial, report(1, 0.5))
    conductor.by_hand.ask(trial)
    conductor.ended(trial)
    conductor.tick()
    assert ended(conductor, trial) == ("complete", "", 0.5)


def test_a_failed_attempt_is_not_tried_again(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1, max_retries=3))
    trial = start(conductor)
    conductor.reported(trial, report(1, 0.5))
    conductor.by_hand.ask(trial)
    conductor.ended(trial, "ValueError: no")
    assert conductor.next_task() is None
    assert ended(conductor, trial) == ("stopped", BY_HAND, 0.5)
    assert conductor.finished


def test_what_is_none_or_has_ended_changes_nothing(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(), heard)
    trial = start(conductor)
    conductor.by_hand.ask(trial)
    written = len(heard)
    for what in ("7", "", "../x", trial):
        conductor.by_hand.ask(what)
    assert len(heard) == written
    conductor.by_hand.ask(STUDY)
    assert heard.types[written:] == ["stop_asked"]
    assert "trial" not in heard[-1]


def test_a_paused_trial_is_never_promoted(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(9), num_trials=3))
    trials = [start(conductor) for _ in range(3)]
    for trial, value in zip(trials, (0.9, 0.5, 0.4), strict=True):
        assert not conductor.reported(trial, report(1, value, saved=True)) or trial == trials[2]
    best = max(trials[:2], key=lambda trial: conductor.record.trials[trial].value or 0.0)
    assert conductor.record.trials[best].state == "paused"
    conductor.by_hand.ask(best)
    conductor.tick()
    assert ended(conductor, best) == ("stopped", BY_HAND, 0.9)
    going_on = conductor.next_task()
    assert going_on is None or going_on.id != best


def test_the_next_driver_remembers(folder: StudyFolder) -> None:
    """The one before was killed between hearing of it and the next report."""
    first = conduct(folder, make_plan())
    running, other = start(first), start(first)
    first.reported(running, report(1, 0.5))
    first.by_hand.ask(running)
    first.tick()
    second = conduct(folder, make_plan())
    task = second.next_task()
    assert task is not None
    assert task.id == other, "the first one waits, and has no report to come"
    assert ended(second, running) == ("stopped", BY_HAND, 0.5)


class Calls(Scheduler, Searcher):
    """Passes calls on, and keeps them."""

    def __init__(self, scheduler: Scheduler, searcher: Searcher) -> None:
        self.scheduler, self.searcher = scheduler, searcher
        self.calls: list[tuple[Any, ...]] = []

    @property
    def pauses(self) -> bool:
        return self.scheduler.pauses

    @property
    def copies(self) -> bool:
        return self.scheduler.copies

    @property
    def decision_steps(self) -> frozenset[int] | None:
        return self.scheduler.decision_steps

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        self.calls.append(("start", trial, params))
        self.scheduler.on_start(trial, params)

    def on_report(self, trial: str, step: int, score: float) -> Verdict:  # type: ignore[override]  # Searcher's is None
        verdict = self.scheduler.on_report(trial, step, score)
        self.calls.append(("report", trial, step, score, verdict))
        return verdict

    def on_pause(self, trial: str, params: dict[str, Any]) -> None:
        self.calls.append(("pause", trial, params))

    def on_end(self, trial: str, params: Any, score: Any = None, state: str | None = None) -> None:
        self.calls.append(("end", trial, params, score, state))
        if state is None:
            self.scheduler.on_end(trial, params)

    def on_fall_back(self, trial: str, epochs: int) -> dict[str, Any] | None:
        self.calls.append(("fall back", trial, epochs))
        return self.scheduler.on_fall_back(trial, epochs)

    def next_to_run(self, new_available: bool) -> Resumption | None:
        resumption = self.scheduler.next_to_run(new_available)
        if resumption is not None:
            self.calls.append(("next", resumption))
        return resumption

    def suggest(self, number: int) -> dict[str, Any] | None:
        params = self.searcher.suggest(number)
        self.calls.append(("suggest", number, params))
        return params

    def describe(self) -> str:
        return ""


def recording(name: str) -> tuple[Calls, Any]:
    plan = make_plan(num_trials=6, max_retries=1)
    calls = Calls(ALL[name](), plan.searcher)
    return calls, replace(plan, scheduler=calls, searcher=calls)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(ALL)), st.lists(st.integers(1, 12), min_size=1, max_size=5))
@pytest.mark.slow
def test_a_resumed_study_replays_what_was_stopped_and_comes_to_its_end(
    seed: int, name: str, lengths: list[int]
) -> None:
    rng = random.Random(seed)
    asked: set[str] = set()
    with a_folder() as folder:
        for length in [*lengths, None]:
            live, plan = recording(name)
            heard = Heard()
            with open_study(plan, folder, heard) as conductor:
                slots = Slots(conductor, folder, heard, seed)
                if length is None:
                    slots.run()
                    conductor.close(interrupted=False)
                    break
                slots.run(length)
                trial = str(rng.randrange(6))
                conductor.by_hand.ask(trial)
                asked |= {trial} & conductor.record.trials.keys()
                slots.run(rng.randrange(4))
                events = list(read_journal(folder.journal))
                told, again = recording(name)
                record = StudyRecord.fold(OBJECTIVE, events)
                replay(events, record, told, told, IN_EPOCHS)
                assert told.calls == live.calls
                assert again.num_trials == 6
                conductor.interrupt()
                conductor.close(interrupted=True)
        events = list(read_journal(folder.journal))
        check_journal(events, 6, 1)
        record = conductor.record
        assert all(trial.ended for trial in record.trials.values())
        for id in asked:
            state, reason = record.trials[id].state, record.trials[id].reason
            assert (state, reason) == ("stopped", BY_HAND) or state in ("complete", "diverged", "failed") or reason
        by_hand = {trial.id for trial in record.trials.values() if trial.reason == BY_HAND}
        assert by_hand <= asked
        for id in by_hand:
            asks = [event["type"] == "stop_asked" and event["trial"] == id for event in events]
            after = [event["type"] for event in events[asks.index(True) :] if event.get("trial") == id]
            assert after.count("reported") <= 1
            assert after[-1] == "ended"
            assert "resumed" not in after
