"""A logger of the configuration: one run a trial, named and grouped; its failures are told and fail no trial."""

from __future__ import annotations

import csv
import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_files import Run
from logger_parts import Recorder
from trial_parts import ACCURACY, Reports, base_config, context

from raytune_nn.errors import ConfigError
from raytune_nn.trial import other_logger
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.targets import check_targets
from raytune_nn.trial.task import TrialTask

NAMED = {
    "_target_": "logger_parts.Recorder",
    "name": "${trial:id}",
    "group": "${trial:study}",
    "folder": "${trial:folder}",
}

CSV = {
    "_target_": "pytorch_lightning.loggers.CSVLogger",
    "save_dir": "${trial:folder}",
    "name": "${trial:id}",
    "version": "csv",
}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    Recorder.runs.clear()
    Recorder.refuses.clear()


def train(folder: Path, logger: dict[str, Any], folds: int | None = None, **changes: Any) -> Reports:
    reports = Reports()
    objective = replace(ACCURACY, folds=folds)
    study = context(base_config(logger=logger, **changes), folder, objective=objective, name="first")
    run_trial(study, TrialTask("7", {"trainer.max_epochs": 2}, front=()), Isolation(threads=1), reports)
    return reports


def rows_of(folder: Path) -> list[dict[str, str]]:
    """What the CSV logger wrote for trial 7."""
    with (folder / "7" / "csv" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_trial_is_a_run_with_its_name_its_group_and_what_was_sampled(tmp_path: Path) -> None:
    train(tmp_path, NAMED)
    (run,) = Recorder.runs
    assert run.keywords == {"name": "7", "group": "first", "folder": str(tmp_path), "token": ""}
    assert run.hyperparams == [{"trainer.max_epochs": 2}]
    assert run.ends == ["success", "finished"], "else some clients go on with it in the next trial"


def test_it_has_the_points_of_the_tensorboard_run(tmp_path: Path) -> None:
    train(tmp_path, NAMED)
    board = Run(tmp_path / "tb" / "7")
    (run,) = Recorder.runs
    values = [(step, metrics["val_acc"]) for step, metrics in run.metrics if "val_acc" in metrics]
    assert values == board.scalars("val_acc")
    assert board.status() == "success", "ours stays"


def test_the_folds_of_a_trial_are_one_run_whose_steps_never_repeat(tmp_path: Path) -> None:
    train(tmp_path, CSV, folds=2, data={"_target_": "fold_parts.FoldData"}, objective={"folds": 2})
    steps = [int(row["step"]) for row in rows_of(tmp_path) if row["val_acc"]]
    assert len(steps) == 4
    assert steps == sorted(set(steps))


def test_without_a_logger_there_is_none(tmp_path: Path) -> None:
    train(tmp_path, {})
    assert Recorder.runs == []


@pytest.mark.parametrize("method", ["log_metrics", "log_hyperparams", "__init__", "finalize"])
def test_one_that_fails_fails_no_trial_and_is_told_once(
    tmp_path: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    Recorder.refuses.append(method)
    with caplog.at_level(logging.WARNING, other_logger.__name__):
        reports = train(tmp_path, NAMED)
    assert len(reports) == 2
    told = [report.unlogged for report in reports if report.unlogged] + [record.message for record in caplog.records]
    assert len(told) == 1
    assert told[0].endswith("takes nothing for now: ConnectionError: the server is away for you")
    assert bool(reports[0].unlogged) is (method != "finalize"), "with the next report, where there is one"


def test_it_is_tried_again_with_growing_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    class Ours:
        version, first_step = "7", 5

    logger = other_logger.OtherLogger(Ours(), {"lr": 0.1}, str)  # type: ignore[arg-type]
    logger.open(Recorder)
    tried: list[float] = []

    def refuse(self: Recorder, metrics: object, step: int) -> None:
        tried.append(now[0])
        raise ConnectionError

    monkeypatch.setattr(Recorder, "log_metrics", refuse)
    for _ in range(1000):
        logger.log_metrics({"loss": 1.0}, 0)
        now[0] += 1.0
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses == [10, 20, 40, 80, 160, 300, 300][: len(pauses)]
    assert len(pauses) >= 5
    monkeypatch.undo()
    monkeypatch.setattr("time.monotonic", lambda: now[0] + 301)
    logger.log_metrics({"loss": 0.5}, 2)
    (run,) = Recorder.runs
    assert (run.hyperparams, run.metrics) == ([{"lr": 0.1}], [(7, {"loss": 0.5})])


def test_a_wrong_configuration_fails_the_trial(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong must be false"):
        train(tmp_path, NAMED | {"wrong": True})


def test_a_secret_reaches_the_logger_and_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hush-hush")
    Recorder.refuses.append("log_metrics")
    reports = train(tmp_path, NAMED | {"token": "${oc.env:MY_TOKEN}"})
    assert Recorder.runs[0].keywords["token"] == "hush-hush"
    assert reports[0].unlogged.endswith("the server is away for ${oc.env:MY_TOKEN}")
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"hush-hush" in content for content in kept)


def test_lightnings_own_loggers_work(tmp_path: Path) -> None:
    train(tmp_path, CSV)
    assert [float(row["val_acc"]) for row in rows_of(tmp_path) if row["val_acc"]] == [0.5, 0.5]
    node = {"_target_": "pytorch_lightning.loggers.TensorBoardLogger", "save_dir": "${trial:folder}/more"}
    train(tmp_path, node | {"name": "", "version": "${trial:id}"})
    assert [value for _, value in Run(tmp_path / "more" / "7").scalars("val_acc")] == [0.5, 0.5]


def test_what_is_no_logger_is_refused(tmp_path: Path) -> None:
    config = base_config(logger={"_target_": "trial_parts.Part"}, optimizer={"_target_": None})
    with pytest.raises(ConfigError, match=r"logger\._target_ must be a Logger"):
        check_targets(config, [])
