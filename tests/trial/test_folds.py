"""Cross-validation inside a trial: which values its reports have, which model stays, and what ends it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from event_files import Run
from fold_parts import THREE, VALUES, fold_config, run
from hypothesis import given
from hypothesis import strategies as st
from put_back import isolation_undone
from trial_parts import ACCURACY, Reports

from raytune_nn.config.schema import Take
from raytune_nn.trial.folds import mean_metrics

STEPS = 4  # of an epoch
finite = st.floats(-1e6, 1e6)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def train(
    folder: Path, values: list[list[float]] = VALUES, epochs: int = 2, model: dict[str, Any] | None = None, **more: Any
) -> Reports:
    config = fold_config(values, epochs, model or {}, **more.pop("trainer", {}))
    return run(folder, config, **{"objective": replace(ACCURACY, folds=len(values)), **more})


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=6))
def test_mean_and_deviation_are_those_of_numpy(values: list[tuple[float, float]]) -> None:
    metrics = mean_metrics([{"val_acc": acc, "loss": loss} for acc, loss in values], THREE)
    assert set(metrics) == {"val_acc", "loss", "val_acc_std"}
    assert metrics["val_acc"] == pytest.approx(np.mean([acc for acc, _ in values]), rel=1e-9, abs=1e-6)
    assert metrics["loss"] == pytest.approx(np.mean([loss for _, loss in values]), rel=1e-9, abs=1e-6)
    assert metrics["val_acc_std"] == pytest.approx(np.std([acc for acc, _ in values], ddof=1), rel=1e-6, abs=1e-6)


@given(finite, st.integers(2, 9))
def test_equal_folds_have_their_own_value_and_no_deviation(value: float, folds: int) -> None:
    assert mean_metrics([{"val_acc": value}] * folds, THREE) == {"val_acc": value, "val_acc_std": 0.0}


def test_a_metric_that_a_fold_lacks_has_no_mean() -> None:
    metrics = mean_metrics([{"val_acc": 0.25, "a": 1.0}, {"val_acc": 0.75, "b": 1.0}], THREE)
    assert metrics == {"val_acc": 0.5, "val_acc_std": pytest.approx(math.sqrt(0.125))}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_so(value: float) -> None:
    metrics = mean_metrics([{"val_acc": 0.5, "loss": math.inf}, {"val_acc": value, "loss": -math.inf}], THREE)
    assert "val_acc_std" not in metrics
    assert metrics["val_acc"] == pytest.approx(value, nan_ok=True)
    assert math.isnan(metrics["loss"])


@pytest.mark.parametrize(
    ("take", "means", "deviation"),
    [(Take.best, [0.75, 0.625, 0.75], 0.25), (Take.last, [0.75, 0.625, 1.75 / 3], 0.14433756729740643)],
)
def test_a_report_after_each_fold_has_the_mean_so_far(
    take: Take, means: list[float], deviation: float, tmp_path: Path
) -> None:
    reports = train(tmp_path, objective=replace(THREE, take=take))
    assert reports.values("val_acc") == pytest.approx(means)
    assert "val_acc_std" not in reports[0].metrics
    assert reports[1].metrics["val_acc_std"] == pytest.approx(0.25 / math.sqrt(2))
    assert reports[2].metrics["val_acc_std"] == pytest.approx(deviation)
    assert [report.epoch for report in reports] == [2, 4, 6]
    assert [report.step for report in reports] == [2 * STEPS, 4 * STEPS, 6 * STEPS]
    assert 0 < reports[0].seconds < reports[1].seconds < reports[2].seconds < 60


def test_a_fold_is_the_single_training_of_its_rows(tmp_path: Path) -> None:
    """To the last bit, whatever the folds before it left in the process."""
    config = fold_config(VALUES, 2, {})
    alone = []
    for fold in range(3):
        data = {**config["data"], "folds": 3, "fold": fold}
        reports = run(tmp_path / str(fold), {**config, "data": data}, ACCURACY)
        alone.append(max(reports, key=lambda report: report.metrics["val_acc"]).metrics)
    together = run(tmp_path / "all", config, THREE)
    for done, report in enumerate(together, start=1):
        losses = [metrics["train_loss"] for metrics in alone[:done]]
        assert report.metrics["train_loss"] == statistics.mean(losses)
    assert len({metrics["train_loss"] for metrics in alone}) == 3, "else nothing is proved"


def test_epochs_that_no_report_tells_of_count(tmp_path: Path) -> None:
    reports = train(tmp_path, epochs=3, trainer={"check_val_every_n_epoch": 2})
    assert [report.epoch for report in reports] == [3, 6, 9]
    ended = train(tmp_path, epochs=3, model={"ends": 1})
    assert [report.epoch for report in ended] == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "take", "best", "kept", "fold", "epoch"),
    [
        (VALUES, Take.best, None, ["7", None, "7"], 2, 0),
        (VALUES, Take.best, 0.6, ["7", None, "7"], 2, 0),
        (VALUES, Take.best, 0.8, [None, None, "7"], 2, 0),
        (VALUES, Take.last, None, ["7", None, None], 0, 1),
        (VALUES, Take.last, 0.8, [None, None, None], None, None),
        (VALUES, Take.best, 1.0, [None, None, None], None, None),
    ],
)
def test_the_model_of_the_best_fold_stays(
    values: list[list[float]],
    take: Take,
    best: float | None,
    kept: list[str | None],
    fold: int | None,
    epoch: int | None,
    tmp_path: Path,
) -> None:
    reports = train(tmp_path, values, objective=replace(THREE, take=take), best=best)
    assert [report.checkpoint for report in reports] == kept
    folders = list((tmp_path / "checkpoints").iterdir()) if (tmp_path / "checkpoints").exists() else []
    assert [path.name for path in folders] == (["7"] if any(kept) else []), "and no draft"
    if fold is not None:
        config = yaml.safe_load((folders[0] / "config.yaml").read_text())
        assert config["data"] == {"_target_": "fold_parts.FoldData", "folds": 3, "fold": fold}
        assert config["objective"]["folds"] is None, "a single training of the rows that the model was trained on"
        assert torch.load(folders[0] / "model.ckpt", weights_only=True)["epoch"] == epoch


def test_a_fold_without_a_finite_value_ends_the_trial(tmp_path: Path) -> None:
    reports = train(tmp_path, [[0.5, 0.75], [0.5, math.nan, 0.5], [1.0]], epochs=3)
    assert len(reports) == 2, "whatever the answer"
    assert math.isnan(reports[1].metrics["val_acc"])
    assert (reports[1].epoch, reports[1].checkpoint) == (5, None)
    assert Run(tmp_path / "tb" / "7").status() == "failure"


def test_the_value_of_a_fold_that_diverged_in_the_middle_of_an_epoch_is_lost(tmp_path: Path) -> None:
    values = [[math.nan, 0.5, 0.75, 0.75], [0.5]]
    reports = train(tmp_path, values, trainer={"val_check_interval": 0.5}, objective=replace(THREE, take=Take.last))
    assert [math.isnan(value) for value in reports.values("val_acc")] == [True]


def test_a_fold_without_the_metric_says_what_it_has(tmp_path: Path) -> None:
    (report,) = train(tmp_path, model={"silent": 0})
    assert "val_acc" not in report.metrics
    assert "train_loss" in report.metrics
    first, second = train(tmp_path, model={"silent": 1})
    assert first.metrics["val_acc"] == 0.75
    assert "val_acc" not in second.metrics


def test_a_fold_without_a_validation_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each fold must come to a validation, but fold 0 of 3 did not"):
        train(tmp_path, epochs=1, trainer={"check_val_every_n_epoch": 2})


def test_told_to_stop_no_fold_follows(tmp_path: Path) -> None:
    reports = train(tmp_path, reports=Reports(until=2))
    assert reports.values("val_acc") == [0.75, 0.625]
    board = Run(tmp_path / "tb" / "7")
    assert (board.status(), board.scalars("best/val_acc")[-1][1]) == ("success", 0.625)
    assert max(value for _, value in board.scalars("mine")) == 1.0


def test_a_stop_inside_a_fold_is_obeyed_at_the_end_of_the_epoch(tmp_path: Path) -> None:
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(len(asked))
        return len(asked) > 4

    values = [[0.5], [0.75], [0.5]]
    reports = train(tmp_path, values, epochs=3, stopped=stopped)
    assert len(asked) == 5, "once an epoch: the second of the second fold was the last"
    assert reports.values("val_acc") == [0.5], "half a fold is none"
    assert len(Run(tmp_path / "tb" / "7").scalars("mine")) == 5 * STEPS
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["7"]


def test_the_folds_are_one_run_whose_steps_never_repeat(tmp_path: Path) -> None:
    train(tmp_path)
    board = Run(tmp_path / "tb" / "7")
    steps = [step for step, _ in board.scalars("val_acc")]
    assert [value for _, value in board.scalars("val_acc")] == [0.5, 0.75, 0.25, 0.5, 1.0, 0.5]
    assert steps == sorted(set(steps))
    own = board.scalars("mine")
    assert [value for _, value in own] == [0.0] * 8 + [1.0] * 8 + [2.0] * 8
    assert [step for step, _ in own] == sorted({step for step, _ in own}), "also what the module writes by itself"
    assert board.scalars("best/val_acc")[-1][1] == board.scalars("last/val_acc")[-1][1] == 0.75, "the mean"
    assert board.metrics() == ["best/val_acc", "last/val_acc"]
