"""Safety copies: states that are saved every few minutes, and change nothing but what is lost with a process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from event_files import Run
from put_back import isolation_undone
from test_training_state import EPOCHS, MIXUP, digits, schedule
from trial_parts import Net, Reports, base_config, context

from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.safety_copies import SafetyCopies
from raytune_nn.trial.task import Report, StudyContext, TrialTask

AT_ONCE = 1e-9  # seconds: each report is due
PARAMS = {"trainer.max_epochs": EPOCHS}
DIES = """
import os, pickle, sys
from pathlib import Path

from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation

study, task, until = pickle.loads(sys.stdin.buffer.read())
reports = []


def send(report):
    reports.append(report)
    if report.epoch == until:
        Path(study.folder, "reports").write_bytes(pickle.dumps(reports))
        os._exit(1)
    return True


run_trial(study, task, Isolation(1), send)
"""


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def train(study: StudyContext, task: TrialTask) -> Reports:
    reports = Reports()
    run_trial(study, task, Isolation(threads=1), reports)
    return reports


def first(**fields: Any) -> TrialTask:
    return TrialTask("7", PARAMS, (), **fields)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints" / "7").glob("*"))


@pytest.mark.slow
def test_a_trial_whose_process_died_goes_on_from_its_last_copy(tmp_path: Path) -> None:
    config = digits(
        callbacks={"mixup": MIXUP}, lr_scheduler=schedule("OneCycleLR", "step", max_lr=0.05, total_steps=40)
    )
    whole = train(context(config, tmp_path / "whole", waits_at=()), first())
    study = context(config, tmp_path / "parts", waits_at=(), copy_seconds=AT_ONCE)
    request = pickle.dumps((study, first(), 4))
    died = subprocess.run([sys.executable, "-c", DIES], input=request, env={**os.environ, "PYTHONPATH": _path()})
    assert died.returncode == 1
    before = pickle.loads((tmp_path / "parts" / "reports").read_bytes())
    assert [report.saved for report in before] == [True] * 4
    after = train(study, first(epoch=3, saves=3, values=(before[2].metrics["val_acc"],)))  # the last report was lost
    assert [report.metrics for report in (*before[:3], *after)] == [report.metrics for report in whole]
    boards = [Run(tmp_path / name / "tb" / "7") for name in ("whole", "parts")]
    assert boards[0].tags == boards[1].tags
    assert all(boards[0].scalars(tag) == boards[1].scalars(tag) for tag in boards[0].tags)


def test_a_trial_that_failed_after_a_copy_goes_on_from_it(tmp_path: Path) -> None:
    whole = train(context(digits(), tmp_path / "whole", waits_at=()), first())
    study = context(digits(), tmp_path / "parts", waits_at=(), copy_seconds=AT_ONCE)

    def fails(report: Report) -> bool:
        return 1 // (report.epoch < 4) == 1

    with pytest.raises(ZeroDivisionError):
        run_trial(study, first(), Isolation(threads=1), fails)
    assert files(tmp_path / "parts")[-1] == "resume-4.ckpt"
    after = train(study, first(epoch=3, saves=3, values=(whole[2].metrics["val_acc"],)))
    assert [report.metrics for report in after] == [report.metrics for report in whole[3:]]


def _path() -> str:
    return os.pathsep.join(filter(None, sys.path))


def test_a_state_is_used_whatever_the_next_command_says_of_copies(tmp_path: Path) -> None:
    study = context(digits(), tmp_path, waits_at=(), copy_seconds=AT_ONCE)
    whole = train(study, first())
    without = context(digits(), tmp_path, waits_at=())
    after = train(without, first(epoch=2, saves=2, values=(whole[1].metrics["val_acc"],)))
    assert [report.metrics for report in after] == [report.metrics for report in whole[2:]]
    assert not any(report.saved for report in after)


def test_a_copy_is_due_after_so_many_seconds_since_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    copies, none = SafetyCopies(60.0), SafetyCopies(None)
    for step, due in ((59.0, False), (1.0, True), (30.0, True)):
        now[0] += step
        assert (copies.due, none.due) == (due, False)
    copies.saved()
    now[0] += 59.0
    assert not copies.due
    now[0] += 1.0
    assert copies.due


@pytest.mark.parametrize("seconds", [None, 3600.0])
def test_nothing_is_written_before_it_is_time(seconds: float | None, tmp_path: Path) -> None:
    reports = train(context(digits(), tmp_path, waits_at=(), copy_seconds=seconds), first())
    assert not any(report.saved or report.unsaved for report in reports)
    assert files(tmp_path) == ["config.yaml", "model.ckpt"]


def test_at_the_end_of_the_training_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    reports = train(context(digits(), tmp_path, waits_at=(), copy_seconds=AT_ONCE), first())
    assert [report.saved for report in reports] == [*[True] * (EPOCHS - 1), False]
    assert not any(report.unsaved for report in reports)


def test_where_validations_lie_within_epochs_there_is_none_and_it_is_said_once(tmp_path: Path) -> None:
    trainer = {**digits()["trainer"], "val_check_interval": 0.5}
    reports = train(context(digits(trainer=trainer), tmp_path, waits_at=(), copy_seconds=AT_ONCE), first())
    assert len(reports) == 2 * EPOCHS
    assert not any(report.saved for report in reports)
    said = [report.unsaved for report in reports if report.unsaved]
    assert said == ["it validates within epochs (trainer.val_check_interval)"]


class Unsaveable(Net):
    """Adds to its state what only unpickling brings back, or cannot be pickled, or it fails."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.trainer.fit_loop.epoch_loop._batches_that_stepped == 0 or "raise" not in self.how:
            checkpoint["mine"] = SafetyCopies(1.0) if self.how == "object" else lambda: None
        elif "optimizer_states" in checkpoint:  # not for a model by itself
            raise OSError("No space left on device")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("object", "the state of a training must consist of tensors and plain data"),
        ("lambda", "the state of a training must consist of tensors and plain data"),
        ("raise", "No space left on device"),
    ],
)
def test_a_state_that_cannot_be_saved_fails_no_trial(how: str, why: str, tmp_path: Path) -> None:
    model = {"_target_": "test_safety_copies.Unsaveable", "how": how}
    config = base_config(model=model, data={"_target_": "trial_parts.Data"})
    reports = train(context(config, tmp_path, waits_at=(), copy_seconds=AT_ONCE), first())
    assert [report.epoch for report in reports] == [*range(1, EPOCHS + 1)]
    assert not any(report.saved for report in reports)
    said = [report.unsaved for report in reports if report.unsaved]
    assert len(said) == 1
    assert said[0].startswith(why)
    assert files(tmp_path) == ["config.yaml", "model.ckpt"], "no half of a state either"
    with pytest.raises((ValueError, OSError), match=why):  # where it must be saved, it must be
        train(context(config, tmp_path / "pausing", waits_at=(1,), pauses=True, copy_seconds=AT_ONCE), first())


def test_copies_are_made_between_the_steps_of_a_scheduler_that_pauses(tmp_path: Path) -> None:
    study = context(digits(), tmp_path, waits_at=(3,), pauses=True)
    assert [report.saved for report in train(study, first())] == [False, False, True, False, False, False]
    more = context(digits(), tmp_path / "more", waits_at=(3,), pauses=True, copy_seconds=AT_ONCE)
    reports = train(more, first())
    assert [report.saved for report in reports] == [*[True] * (EPOCHS - 1), False]
    assert [report.rung for report in reports] == [None, None, 3, None, None, None], "the others are safety copies"
