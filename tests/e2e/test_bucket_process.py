"""Whole studies on an object store: a real S3 server on loopback."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import FIRST, TIMEOUT, Place, events, first_study, new_place, rows, summary, wait_until
from s3_server import KEYS, gate, make_bucket, s3_server, strict_s3_server, url_of

from raytune_nn.store.bucket import read_url
from raytune_nn.store.bucket_folder import BucketFolder
from raytune_nn.store.files import ObjectFiles
from raytune_nn.store.object_store import ObjectStore

pytestmark = pytest.mark.slow

LONG = ("+search=random", "study.name=first", "budget.num_trials=4", "budget.max_epochs=40", "seed=1")
OFTEN = "checkpoints.every_minutes=0.002"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "work").mkdir()
    with new_place(tmp_path / "work", environment=dict(KEYS)) as place:
        yield place


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    return make_bucket(s3_server())


def storage(bucket: str, port: int) -> str:
    return f"study.storage='{url_of(bucket, port)}'"


def seen(bucket: str, to: Path) -> BucketFolder:
    """The study ``first`` as another machine sees it: its journal and small files."""
    store = ObjectStore(read_url(url_of(bucket, s3_server())).under("first"))
    folder = BucketFolder(to / "first", ObjectFiles(store, to / "first"))
    folder.fetch()
    return folder


def fetched(bucket: str, to: Path) -> Path:
    """All its objects, once no driver works on it."""
    folder = seen(bucket, to)
    for key in folder.files.store.sizes():
        if not key.startswith("journal/"):
            folder.files.fetch(folder.path / key)
    return folder.path


def test_a_study_in_a_bucket_is_what_it_is_in_a_folder(place: Place, bucket: str, tmp_path: Path) -> None:
    there = storage(bucket, s3_server())
    ran = place.run(*FIRST, there)
    assert ran.code == 0, ran.err
    assert (place.leftovers(), list(place.work.iterdir())) == ([], [])
    study, twin = fetched(bucket, tmp_path), first_study().folder
    assert [(row["trial"], row["value"]) for row in rows(study)] == [(row["trial"], row["value"]) for row in rows(twin)]
    assert summary(study)["status"] == "complete"
    assert (study / "best" / "model.ckpt").is_file()
    assert sorted(path.name for path in (study / "checkpoints").iterdir()) == [summary(study)["best"]["trial"]]
    assert sorted(path.name for path in (study / "tb").iterdir()) == sorted(row["trial"] for row in rows(study))
    assert {"report.html", "trials.parquet", "results.parquet"} <= {path.name for path in study.iterdir()}
    secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
    assert not any(secret in path.read_bytes() for path in study.rglob("*") if path.is_file())
    for command in (("mode=report",), ("mode=reproduce",), FIRST[:-1]):
        again = place.run(*command, "study.name=first", there)
        assert again.code == (0 if command != FIRST[:-1] else 2), again.err
        assert secret.decode() not in again.out + again.err


@pytest.mark.parametrize(
    "more",
    [
        ("+search=random", "objective.folds=3", "data=digits"),
        ("+search=asha", "resources.workers=2"),
        ("+search=pbt", "search.scheduler.interval=2"),
    ],
    ids=["folds", "gangs", "pbt"],
)
def test_states_go_from_slot_to_slot_through_the_bucket(
    place: Place, bucket: str, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """One slot, so that trials report in one order, here and in a folder."""
    line = (*more, "study.name=first", "budget.num_trials=4", "budget.max_epochs=6", "seed=1")
    line = (*line, f"cluster.cpus={2 if 'resources.workers=2' in more else 1}")
    ran = place.run(*line, storage(bucket, s3_server()))
    assert ran.code == 0, ran.err
    assert (place.leftovers(), list(place.work.iterdir())) == ([], [])
    assert place.run(*line).code == 0
    study, twin = fetched(bucket, tmp_path / "seen"), place.study()
    key = "trial", "state", "value", "epochs"
    assert [[row[name] for name in key] for row in rows(study)] == [[row[name] for name in key] for row in rows(twin)]
    assert summary(study)["best"] == summary(twin)["best"]


def test_a_driver_is_killed_and_the_study_goes_on_from_another_machine(
    place: Place, bucket: str, tmp_path: Path
) -> None:
    there = storage(bucket, s3_server())

    def saved() -> bool:
        return any(event.get("saved") for event in events(seen(bucket, tmp_path / "seen").path))

    with place.start(*LONG, there, OFTEN) as process:
        wait_until(lambda: process.poll() is not None or saved(), TIMEOUT)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGKILL, "it must not have ended before"
    place.until_empty()
    before = events(seen(bucket, tmp_path / "before").path)
    (tmp_path / "other").mkdir()
    with new_place(tmp_path / "other", environment=dict(KEYS)) as other:
        ran = other.run(*LONG, there, OFTEN)
        assert ran.code == 0, ran.err
        assert other.leftovers() == []
    study = fetched(bucket, tmp_path / "after")
    after = events(study)
    assert after[: len(before)] == before
    assert [row["state"] for row in rows(study)] == ["complete"] * 4
    assert any(event["type"] == "started" and event.get("epoch") for event in after[len(before) :]), "from its state"
    assert len({event["trial"] for event in after if event["type"] == "ended"}) == 4
    assert not list(study.glob("checkpoints/*/resume-*"))


def test_a_server_that_is_away_for_a_while_costs_time_only(place: Place, bucket: str, tmp_path: Path) -> None:
    with gate(s3_server()) as before:

        def reports() -> int:
            return len(events(seen(bucket, tmp_path / "seen").path, "reported"))

        with place.start(*LONG, storage(bucket, before.port), OFTEN) as process:
            wait_until(lambda: process.poll() is not None or reports() > 0, TIMEOUT)
            before.shut()
            time.sleep(8)
            assert process.poll() is None, "it waits"
            before.open()
            _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    study = fetched(bucket, tmp_path)
    assert [row["state"] for row in rows(study)] == ["complete"] * 4
    assert sum(event["type"] == "reported" for event in events(study)) == 160, "no epoch was trained twice"
    assert any(event["type"] == "waited" for event in events(study))


@pytest.mark.parametrize(("name", "port"), [("no-such-bucket", s3_server), ("bucket", strict_s3_server)])
def test_a_bucket_that_cannot_be_used_is_refused(place: Place, name: str, port: Callable[[], int]) -> None:
    ran = place.run(*FIRST, storage(name, port()))
    assert ran.code == 2, ran.err
    assert "study.storage must be a bucket" in ran.err
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in ran.out + ran.err
    assert (place.leftovers(), list(place.work.iterdir())) == ([], [])


def test_a_study_in_a_bucket_is_listed_shown_and_stopped_from_elsewhere(
    place: Place, bucket: str, tmp_path: Path
) -> None:
    there = storage(bucket, s3_server())

    def has(kind: str) -> bool:
        return bool(events(seen(bucket, tmp_path / "seen").path, kind))

    (tmp_path / "other").mkdir()
    endless = (*LONG, "budget.max_epochs=5000", there, OFTEN)
    with place.start(*endless) as driver, new_place(tmp_path / "other", environment=dict(KEYS)) as other:
        wait_until(lambda: driver.poll() is not None or has("reported"), TIMEOUT)
        assert "running" in other.run("mode=list", there).out.splitlines()[1]
        assert other.run("mode=report", "study.name=first", there).code == 0
        asked = other.run("mode=stop", "study.name=first", "study.trial=0", there)
        assert (asked.code, asked.err) == (0, "")
        asked = other.run("mode=stop", "study.name=first", there)
        assert (asked.code, asked.err) == (0, "")
        _, err = driver.communicate(timeout=TIMEOUT)
        assert driver.returncode == 75, err
        assert "interrupted" in other.run("mode=list", there).out.splitlines()[1]
    study = fetched(bucket, tmp_path)
    ((stopped, state),) = [(event["trial"], event["state"]) for event in events(study, "ended")]
    assert (stopped, state) == ("0", "stopped")
    assert (study / "report.html").is_file()
