"""The hand-over between a training's thread and the slot that is asked for its reports."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trial_parts import base_config, context

from raytune_nn.trial import fit, trainable
from raytune_nn.trial.outcome import attempt
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.task import Report, TrialTask
from raytune_nn.trial.trainable import TrialActor
from raytune_nn.trial.training import Training
from raytune_nn.trial.wind_down import Notice

Send = Callable[[Report], bool]


class Script:
    """Stands in for ``run_trial``: reports the epochs it is given, and remembers each answer."""

    def __init__(self, epochs: list[int], error: BaseException | None = None) -> None:
        self.epochs, self.error = epochs, error
        self.answers: list[tuple[int, bool]] = []
        self.changed = threading.Condition()

    def __call__(self, study: object, task: object, isolation: object, send: Send, *_: object) -> None:
        for epoch in self.epochs:
            goes_on = send(Report(epoch, step=10 * epoch, seconds=1.0, metrics={"val_acc": epoch / 8}))
            with self.changed:
                self.answers.append((epoch, goes_on))
                self.changed.notify_all()
            if not goes_on:
                return
        if self.error is not None:
            raise self.error

    def wait_for(self, answers: int) -> None:
        """Until so many reports were answered; then the next one has had the time to be sent."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.answers) >= answers, timeout=10)
        time.sleep(0.05)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Training]]:
    """Starts a training with a script for a body; ends its thread after the test."""
    threads: list[Training] = []

    def start(script: Script, waits_at: tuple[int, ...] | None) -> Training:
        monkeypatch.setattr(fit, "run_trial", script)
        study = context(base_config(), tmp_path, waits_at=waits_at)
        thread = Training(study, TrialTask("7", {}, ()), isolation=None)  # type: ignore[arg-type]
        threads.append(thread)
        thread.go_on()
        return thread

    yield start
    assert all(thread.stop(10) for thread in threads)


def epochs(answer: dict[str, Any]) -> list[int]:
    return [report["epoch"] for report in answer["reports"]]


def drain(training: Training) -> list[list[int]]:
    """The epochs that each call of the slot gets, until the training ended."""
    calls = []
    while True:
        training.go_on()
        answer = training.collect()
        calls.append(epochs(answer))
        if answer["ended"]:
            return calls


def test_a_report_reaches_the_slot_as_plain_data(begin: Callable[..., Training]) -> None:
    training = begin(Script([1]), None)
    answer = training.collect()
    assert answer["reports"] == [
        {
            "epoch": 1,
            "step": 10,
            "seconds": 1.0,
            "metrics": {"val_acc": 0.125},
            "checkpoint": None,
            "saved": False,
            "rung": None,
            "unsaved": "",
            "unlogged": "",
            "machine": {},
        }
    ]
    assert (answer["ended"], answer["error"]) == (False, "")
    training.go_on()
    assert training.collect() == {"reports": [], "ended": True, "error": ""}


def test_where_any_report_may_be_decided_on_each_one_waits(begin: Callable[..., Training]) -> None:
    script = Script([1, 2, 3])
    training = begin(script, None)
    assert epochs(training.collect()) == [1]
    time.sleep(0.05)
    assert script.answers == []
    training.go_on()
    assert epochs(training.collect()) == [2]
    assert script.answers == [(1, True)]


def test_where_nothing_is_decided_no_report_waits(begin: Callable[..., Training]) -> None:
    script = Script([1, 2, 3, 4])
    training = begin(script, ())
    script.wait_for(4)
    assert epochs(training.collect()) == [1, 2, 3, 4], "one call gets all that there are"


