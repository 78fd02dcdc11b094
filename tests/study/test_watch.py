"""The time since a trial was heard of, by a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from raytune_nn.study.watch import Watch


@dataclass
class Scene:
    """Slots with their trials as Tune's controller has them, and what was killed."""

    timeout: float | None = 10.0
    now: float = 0.0
    trials: dict[Any, Any] = field(default_factory=dict)
    live: dict[Any, Any] = field(default_factory=dict)
    started: set[Any] = field(default_factory=set)
    killed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = Watch(self.timeout, lambda: self.now)

    def put(self, name: str, actor: int, *, live: bool = True, started: bool = True) -> Any:
        trial, tracked = _Trial(name), _Tracked(actor)
        self.trials[trial] = tracked
        if live:
            self.live[tracked] = (f"actor {actor}", None)
        if started:
            self.started.add(tracked)
        return trial

    def wait(self, seconds: float, step: float = 0.5) -> None:
        """Looks as often as Tune calls."""
        manager = SimpleNamespace(_live_actors_to_ray_actors_resources=self.live)
        controller = SimpleNamespace(_trial_to_actor=self.trials, _actor_manager=manager, _started_actors=self.started)
        for _ in range(round(seconds / step)):
            self.now += step
            self.watch.look(controller)


@dataclass(frozen=True)
class _Trial:
    trial_id: str


@dataclass(frozen=True)
class _Tracked:
    actor_id: int


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr("ray.kill", scene.killed.append)
    return scene


def test_a_silent_trial_is_given_up_once_and_others_are_not(scene: Scene) -> None:
    silent, talking = scene.put("a", 1), scene.put("b", 2)
    for _ in range(3):
        scene.wait(4)
        scene.watch.heard(talking)
    assert scene.killed == ["actor 1"]
    assert "finished no batch for 10 s (failures.no_report_timeout)" in scene.watch.silence(silent)
    assert scene.watch.silence(silent) == "", "it is said once"
    assert scene.watch.silence(talking) == ""


def test_an_answer_begins_the_time_anew(scene: Scene) -> None:
    trial = scene.put("a", 1)
    scene.wait(9)
    scene.watch.heard(trial)
    scene.wait(10)
    assert scene.killed == []
    scene.wait(1)
    assert scene.killed == ["actor 1"]


def test_a_new_slot_has_the_time_to_start(scene: Scene) -> None:
    trial = scene.put("a", 1, started=False)
    scene.wait(599)
    assert scene.killed == []
    scene.wait(3)
    assert scene.killed == ["actor 1"]
    assert "did not start within 600 s" in scene.watch.silence(trial)


def test_a_trial_without_a_process_waits_for_ever(scene: Scene) -> None:
    scene.put("a", 1, live=False, started=False)
    scene.wait(2000)
    assert scene.killed == []


def test_a_trial_that_moves_to_another_slot_has_its_time_there(scene: Scene) -> None:
    """Tune gives a trial whose slot starts to one that became free."""
    trial = scene.put("a", 1, started=False)
    scene.wait(100)
    scene.trials[trial] = _Tracked(2)
    scene.live[_Tracked(2)] = ("actor 2", None)
    scene.started.add(_Tracked(2))
    scene.wait(9)
    assert scene.killed == []
    scene.wait(2)
    assert scene.killed == ["actor 2"]


def test_what_was_said_while_the_driver_was_busy_is_heard_first(scene: Scene) -> None:
    """Also where it was stopped itself: no time passes for trials whose answers it has not looked for."""
    trial = scene.put("a", 1)
    scene.wait(3600, step=3600)
    assert scene.killed == []
    scene.watch.heard(trial)
    scene.wait(8)
    assert scene.killed == []


def test_without_a_limit_nothing_is_given_up(scene: Scene) -> None:
    scene.watch = Watch(None, lambda: scene.now)
    scene.put("a", 1)
    scene.wait(1e5, step=100)
    assert scene.killed == []
