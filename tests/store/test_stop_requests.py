"""What other processes ask a driver, in a folder and on an object store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from places import PLACES, View, views

from raytune_nn.store import stop_requests
from raytune_nn.store.stop_requests import FOLDER, STUDY, StopListener, StopRequests


@pytest.fixture(params=PLACES)
def view(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    for name in ("LOOK_SECONDS", "BUCKET_SECONDS"):
        monkeypatch.setattr(stop_requests, name, 0.02)
    monkeypatch.setattr(stop_requests, "_PATIENCE", 0.0)
    return views(request.param, tmp_path, monkeypatch)


def comes(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_request_is_heard_and_answered(view: View) -> None:
    there = StopRequests(view("asker"))
    with StopListener(view("driver"), lambda: None) as listener:
        there.ask("3")
        heard: list[str | None] = []

        def hears() -> bool:
            heard.append(listener.heard())
            return heard[-1] is not None

        assert comes(hears)
        assert heard[-1] == "3"
        assert there.waits("3"), "nothing is written down yet"
        listener.answer("3")
        assert not there.waits("3")
    assert there.names() == []


def test_the_whole_study_is_stopped_once_and_at_once(view: View) -> None:
    calls: list[int] = []
    there = StopRequests(view("asker"))
    with StopListener(view("driver"), lambda: calls.append(1)) as listener:
        there.ask(STUDY)
        assert comes(lambda: not there.waits(STUDY)), "without the driver's main thread"
        there.ask(STUDY)
        assert comes(lambda: not there.waits(STUDY))
        assert listener.heard() == STUDY
    assert calls == [1]


def test_what_an_earlier_driver_did_not_hear_is_forgotten(view: View) -> None:
    there = StopRequests(view("asker"))
    there.ask("3")
    there.ask(STUDY)
    with StopListener(view("driver"), lambda: pytest.fail("it was not meant")) as listener:
        assert there.names() == []
        time.sleep(0.1)
        assert listener.heard() is None


def test_a_storage_that_is_away_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_requests, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(stop_requests, "_PATIENCE", 0.0)
    folder = views("folder", tmp_path, monkeypatch)("driver")
    there = StopRequests(folder)
    with StopListener(folder, lambda: None) as listener:
        folder.path.mkdir()
        (folder.path / FOLDER).write_text("no folder")  # as where a mount has gone
        time.sleep(0.1)
        (folder.path / FOLDER).unlink()
        there.ask("1")
        assert comes(lambda: listener.heard() == "1")
