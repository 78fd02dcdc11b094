"""What is said of a lost process."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal import RayActorManager
from ray.exceptions import ActorDiedError, ObjectLostError, OutOfMemoryError, RayActorError, RayTaskError

from raytune_nn.study import lost
from raytune_nn.study.lost import Losses, any_loss_is_an_actors, last_words
from raytune_nn.trial.gang import WORKER_DIED

GUESSES = "The actor died unexpectedly before finishing this task."
DEATH = f"Failure # 1 (occurred at now)\n{GUESSES}\n\tpid: 7\n\tip: 1.2.3.4\nends.\n"
MEMORY = (
    "Failure # 1 (occurred at now)\nOutOfMemoryError: 1 worker(s) were killed due to the node running low on memory. "
    "Memory on the node (IP: 1.2.3.4, ID: a7) was 7.50GB used / 8.00GB limit (0.9375)\n"
    "OOM kill reason: Memory usage 8053063680B exceeded threshold of 8000000000B (95% of 8589934592B limit)\n"
    "Top 10 memory users: PID	MEM(GB)	COMMAND\n1	3.00	somebody --password=secret\n"
)


class Place:
    """A trial whose process is lost, and what the kernel counts."""

    def __init__(self, folder: Path) -> None:
        self._file, self.vmstat = folder / "error.txt", folder / "vmstat"
        self.count(0)
        self.losses = Losses(self.vmstat)

    def count(self, kills: int) -> None:
        self.vmstat.write_text(f"nr_free_pages 12\noom_kill {kills}\nswap_ra 1\n")

    def explain(self, words: str, silence: str = "") -> tuple[str, bool]:
        self._file.write_text(words)
        trial: Any = SimpleNamespace(error_file=str(self._file))
        return self.losses.explain(last_words(trial), silence)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, "the trial's process died"),
        (3, "the trial's process died with exit code 3"),
        (-signal.SIGSEGV, "the trial's process died of signal 11 (SIGSEGV)"),
        (WORKER_DIED, "the trial's process died, since another of its workers had"),
        (-200, "the trial's process died of signal 200"),
    ],
)
def test_how_a_process_died(status: int | None, told: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "exit_status", {7: status}.__getitem__)
    text, of_itself = place.explain(DEATH)
    assert text.splitlines()[0] == (GUESSES if status is None else "pid: 7, ip: 1.2.3.4")
    assert text.splitlines()[-1] == told
    assert of_itself


def test_a_process_that_the_kernel_ended_for_want_of_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "exit_status", lambda pid: -signal.SIGKILL)
    place.count(1)
    text, of_itself = place.explain(DEATH)
    assert "died of signal 9 (SIGKILL): the kernel ended 1 of this machine's processes for want of memory" in text
    assert "resources.memory=" in text.splitlines()[-1]
    assert not of_itself
    assert place.explain(DEATH)[0].endswith("(SIGKILL)"), "none more was ended since"
    place.count(3)
    monkeypatch.setattr(lost, "exit_status", lambda pid: -signal.SIGSEGV)
    assert place.explain(DEATH)[0].endswith("(SIGSEGV)"), "another process"


def test_a_process_that_ray_ended_for_want_of_memory(place: Place) -> None:
    text, of_itself = place.explain(MEMORY)
    assert "7.50GB used / 8.00GB limit" in text
    assert "Memory usage 8053063680B exceeded threshold of 8000000000B (95% of 8589934592B limit)" in text
    assert "secret" not in text, "the command lines of others"
    assert text.splitlines()[-1].startswith("out of memory; try resources.memory=")
    assert not of_itself


def test_a_process_that_the_driver_gave_up(place: Place) -> None:
    text, of_itself = place.explain(DEATH, "it was silent")
    assert text == "pid: 7, ip: 1.2.3.4\nit was silent"
    assert not of_itself


def test_an_error_on_the_way_to_a_trial_stands_as_it_is(place: Place) -> None:
    assert place.explain("Failure # 1 (occurred at now)\nray::reset()\nTimeoutError: 60 s\n") == (
        "ray::reset()\nTimeoutError: 60 s",
        False,
    )


def test_another_system_counts_no_kills(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "exit_status", lambda pid: None)
    place.losses = Losses(tmp_path / "none")
    assert place.explain(DEATH)[1]


@pytest.mark.parametrize("error", [OutOfMemoryError("low"), ObjectLostError("00" * 28, None, "")])  # type: ignore[no-untyped-call]
def test_tune_takes_any_error_of_ray_itself_for_a_lost_process(error: Exception) -> None:
    heard: list[Exception] = []
    task: Any = SimpleNamespace(_tracked_actor=None, _on_error=lambda actor, error: heard.append(error))
    with any_loss_is_an_actors(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(RayActorManager, "_cleanup_actor", lambda *_, **__: None)
        task._tracked_actor = SimpleNamespace(actor_id=1, _on_error=None)
        manager = RayActorManager.__new__(RayActorManager)
        manager._failed_actor_ids = set()
        RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=error)
    (found,) = heard
    assert isinstance(found, RayActorError)
    assert type(error).__name__ in str(found)


def test_and_leaves_the_others_as_they_are() -> None:
    heard: list[Exception] = []
    task: Any = SimpleNamespace(
        _tracked_actor=SimpleNamespace(actor_id=1, _on_error=None),
        _on_error=lambda actor, error: heard.append(error),
    )
    manager: Any = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda **_: None)
    errors = [ActorDiedError(), RayTaskError("f", "text", ValueError("x"))]  # type: ignore[no-untyped-call]
    with any_loss_is_an_actors():
        for error in errors:
            RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=error)
        with pytest.raises(RuntimeError, match="unexpected"):
            RayActorManager._actor_task_failed(manager, task, KeyError("ours"))
    assert heard == errors
