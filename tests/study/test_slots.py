"""Which slot a piece of work ran on, as the journal has it: a process keeps its number, a lost one's is given again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hand_study import Heard, conduct, make_plan, report

from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.tune_loop import Events


class Loop:
    """Tune's loop, as far as it tells which process begins with which trial."""

    def __init__(self, folder: StudyFolder) -> None:
        self.heard = Heard()
        self.conductor = conduct(folder, make_plan(max_retries=1), self.heard)
        self.events = Events(self.conductor, mock.Mock(), mock.Mock(), mock.Mock())

    def start(self, process: str) -> str:
        task = self.conductor.next_task()
        assert task is not None
        trial: Any = SimpleNamespace(config={"task": task}, temporary_state=SimpleNamespace(ray_actor=process))
        self.events.on_trial_start(0, [], trial)
        return task.id

    def end(self, trial: str) -> None:
        self.conductor.reported(trial, report(1, 0.5))
        self.conductor.ended(trial)

    @property
    def slots(self) -> list[int]:
        return [event["slot"] for event in self.heard if event["type"] == "started"]


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop(StudyFolder(tmp_path / "s"))


def test_a_process_keeps_its_number_whatever_the_order_of_its_trials(loop: Loop) -> None:
    first, second = loop.start("a"), loop.start("b")
    loop.end(first)
    loop.end(second)
    loop.start("b")
    loop.start("a")
    assert loop.slots == [0, 1, 1, 0]


def test_what_comes_in_place_of_a_lost_process_has_its_number(loop: Loop) -> None:
    lost = loop.start("a")
    loop.start("b")
    loop.conductor.ended(lost, "gone", lost=True)
    assert loop.start("c") == lost
    assert loop.slots == [0, 1, 0]


def test_a_process_whose_number_went_to_another_gets_a_free_one(loop: Loop) -> None:
    loop.end(loop.start("a"))
    loop.start("b")
    loop.start("a")
    assert loop.slots == [0, 0, 1]
