"""A driver that is killed at any event changes no decision of the study."""

from __future__ import annotations

import shutil
from collections import defaultdict
from typing import Any

import pytest
from hand_study import Heard, conduct, make_plan, report, start
from hypothesis import given, settings
from hypothesis import strategies as st
from random_slots import SCHEDULERS, STUDIES, Call, Slots, a_folder, check_journal, check_winner, outcome, run

from raytune_nn.config.objective import Objective
from raytune_nn.search.asha import ASHA
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.study.session import open_study
from raytune_nn.trial.task import TrialTask

BUDGET: dict[str, Any] = {"num_trials": 8, "max_retries": 1}
CHECKPOINTS: list[dict[str, Any]] = [{}, {"every_minutes": 1.0, "keep_best": 3}]  # also states elsewhere than at rungs


class Again:
    """Makes the calls of an earlier run on what another driver opened, and expects the same answers."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.unstarted: dict[str, TrialTask] = {}  # handed out to us

    def make(self, call: Call) -> None:
        if call.name == "next_task":
            if call.trial not in self.unstarted:
                self.take(call.trial)
        elif call.name == "started":
            self.slots.start(self.unstarted.pop(call.trial))
        elif call.name == "fall_back":
            self.slots.fall_back(call.trial)
        elif call.name == "reported" and call.epoch <= self.slots.running[call.trial]:
            assert call.answer, "it goes on from a state at this report or a later one"
        elif call.name == "reported":
            assert self.slots.report(call.trial, call.epoch, call.value, call.loss) == call.answer
        else:
            self.slots.end(call.trial, call.error)

    def take(self, expected: str) -> None:
        task = self.slots.conductor.next_task()
        assert task is not None
        assert task.id == expected
        self.unstarted[task.id] = task

    def catch_up(self, calls: list[Call]) -> None:
        """Brings each trial back to where it was after these calls; of the last, some events may be lost."""
        record = self.slots.conductor.record
        for trial in [trial.id for trial in record.trials.values() if trial.state == "waiting"]:
            self.take(trial)  # what waits comes first, in its order
        last = calls[-1] if calls else None
        for call in _of_running(calls):
            if self.goes_on(call.trial):
                self.make(call)
        if last is not None and last.name in ("started", "reported") and self.goes_on(last.trial):
            self.make(last)

    def goes_on(self, trial: str) -> bool:
        record = self.slots.conductor.record.trials[trial]
        return not record.ended and record.state != "paused"


def _of_running(calls: list[Call]) -> list[Call]:
    """Those calls but the last that led trials to where they are."""
    lives: dict[str, list[Call]] = {}
    for call in calls:
        if call.name == "next_task":
            lives[call.trial] = []
        elif call.name in ("ended", "fall_back") or (not call.answer and call is not calls[-1]):
            del lives[call.trial]
        elif call is not calls[-1]:
            lives[call.trial].append(call)
    return [call for life in lives.values() for call in life]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(STUDIES), st.floats(0, 1), st.sampled_from(CHECKPOINTS), st.booleans())
@pytest.mark.slow
def test_the_rest_of_the_calls_gets_the_answers_it_got(
    seed: int, study: tuple[str, Objective], part: float, checkpoints: dict[str, Any], damages: bool
) -> None:
    scheduler, objective = study
    wanted = BUDGET | checkpoints
    with a_folder() as folder, a_folder() as second:
        slots, _ = run(folder, seed, SCHEDULERS[scheduler], objective, damages=damages, **wanted)
        lines = (folder.journal / "00000.jsonl").read_bytes().splitlines(keepends=True)
        cut = 1 + round(part * (len(lines) - 2))  # events that are left; ``opened`` always, ``closed`` never
        _copy(folder, second, lines[:cut])
        before = [call for call in slots.calls if call.before < cut]
        heard = Heard()
        with open_study(make_plan(SCHEDULERS[scheduler](), objective, **wanted), second, heard) as conductor:
            again = Again(Slots(conductor, second, heard, seed, copies=bool(checkpoints)))
            again.catch_up(before)
            for call in slots.calls[len(before) :]:
                again.make(call)
            assert conductor.next_task() is None
            assert conductor.finished
            conductor.close(interrupted=False)
        uncut, resumed = slots.conductor.record, conductor.record
        assert [*map(outcome, resumed.trials.values())] == [*map(outcome, uncut.trials.values())]
        assert [trial.id for trial in resumed.front] == [trial.id for trial in uncut.front]
        check_journal(list(read_journal(second.journal)), **BUDGET)
        check_winner(second, resumed, wanted.get("keep_best", 1))


def _copy(folder: StudyFolder, second: StudyFolder, lines: list[bytes]) -> None:
    shutil.copytree(folder.path, second.path)
    (second.journal / "00000.jsonl").write_bytes(b"".join(lines))
    states: dict[str, list[str]] = defaultdict(list)
    for event in read_journal(second.journal):
        if event["type"] == "resumed" and states.get(event["source"]):
            states[event["trial"]].append(states[event["source"]][-1])
        elif event.get("saved"):
            states[event["trial"]].append(f"{event['trial']} {event['epoch']}")
        elif event["type"] == "fell_back":
            del states[event["trial"]][-1 if event["epoch"] else 0 :]
    for trial, texts in states.items():
        for number, text in enumerate(texts, start=1):
            path = state_path(second.checkpoints, trial, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    shutil.rmtree(second.best, ignore_errors=True)


def test_a_trial_that_was_to_be_stopped_is_stopped_and_not_trained_again() -> None:
    """Its driver died between the report and the verdict, or between the verdict and the end."""
    for lost in (1, 2):
        with a_folder() as folder:
            first = conduct(folder, make_plan(ASHA(9, promote=False), num_trials=3))
            for value in (0.9, 0.8, 0.7):
                first.reported(start(first), report(1, value))
            segment = folder.journal / "00000.jsonl"
            lines = segment.read_bytes().splitlines(keepends=True)
            segment.write_bytes(b"".join(lines[:-lost]))
            heard = Heard()
            with open_study(make_plan(ASHA(9, promote=False), num_trials=3), folder, heard) as second:
                assert heard.types == ["opened", "decided", "ended"]
                assert second.record.trials["2"].state == "stopped"
                assert second.record.trials["2"].reason == "stopped at rung 1: 0.7 < 0.9"
                assert [start(second), start(second)] == ["0", "1"]
                assert second.next_task() is None
                second.close(interrupted=False)
