"""Which reports of a trial a training from the beginning has to make again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.modes.reproduce import _reports
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal
from raytune_nn.store.trial import TrialRecord


def reports(folder: Path, *events: tuple[str, dict[str, Any]]) -> list[int]:
    """The values of the reports of trial 0 after these events."""
    study = StudyFolder(folder)
    journal = Journal(study.journal)
    for type, fields in events:
        journal.append(type, trial="0", **fields)
    journal.append("reported", trial="1", epoch=1, metrics={"v": 99})
    journal.close()
    return [int(metrics["v"]) for metrics in _reports(study, TrialRecord("0", {}))]


def report(epoch: int, value: int) -> tuple[str, dict[str, Any]]:
    return "reported", {"epoch": epoch, "metrics": {"v": value}}


def resumed(source: str | None = None, params: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    return "resumed", {"source": source, "params": params}


START: tuple[str, dict[str, Any]] = ("started", {})


def on(epoch: int) -> tuple[str, dict[str, Any]]:
    return "started", {"epoch": epoch}


def test_those_of_the_last_attempt(tmp_path: Path) -> None:
    assert reports(tmp_path, START, report(1, 10), report(2, 20), START, report(1, 11)) == [11]


def test_those_of_all_pieces_and_none_after_the_state_of_one(tmp_path: Path) -> None:
    events = [START, report(1, 10), report(2, 20), resumed(), on(2), report(3, 30), report(4, 40), on(2), report(3, 31)]
    assert reports(tmp_path, *events) == [10, 20, 31]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (resumed("3"), "trial 0 took over the weights of trial 3"),
        (resumed(params={"lr": 1.0}), "trial 0 went on with other parameters"),
    ],
)
def test_a_trial_that_no_training_from_the_beginning_repeats(
    change: tuple[str, dict[str, Any]], found: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=found):
        reports(tmp_path / "a", START, report(1, 10), change, on(1), report(2, 20))
    events = [START, report(1, 10), change, on(1), report(2, 20), START, report(1, 11)]
    assert reports(tmp_path / "b", *events) == [11], "its state was gone, and it began anew"
