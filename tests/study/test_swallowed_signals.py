"""What a signal to a driver raises, where somebody swallows it or makes another error of it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hand_study import conduct, make_plan, start

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.interrupt import Signals

ENDS_IN_A_TEXT = """
import signal, sys
from raytune_nn.study.interrupt import Signals

try:
    with Signals(lasting=True):
        exec("signal.raise_signal(signal.SIGTERM)")
except KeyboardInterrupt:
    sys.exit(75)
"""


class Final:
    """A signal comes while Python finalises it, as it may while an import does so with its locks."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_what_a_signal_raises_is_raised_again_where_python_ignores_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conductor = conduct(StudyFolder(tmp_path), make_plan())

    def finalised() -> None:
        Final()
        time.sleep(30)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Signals():
        finalised()
    with Signals() as signals, signals.interrupting(conductor, 60, print):
        start(conductor)
        signal.raise_signal(signal.SIGTERM)
        finalised()
    assert time.monotonic() - began < 20
    assert conductor.ending == "interrupted"
    assert capsys.readouterr().err == ""


def test_a_study_is_not_opened_after_a_signal_whose_error_was_swallowed() -> None:
    def opens(signals: Signals) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signals.opening()

    signals = Signals()
    with pytest.raises(KeyboardInterrupt), signals:
        opens(signals)


def test_what_is_ignored_without_a_signal_is_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails:
        def __del__(self) -> None:
            raise ZeroDivisionError

    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: seen.append(ignored.exc_type))
    with Signals():
        Fails()
    assert seen == [ZeroDivisionError]
    assert sys.unraisablehook.__name__ == "<lambda>"


def test_an_error_that_somebody_made_of_a_signal_is_none() -> None:
    def fails() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ConfigError("half of what was asked for holds") from None

    with pytest.raises(KeyboardInterrupt), Signals():
        fails()


def test_an_error_that_says_what_a_signal_found_stays() -> None:
    def fails() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise UnusableError("the job must be looked at", "it runs")

    with pytest.raises(UnusableError), Signals():
        fails()


def test_whoever_heard_signals_before_hears_none_of_the_command() -> None:
    """One is still to be raised again when the command is done."""
    heard: list[int] = []
    earlier = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with Signals():
            Final()
        assert heard == []
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, earlier)


def test_python_does_not_end_by_a_signal_that_was_answered(tmp_path: Path) -> None:
    """It does where KeyboardInterrupt came out of an `exec`, whoever caught it later, if it ran a module (`-m`)."""
    Path(tmp_path, "interrupted.py").write_text(ENDS_IN_A_TEXT)
    assert subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, timeout=120).returncode == 75
