"""What keeps a trial from going on from a state, and what is not held against the state."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from fold_parts import THREE, VALUES, fold_config
from put_back import isolation_undone
from trial_parts import Net, Reports, base_config, context

from raytune_nn.errors import UnusableError
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.retry import Retry
from raytune_nn.store.seal import write_sealed
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.outcome import attempt
from raytune_nn.trial.saved_state import UnusableState
from raytune_nn.trial.task import StudyContext, TrialTask

GO_ON = TrialTask("7", {}, (), (0.5,), epoch=1, saves=1)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


class Raises(Net):
    """Raises in one of its hooks, once it goes on."""

    def __init__(self, where: str = "", error: str = "ValueError") -> None:
        super().__init__()
        self.where, self.error = where, error

    def _reached(self, where: str) -> None:
        if where == self.where:
            raise {"ValueError": ValueError, "OSError": OSError, "OOM": torch.OutOfMemoryError}[self.error]("so it is")

    def setup(self, stage: str) -> None:
        self._reached("setup")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._reached("load")

    def on_train_epoch_start(self) -> None:
        self._reached("train")


def study(folder: Path, **model: Any) -> StudyContext:
    config = base_config(model={"_target_": "test_saved_state.Raises", **model})
    return context(config, folder, waits_at=(1, 2), pauses=True)


def train(study: StudyContext, task: TrialTask, until: int = 9, retry: Retry | None = None) -> Reports:
    reports = Reports(until)
    run_trial(study, task, Isolation(threads=1), reports, outbox=Outbox(retry=retry))
    return reports


def go_on(study: StudyContext) -> None:
    train(study, GO_ON)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A study whose one trial has paused after its first epoch."""
    assert train(study(tmp_path), TrialTask("7", {}, ()), until=1)[0].saved
    return tmp_path


def state(folder: Path) -> Path:
    return state_path(folder / "checkpoints", "7", 1)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


HARMS: list[tuple[Callable[[Path], Any], str]] = [
    (flip, "its checksum was"),
    (Path.unlink, "it is not there"),
    (lambda path: path.write_bytes(b""), "it is empty"),
    (lambda path: shutil.rmtree(path.parent), "it is not there"),
]


@pytest.mark.parametrize(("harm", "why"), HARMS)
def test_a_damaged_state_is_found_before_anything_is_touched(
    harm: Callable[[Path], Any], why: str, begun: Path
) -> None:
    harm(state(begun))
    before = sorted(path.name for path in (begun / "tb" / "7").iterdir())
    outcome = attempt(lambda: go_on(study(begun)))
    assert outcome.unusable.startswith(why)
    assert not outcome.out_of_memory
    assert sorted(path.name for path in (begun / "tb" / "7").iterdir()) == before
    assert len(train(study(begun), TrialTask("7", {}, ()))) == 3, "from the beginning it can"


def test_a_whole_state_is_gone_on_from(begun: Path) -> None:
    assert [report.epoch for report in train(study(begun), GO_ON)] == [2, 3]


def test_a_storage_that_is_not_there_is_waited_for_and_nothing_is_held_against_the_state(begun: Path) -> None:
    here, away = study(begun), begun.with_name("elsewhere")
    begun.rename(away)
    with pytest.raises(UnusableError, match="the study's folder is gone"):
        train(here, GO_ON, retry=Retry(begun))

    def bring_back(reason: str, first: bool) -> None:
        if first:
            away.rename(begun)

    assert [report.epoch for report in train(here, GO_ON, retry=Retry(begun, 60.0, bring_back))] == [2, 3]


def test_so_is_one_that_goes_before_the_folds_that_are_done_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = context(fold_config(VALUES, 2, {}), tmp_path, objective=THREE, waits_at=(2, 4), pauses=True)
    assert train(folds, TrialTask("7", {}, ()), until=1)[0].saved
    refusals, load = [OSError(errno.ESTALE, os.strerror(errno.ESTALE))], torch.load

    def refuse_once(path: Path, **keywords: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return load(path, **keywords)

    monkeypatch.setattr(torch, "load", refuse_once)
    task = TrialTask("7", {}, (), (0.5,), epoch=2, saves=1)
    assert [report.epoch for report in train(folds, task, retry=Retry(tmp_path, 60.0))] == [4, 6]


@pytest.mark.parametrize(
    ("where", "error", "unusable"),
    [
        ("load", "ValueError", True),
        ("load", "OSError", False),
        ("load", "OOM", False),
        ("setup", "ValueError", False),
        ("train", "ValueError", False),
    ],
)
def test_an_error_counts_against_the_state_only_where_it_is_of_loading_it(
    where: str, error: str, unusable: bool, begun: Path
) -> None:
    outcome = attempt(lambda: go_on(study(begun, where=where, error=error)))
    assert outcome.error.rstrip().endswith("so it is")
    assert outcome.unusable == ("it cannot be loaded: so it is" if unusable else "")
    assert outcome.out_of_memory == (error == "OOM")


def test_a_state_of_another_model_cannot_be_loaded(begun: Path) -> None:
    wide = context(base_config(model={"_target_": "trial_parts.Net", "width": 3}), begun, waits_at=(1,), pauses=True)
    with pytest.raises(UnusableState, match=r"it cannot be loaded: .*size mismatch"):
        train(wide, GO_ON)


def test_a_state_of_folds_that_holds_something_else(tmp_path: Path) -> None:
    folds = context(fold_config(VALUES, 2, {}), tmp_path, objective=THREE, waits_at=(2, 4), pauses=True)
    assert train(folds, TrialTask("7", {}, ()), until=1)[0].saved
    task = TrialTask("7", {}, (), (0.5,), epoch=2, saves=1)
    with state(tmp_path).open("w+b") as file:
        write_sealed(partial(torch.save, {"other": 1}), file)
    with pytest.raises(UnusableState, match=r"it cannot be loaded: .*other"):
        train(folds, task)
    flip(state(tmp_path))
    with pytest.raises(UnusableState, match="its checksum was"):
        train(folds, task)
