"""Signals to a driver."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from hand_study import conduct, make_plan, start, states

from raytune_nn.cluster.undisturbed import SIGNALS
from raytune_nn.errors import ConfigError, InterruptedStudyError
from raytune_nn.modes.train import _train_one
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study import interrupt
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.interrupt import Signals
from raytune_nn.trial import fit

SAVING = "interrupted: trials that run save their states, which may take up to 60 s; a second signal leaves at once"


@pytest.fixture
def conductor(tmp_path: Path) -> Conductor:
    return conduct(StudyFolder(tmp_path), make_plan())


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of before are put back whatever happens."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


class Said(queue.SimpleQueue[str]):
    """What the user is told, by another thread."""

    def __call__(self, text: str) -> None:
        self.put(text)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_winds_the_study_down_and_the_second_leaves_it(
    number: signal.Signals, conductor: Conductor
) -> None:
    said = Said()
    with Signals() as signals:
        signals.opening()
        with signals.interrupting(conductor, 60, said):
            start(conductor)
            assert not signals.came
            signal.raise_signal(number)
            assert said.get(timeout=10) == SAVING
            assert (signals.came, conductor.winds_down, conductor.ending) == (True, True, "")
            assert conductor.next_task() is None
            signal.raise_signal(number)
            pytest.fail("the second signal leaves")
        assert conductor.ending == "interrupted"
        signal.raise_signal(number)
        assert said.empty()


def test_without_a_grace_the_first_signal_ends_the_study(conductor: Conductor) -> None:
    said = Said()
    with Signals() as signals, signals.interrupting(conductor, 0, said):
        start(conductor)
        signal.raise_signal(signal.SIGTERM)
        assert conductor.ending == "interrupted"
        assert said.get(timeout=10) == "interrupted: leaving at once"


def test_where_nobody_looks_at_the_clock_the_block_is_left_after_the_grace(conductor: Conductor) -> None:
    began = time.monotonic()
    with Signals() as signals, signals.interrupting(conductor, 0.2, Said(), alone=True):
        start(conductor)
        signal.raise_signal(signal.SIGINT)
        time.sleep(30)
    assert 0.2 <= time.monotonic() - began < 10
    assert conductor.ending == "interrupted"


def test_a_command_that_hangs_ends_all_the_same(conductor: Conductor, monkeypatch: pytest.MonkeyPatch) -> None:
    exits: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", exits.put)
    for name in ("CLOSE_SECONDS", "HURRY_SECONDS"):
        monkeypatch.setattr(interrupt, name, 0.1)
    with Signals() as signals:
        signals.opening()
        with signals.interrupting(conductor, 0.1, Said()):
            signal.raise_signal(signal.SIGTERM)
            time.sleep(30)
        assert exits.get(timeout=10) == 75, "here it hangs once more"


def test_a_signal_before_the_study_is_opened_raises_and_one_while_it_is_opened_waits(conductor: Conductor) -> None:
    with pytest.raises(KeyboardInterrupt), Signals():
        signal.raise_signal(signal.SIGTERM)
    with Signals() as signals:
        signals.opening()
        signal.raise_signal(signal.SIGTERM)
        with signals.interrupting(conductor, 60, Said()):
            assert conductor.ending == "interrupted"


def test_a_hang_up_that_is_ignored_stays_so(conductor: Conductor) -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals, signals.interrupting(conductor, 60, Said()):
            signal.raise_signal(signal.SIGHUP)
            assert not signals.came
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_errors_pass_unless_ray_went_first(conductor: Conductor) -> None:
    with pytest.raises(ZeroDivisionError), Signals() as signals, signals.interrupting(conductor, 60, Said()):
        raise ZeroDivisionError
    with Signals() as signals, signals.interrupting(conductor, 60, Said()):
        signal.raise_signal(signal.SIGTERM)
        raise ConnectionError("of Ray, which got the signal too")
    with Signals() as signals:
        signals.opening()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(ConfigError), signals.interrupting(conductor, 60, Said()):
            raise ConfigError("a rule")


def test_a_single_training_that_waits_for_its_storage_has_not_failed(
    conductor: Conductor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*_: Any, **__: Any) -> NoReturn:
        conductor.interrupt(60)
        raise InterruptedStudyError("it waited for its storage")

    monkeypatch.setattr(fit, "run_trial", waits)
    checked: Any = SimpleNamespace(plan=make_plan(), folder=StudyFolder(tmp_path))
    with pytest.raises(InterruptedStudyError):
        _train_one(checked, conductor, isolation=None)  # type: ignore[arg-type]
    conductor.close(interrupted=True)
    assert (states(conductor), conductor.record.status) == (["running"], "interrupted")


def test_a_process_that_ends_with_the_command_hears_no_more_signals() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyboardInterrupt), Signals(lasting=True):
        signal.raise_signal(signal.SIGTERM)
    try:
        for number in SIGNALS:
            signal.raise_signal(number)
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
