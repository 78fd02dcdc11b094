"""What the slot hears of a training whose reports are far apart, as those of folds are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trial_parts import base_config, context

from raytune_nn.trial import fit
from raytune_nn.trial.task import Report, TrialTask
from raytune_nn.trial.training import Training

NOTHING = {"reports": [], "ended": False, "error": ""}


class Epochs:
    """Stands in for ``run_trial``: an epoch whenever it is let go, a report after three."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.answers: list[bool] = []
        self.sent: list[bool] = []

    def __call__(
        self,
        study: object,
        task: object,
        isolation: object,
        send: Callable[[Report], bool],
        stopped: Callable[[], bool],
        outbox: object,
        *others: object,
    ) -> None:
        for _ in range(3):
            self.go.acquire()
            self.answers.append(stopped())
            if self.answers[-1]:
                return
        self.sent.append(send(Report(3, step=30, seconds=1.0, metrics={"val_acc": 0.5})))


@pytest.fixture
def epochs() -> Epochs:
    return Epochs()


@pytest.fixture
def training(epochs: Epochs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Training]:
    monkeypatch.setattr(fit, "run_trial", epochs)
    study = context(base_config(), tmp_path, waits_at=(3,))
    training = Training(study, TrialTask("7", {}, ()), isolation=None)  # type: ignore[arg-type]
    training.go_on()
    yield training
    epochs.go.release(3)
    assert training.stop(10)


def test_the_slots_call_returns_after_an_epoch_without_a_report(training: Training, epochs: Epochs) -> None:
    for _ in range(2):
        epochs.go.release()
        assert training.collect() == NOTHING
        training.go_on()
    epochs.go.release()
    answer = training.collect()
    assert [report["epoch"] for report in answer["reports"]] == [3]
    assert epochs.answers == [False, False, False]
    assert epochs.sent == [], "the report waits for its answer; a beat never does"
    training.go_on()
    assert training.collect() == {**NOTHING, "ended": True}
    assert epochs.sent == [True]


def test_to_stop_ends_a_training_at_its_next_epoch(training: Training, epochs: Epochs) -> None:
    epochs.go.release()
    assert training.collect() == NOTHING
    assert not training.stop(0.05), "it is in the middle of an epoch"
    epochs.go.release()
    assert training.stop(10)
    assert epochs.answers == [False, True]
    assert training.collect() == {**NOTHING, "ended": True}