@pytest.mark.parametrize(("seconds", "calls"), [(0.0, [[1], [2, 3], []]), (0.25, [[1, 2, 3]])])
def test_reports_are_gathered_for_a_while(
    seconds: float, calls: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second report comes shortly after the first was asked for."""

    class Late(Script):
        def __call__(self, study: object, task: object, isolation: object, send: Send, *_: object) -> None:
            for epoch in self.epochs:
                send(Report(epoch, step=epoch, seconds=1.0, metrics={}))
                time.sleep(0.1 if epoch == 1 else 0)

    monkeypatch.setattr(fit, "run_trial", Late([1, 2, 3]))
    study = context(base_config(), tmp_path, waits_at=(), report_every=seconds)
    training = Training(study, TrialTask("7", {}, ()), isolation=None)  # type: ignore[arg-type]
    training.go_on()
    first = epochs(training.collect())
    assert first == calls[0]
    training.join(10)
    rest = [epoch for call in drain(training) for epoch in call] if len(calls) > 1 else []
    assert first + rest == [1, 2, 3]


def test_a_training_waits_at_the_steps_of_the_scheduler_only(begin: Callable[..., Training]) -> None:
    script = Script([1, 2, 3, 4, 5, 6])
    training = begin(script, (3, 5))
    script.wait_for(2)
    assert epochs(training.collect()) == [1, 2, 3]
    assert script.answers == [(1, True), (2, True)]
    training.go_on()
    script.wait_for(4)
    assert epochs(training.collect()) == [4, 5]
    assert script.answers[-1] == (4, True)
    training.go_on()
    script.wait_for(6)
    assert [report for call in drain(training) for report in call] == [6]


def test_the_first_report_after_a_skipped_step_waits(begin: Callable[..., Training]) -> None:
    script = Script([2, 4, 6, 8])
    training = begin(script, (3, 7))
    script.wait_for(1)
    assert epochs(training.collect()) == [2, 4], "4 stands for 3"
    training.go_on()
    script.wait_for(3)
    assert epochs(training.collect()) == [6, 8]
    assert script.answers == [(2, True), (4, True), (6, True)]


def test_a_second_report_of_the_same_epoch_does_not_wait_again(begin: Callable[..., Training]) -> None:
    script = Script([1, 1, 2, 2])
    training = begin(script, (1,))
    assert epochs(training.collect()) == [1]
    training.go_on()
    script.wait_for(4)
    assert [report for call in drain(training) for report in call] == [1, 2, 2]


def test_an_answer_is_given_once(begin: Callable[..., Training]) -> None:
    script = Script([1, 2, 3])
    training = begin(script, (2, 3))
    script.wait_for(1)
    for _ in range(3):
        training.go_on()  # nothing was collected yet, so nothing is answered
    assert epochs(training.collect()) == [1, 2]
    time.sleep(0.05)
    assert script.answers == [(1, True)]
    for _ in range(3):
        training.go_on()
    assert epochs(training.collect()) == [3]
    time.sleep(0.05)
    assert script.answers == [(1, True), (2, True)], "the third report has an answer of its own"


def test_to_stop_ends_a_training_that_waits(begin: Callable[..., Training]) -> None:
    script = Script([1, 2, 3])
    training = begin(script, None)
    training.collect()
    assert training.stop(10)
    assert not training.is_alive()
    assert script.answers == [(1, False)]


def test_to_stop_ends_a_training_at_its_next_report(begin: Callable[..., Training]) -> None:
    reported, go_on = threading.Event(), threading.Event()

    class Slow(Script):
        def __call__(self, study: object, task: object, isolation: object, send: Send, *_: object) -> None:
            reported.set()
            go_on.wait(10)
            super().__call__(study, task, isolation, send)

    script = Slow([1, 2])
    training = begin(script, ())
    reported.wait(10)
    assert not training.stop(0.05), "it has not come to its next report"
    go_on.set()
    assert training.stop(10)
    assert script.answers == [(1, False)]
    assert training.collect() == {"reports": [], "ended": True, "error": ""}


def test_the_first_training_begins_when_it_is_asked_for_reports_and_others_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune makes an actor for a trial, and then gives the trial to another that became free, which keeps it."""
    begun: queue.SimpleQueue[object] = queue.SimpleQueue()
    monkeypatch.setattr(fit, "run_trial", lambda study, task, *_: begun.put(task))
    actor = TrialActor.__new__(TrialActor)
    actor._study, actor._isolation = context(base_config(), tmp_path), None  # type: ignore[assignment]
    actor._notice = Notice("none")
    monkeypatch.setattr(actor._notice, "is_posted", lambda: False)
    actor._take({"task": TrialTask("7", {}, ())})
    assert actor.reset_config({"task": TrialTask("8", {}, ())}), "to stop what never began takes no time"
    assert begun.get(timeout=10) == TrialTask("8", {}, ())
    assert actor.step() == {"reports": [], "ended": True, "error": ""}
    assert begun.empty(), "neither the first, nor the second twice"
    actor.cleanup()


def test_to_stop_twice_or_late_does_no_harm(begin: Callable[..., Training]) -> None:
    training = begin(Script([]), None)
    assert training.collect()["ended"]
    assert training.stop(10)
    assert training.stop(10)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), SystemExit("mine"), KeyboardInterrupt("mine")])
