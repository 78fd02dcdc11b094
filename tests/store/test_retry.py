"""Trying again where the storage refuses: what is waited for, how long, and what is said."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from raytune_nn.errors import ConfigError, InterruptedStudyError, UnusableError
from raytune_nn.store import retry
from raytune_nn.store.folder import usable
from raytune_nn.store.retry import FIRST, LONGEST, Retry, check_storage_timeout


class Clock:
    """Time passes only in sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.on_sleep: Callable[[], None] = lambda: None
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Refused:
    """An action that is refused for some seconds; notes when it was tried."""

    def __init__(self, error: Callable[[], BaseException], seconds: float, clock: Clock) -> None:
        self.error, self.until, self.clock = error, clock.now + seconds, clock
        self.tried: list[float] = []

    def __call__(self) -> str:
        self.tried.append(self.clock.now)
        if self.clock.now < self.until:
            raise self.error()
        return "done"


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/share/file")


def test_it_is_tried_again_with_growing_pauses_and_said_once(clock: Clock) -> None:
    told: list[str] = []

    def tell(reason: str, first: bool) -> None:
        assert first == (reason not in told)
        if first:
            told.append(reason)

    act = Refused(full, 30.0, clock)
    storage = Retry(seconds=60.0, tell=tell)
    assert storage.run(act) == "done"
    assert told == ["/share/file: No space left on device"]
    [(seconds, reason)] = storage.take_waits()
    assert (reason, storage.take_waits()) == (told[0], [])
    assert 30.0 <= seconds < 30.0 + LONGEST + FIRST
    pauses = [after - before for before, after in pairwise(act.tried)]
    expected = [min(FIRST * 2**number, LONGEST) for number in range(len(pauses))]
    assert pauses == pytest.approx(expected)
    assert storage.run(act) == "done"
    assert (len(told), storage.take_waits()) == (1, []), "nothing is said of what is not refused"


@pytest.mark.parametrize("seconds", [0.0, 3.0, 300.0])
def test_after_the_time_it_is_given_up_and_nothing_waits_again(seconds: float, clock: Clock) -> None:
    storage = Retry(seconds=seconds)
    for waited in (seconds, 0.0):
        began = clock.now
        with pytest.raises(UnusableError, match="No space left on device") as caught:
            storage.run(Refused(full, 1e9, clock))
        assert clock.now - began == pytest.approx(waited)
        assert caught.value.exit_code == 4
        assert ("failures.storage_timeout" in str(caught.value)) == (seconds > 0)
        assert f"for {seconds:g} s" in str(caught.value) or not seconds
    assert storage.take_waits() == []


def test_errors_that_do_not_pass_are_raised_at_once_as_they_are(clock: Clock) -> None:
    storage = Retry(seconds=60.0)
    for error in (PermissionError(errno.EACCES, "no"), FileNotFoundError(errno.ENOENT, "no"), KeyError("mine")):

        def act(error: BaseException = error) -> NoReturn:
            raise error

        with pytest.raises(type(error)) as caught:
            storage.run(act)
        assert caught.value is error
    with pytest.raises(UnusableError, match="Permission denied"):
        storage.run(lambda: _in_usable(PermissionError(errno.EACCES, "Permission denied")))
    assert clock.now == 100.0


@pytest.mark.parametrize(
    "error",
    [
        *(partial(OSError, number, os.strerror(number)) for number in (errno.EIO, errno.EROFS, errno.ESTALE)),
        lambda: shutil.Error([("a", "b", "[Errno 28] No space left on device")]),
    ],
)
def test_what_passes_is_waited_for_also_behind_an_error_of_ours(error: Callable[[], OSError], clock: Clock) -> None:
    assert Retry(seconds=60.0).run(Refused(error, 1.0, clock)) == "done"
    assert Retry(seconds=60.0).run(lambda: _unless(clock.now > 105.0, error())) == "done"


def _in_usable(error: OSError) -> NoReturn:
    with usable(Path("file")):
        raise error


def _unless(passed: bool, error: OSError) -> str:
    return "done" if passed else _in_usable(error)


def test_a_study_whose_folder_is_gone_is_waited_for_and_nothing_is_written_in_its_place(
    tmp_path: Path, clock: Clock
) -> None:
    study, away = tmp_path / "study", tmp_path / "away"
    (study / "journal").mkdir(parents=True)
    told: list[str] = []

    def tell(reason: str, first: bool) -> None:
        assert first == (reason not in told)
        if first:
            told.append(reason)

    storage = Retry(study, 60.0, tell)
    storage.run((study / "before").touch)
    study.rename(away)
    clock.on_sleep = lambda: None if clock.now < 110.0 or not away.exists() else _bring_back(away, study)
    storage.run((study / "after").touch)
    assert told == [f"{study}: the study's folder is gone"]
    assert sorted(path.name for path in study.iterdir()) == ["after", "before", "journal"]


def test_a_folder_that_goes_in_the_middle_of_an_action_is_waited_for_too(tmp_path: Path, clock: Clock) -> None:
    study, away = tmp_path / "study", tmp_path / "away"
    (study / "journal").mkdir(parents=True)
    clock.on_sleep = lambda: _bring_back(away, study) if away.exists() else None
    tries: list[str] = []

    def write() -> None:
        tries.append("write")
        if len(tries) < 3:
            study.rename(away)
        if len(tries) == 1:
            raise FileNotFoundError(errno.ENOENT, "no such file", "draft")

    Retry(study, 60.0).run(write)
    assert len(tries) == 3, "also after one that seemed to go well, somewhere else"
    clock.on_sleep = lambda: None
    with pytest.raises(FileNotFoundError):
        Retry(study, 60.0).run((study / "missing").read_text)
    assert clock.now < 102.0, "a file that is missing in a folder that is there is asked for twice"


def _bring_back(away: Path, study: Path) -> None:
    assert not study.exists()
    away.rename(study)


def test_once_nobody_waits_any_more_what_is_refused_ends_as_an_interruption(clock: Clock) -> None:
    storage = Retry(seconds=60.0)
    clock.on_sleep = storage.end
    with pytest.raises(InterruptedStudyError, match="No space left on device") as caught:
        storage.run(Refused(full, 30.0, clock))
    assert caught.value.exit_code == 75
    assert clock.now - 100.0 <= FIRST
    assert storage.run(lambda: "done") == "done", "what is not refused is done all the same"


def test_who_may_not_write_any_more_is_asked_before_each_try(clock: Clock) -> None:
    lost = UnusableError("it was taken over")

    def guard() -> None:
        if clock.now > 110.0:
            raise lost

    act = Refused(full, 15.0, clock)
    with pytest.raises(UnusableError) as caught:
        Retry(seconds=60.0, guard=guard).run(act)
    assert caught.value is lost
    assert max(act.tried) < 110.0


def test_a_signal_is_noticed_while_it_waits() -> None:
    storage = Retry(seconds=60.0)
    earlier = signal.signal(signal.SIGALRM, lambda number, frame: storage.end())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.9)  # in a pause of 0.8 s, the fourth
        began = time.monotonic()
        with pytest.raises(InterruptedStudyError):
            storage.run(_refuse)
        assert time.monotonic() - began < 0.9 + 2 * retry.LOOK + 1.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _refuse() -> NoReturn:
    raise full()


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match=r"failures\.storage_timeout must be 0"):
        check_storage_timeout(seconds)
    check_storage_timeout(0)
