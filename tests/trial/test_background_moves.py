"""A training whose files are moved to the study's folder in the background, and the slot that hears of it."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from put_back import isolation_undone
from slow_storage import SlowStorage, slow_storage
from test_training_state import EPOCHS, digits
from trial_parts import base_config, context

from raytune_nn.store.files import Files
from raytune_nn.trial import fit, training
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.outbox import Outbox, node_folder
from raytune_nn.trial.task import Report, TrialTask
from raytune_nn.trial.training import Training

Send = Callable[[Report], bool]


class Script:
    """Stands in for ``run_trial``: an epoch each, with a file where it says so, and its report."""

    def __init__(self, folder: Path, epochs: int, files: Mapping[int, bool]) -> None:
        self.folder, self.epochs, self.files = folder, epochs, files  # epoch -> whether the file is needed
        self.answers: list[int] = []
        self.answered = threading.Condition()

    def path(self, epoch: int) -> Path:
        return self.folder / str(epoch) / "file"

    def __call__(
        self, study: object, task: object, isolation: object, send: Send, stopped: Any, out: Outbox, *_: object
    ) -> None:
        for epoch in range(1, self.epochs + 1):
            if epoch in self.files:
                out.put(self.path(epoch), lambda file: file.write(b"content"), needed=self.files[epoch])
            send(Report(epoch, step=epoch, seconds=1.0, metrics={}, saved=epoch in self.files))
            with self.answered:
                self.answers.append(epoch)
                self.answered.notify_all()

    def wait_for(self, epoch: int) -> None:
        """Until its report was answered."""
        with self.answered:
            assert self.answered.wait_for(lambda: epoch in self.answers, timeout=10)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowStorage]:
    yield from slow_storage(monkeypatch)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Training]]:
    """Starts a training with a script for a body, on a node with a disk of its own."""
    threads: list[Training] = []
    (tmp_path / "node").mkdir()
    monkeypatch.setattr(training, "node_folder", lambda study: str(tmp_path / "node"))

    def start(script: Script, waits_at: tuple[int, ...] = ()) -> Training:
        monkeypatch.setattr(fit, "run_trial", script)
        study = context(base_config(), tmp_path, waits_at=waits_at, report_every=0.0)
        threads.append(Training(study, TrialTask("7", {}, ()), isolation=None))  # type: ignore[arg-type]
        threads[-1].go_on()
        return threads[-1]

    yield start
    assert all(thread.stop(10) for thread in threads)
    assert os.listdir(tmp_path / "node") == []


def collect(training: Training) -> tuple[list[dict[str, Any]], str]:
    """All reports of a training, and its error."""
    reports: list[dict[str, Any]] = []
    while True:
        training.go_on()
        answer = training.collect()
        reports += answer["reports"]
        if answer["ended"]:
            return reports, answer["error"]


def epochs(reports: list[dict[str, Any]]) -> list[int]:
    return [report["epoch"] for report in reports]


def test_the_training_goes_on_and_its_reports_wait_for_the_file(
    tmp_path: Path, begin: Callable[..., Training], storage: SlowStorage
) -> None:
    script = Script(tmp_path / "study", 4, {2: True})
    training = begin(script)
    script.wait_for(4)
    assert epochs(training.collect()["reports"]) == [1]
    assert training._reports.empty(), "those after the second wait behind it"
    assert not script.path(2).exists()
    assert training.is_alive(), "the end waits too"
    storage.open.set()
    reports, error = collect(training)
    assert (epochs(reports), error) == ([2, 3, 4], "")
    assert script.path(2).read_bytes() == b"content"


def test_where_the_scheduler_decides_the_training_waits_for_the_file_and_the_answer(
    tmp_path: Path, begin: Callable[..., Training], storage: SlowStorage
) -> None:
    script = Script(tmp_path / "study", 3, {1: True})
    training = begin(script, waits_at=(2,))
    script.wait_for(1)
    time.sleep(0.05)
    assert training._reports.empty()
    assert script.answers == [1]
    storage.open.set()
    heard: list[int] = []
    while heard != [1, 2]:
        heard += epochs(training.collect()["reports"])
    time.sleep(0.05)
    assert script.answers == [1], "the file is there, and the answer is not"
    assert (epochs(collect(training)[0]), script.answers) == ([3], [1, 2, 3])


@pytest.mark.parametrize("waits_at", [(), (2,), (3,)])
def test_a_file_that_cannot_be_moved_is_the_trials_error(
    tmp_path: Path, begin: Callable[..., Training], waits_at: tuple[int, ...]
) -> None:
    """At the next report, where an answer is waited for, or at the end."""
    script = Script(tmp_path / "study", 3, {2: True})
    script.folder.mkdir()
    script.path(2).parent.write_text("no folder")
    reports, error = collect(begin(script, waits_at))
    assert epochs(reports) == [1]
    assert error.strip().splitlines()[-1] == f"FileExistsError: [Errno 17] File exists: '{script.path(2)}'"


def test_a_copy_that_cannot_be_moved_is_told_and_fails_nothing(tmp_path: Path, begin: Callable[..., Training]) -> None:
    script = Script(tmp_path / "study", 4, {1: False, 2: False})
    script.folder.mkdir()
    script.path(2).parent.write_text("no folder")
    reports, error = collect(begin(script))
    assert error == ""
    assert [(report["saved"], "File exists" in report["unsaved"]) for report in reports] == [
        (True, False),
        (False, True),
        (False, False),
        (False, False),
    ]


def test_to_stop_leaves_what_waits(tmp_path: Path, begin: Callable[..., Training], storage: SlowStorage) -> None:
    script = Script(tmp_path / "study", 2, {1: True, 2: True})
    training = begin(script)
    script.wait_for(2)
    assert storage.begun.wait(10)
    assert not training.stop(0.05), "a file is under way"
    storage.open.set()
    assert training.stop(10)
    assert not script.path(2).exists()


class TestWholeTrial:
    """On two filesystems."""

    @pytest.fixture(autouse=True)
    def _put_back(self) -> Iterator[None]:
        yield from isolation_undone()

    @pytest.fixture
    def share(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as share:
            assert node_folder(share) is not None
            yield Path(share)

    def train(self, folder: Path, **changes: Any) -> list[dict[str, Any]]:
        """Its reports; the files that each speaks of are looked for when it arrives."""
        study = context(digits(), folder, **changes)
        task = TrialTask("7", {"trainer.max_epochs": EPOCHS}, ())
        training = Training(study, task, Isolation(threads=1))
        reports, saves = [], 0
        while True:
            training.go_on()
            answer = training.collect()
            for report in answer["reports"]:
                saves += report["saved"]
                kept = folder / "checkpoints" / "7"
                if report["checkpoint"]:
                    assert torch.load(kept / "model.ckpt", weights_only=True)["epoch"] >= report["epoch"] - 1
                assert not report["saved"] or (kept / f"resume-{saves}.ckpt").is_file()
            reports += answer["reports"]
            if answer["ended"]:
                assert answer["error"] == ""
                return reports

    def test_it_reports_what_it_would_report_on_one(self, tmp_path: Path, share: Path) -> None:
        saves = {"waits_at": (2, 4), "pauses": True, "copy_seconds": 1e-9}
        here, there = self.train(tmp_path, **saves), self.train(share, **saves)
        assert [{**report, "seconds": 0} for report in here] == [{**report, "seconds": 0} for report in there]
        assert [report["saved"] for report in there] == [*[True] * (EPOCHS - 1), False]
        names = [sorted(os.listdir(folder / "checkpoints" / "7")) for folder in (tmp_path, share)]
        assert names[0] == names[1]

    def test_the_states_after_a_copy_that_was_lost_have_the_numbers_that_they_would_have(
        self, share: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The journal counts those that are there."""
        write, failed = Files.write, list[Path]()

        def fails_once(files: Files, path: Path, content: Any, durable: bool = False) -> None:
            if path.name == "resume-2.ckpt" and not failed:
                failed.append(path)
                raise OSError(28, "No space left on device", str(path))
            write(files, path, content, durable)

        monkeypatch.setattr(Files, "write", fails_once)
        reports = self.train(share, waits_at=(4,), pauses=True, copy_seconds=1e-9)
        assert [report["saved"] for report in reports] == [True, False, True, True, True, False]
        assert [report["unsaved"] for report in reports if report["unsaved"]] == [
            f"[Errno 28] No space left on device: '{failed[0]}'"
        ]
        states = [f"resume-{number}.ckpt" for number in (1, 2, 3, 4)]
        assert sorted(os.listdir(share / "checkpoints" / "7"))[-4:] == states