def test_an_exception_becomes_the_error_and_ends_the_thread(
    begin: Callable[..., Training], error: BaseException
) -> None:
    training = begin(Script([1], error), ())
    training.join(10)
    assert not training.is_alive()
    answer = training.collect()
    assert (epochs(answer), answer["ended"]) == ([1], True)
    assert answer["error"].strip().endswith(f"{type(error).__name__}: mine")
    assert "Traceback" in answer["error"]


class Unstoppable:
    """A training that does not hear that it is to stop."""

    name, node_lost = "trial-7", False

    def stop(self, seconds: float) -> bool:
        return False


def test_a_process_whose_training_goes_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainable, "STOP_SECONDS", 0.5)
    actor = TrialActor.__new__(TrialActor)
    actor._training = Unstoppable()  # type: ignore[assignment]
    with pytest.raises(TimeoutError, match=r"trial-7 was told to stop and goes on after 0\.5 s"):
        actor.reset_config({"task": TrialTask("8", {}, ())})


def test_a_slot_answers_while_batches_go_by_and_only_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a long epoch can be told from a training that hangs."""
    hangs, goes_on = threading.Event(), threading.Event()

    def body(study: object, task: object, isolation: object, send: Send, *more: Any) -> None:
        pulse: Pulse = more[-2]
        while not hangs.wait(0.01):
            pulse.batches += 1
        assert goes_on.wait(10)
        send(Report(1, step=10, seconds=1.0, metrics={}))

    monkeypatch.setattr(fit, "run_trial", body)
    study = context(base_config(), tmp_path, waits_at=(), no_report_timeout=0.8)
    assert study.beat_seconds == 0.2
    training = Training(study, TrialTask("7", {}, ()), isolation=None)  # type: ignore[arg-type]
    training.go_on()
    for _ in range(2):
        began = time.monotonic()
        assert training.collect() == {"reports": [], "ended": False, "error": ""}
        assert 0.2 <= time.monotonic() - began < 2
    hangs.set()
    time.sleep(0.05)
    threading.Timer(1.0, goes_on.set).start()
    began = time.monotonic()
    answers = [training.collect()]
    if not answers[0]["reports"]:  # a last batch went by
        answers.append(training.collect())
    assert epochs(answers[-1]) == [1]
    assert time.monotonic() - began >= 0.9, "nothing is said meanwhile"
    assert training.stop(10)


def test_a_slot_that_nobody_watches_need_not_answer(tmp_path: Path) -> None:
    assert context(base_config(), tmp_path).beat_seconds is None
    assert context(base_config(), tmp_path, no_report_timeout=3600.0).beat_seconds == 60.0


class Unshowable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_a_text_is_told_all_the_same(begin: Callable[..., Training]) -> None:
    training = begin(Script([], Unshowable()), ())
    assert training.collect()["error"].strip().endswith("test_trainable.Unshowable: <exception str() failed>")
    assert training.stop(10)


def test_the_users_keyboard_interrupt_is_told_and_not_what_lightning_made_of_it() -> None:
    def train() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ValueError("signal only works in main thread of the main interpreter")  # noqa: B904

    error = attempt(train).error
    assert error.strip().endswith("KeyboardInterrupt")
    assert "main thread" not in error
