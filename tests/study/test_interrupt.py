"""Signals to a driver."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hand_study import conduct, make_plan, start

from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.interrupt import interruptible, terminable


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_study_in_order_and_the_second_at_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    conductor = conduct(StudyFolder(tmp_path), make_plan())
    with terminable():
        before = handlers()
        with interruptible(conductor) as interrupted:
            start(conductor)
            assert not interrupted.is_set()
            signal.raise_signal(number)
            assert interrupted.is_set()
            assert conductor.ending == "interrupted"
            assert conductor.finished
            assert handlers() == before
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert handlers() == before


def test_without_a_signal_nothing_is_interrupted(tmp_path: Path) -> None:
    conductor, before = conduct(StudyFolder(tmp_path), make_plan()), handlers()
    with interruptible(conductor) as interrupted:
        assert handlers() != before
    assert not interrupted.is_set()
    assert conductor.ending == ""
    assert handlers() == before


def test_an_error_inside_puts_the_handlers_back(tmp_path: Path) -> None:
    conductor, before = conduct(StudyFolder(tmp_path), make_plan()), handlers()
    with pytest.raises(ZeroDivisionError), interruptible(conductor):
        raise ZeroDivisionError
    assert handlers() == before


def test_sigterm_before_the_study_is_as_ctrl_c() -> None:
    before = handlers()
    with pytest.raises(KeyboardInterrupt), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert handlers() == before
