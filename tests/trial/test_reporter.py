"""The reporter: which moments of a training become reports, and how the answer ends it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Trainer
from trial_parts import ACCURACY, BATCH, ROWS, Data, Net, Reports, TrainData, context, quiet

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective, Values
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.reporter import Reporter
from raytune_nn.trial.task import StudyContext

EPOCH = ROWS // BATCH  # steps


class Counting(Net):
    """Logs how many rows it has seen, or what it is given."""

    def __init__(self, counts: list[float] | None = None) -> None:
        super().__init__()
        self._counts = counts

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        epoch = self.current_epoch
        self.log("rows", float(ROWS * (epoch + 1)) if self._counts is None else self._counts[epoch])


class NoCheckpoints:
    """Names a folder at every second report."""

    def __init__(self) -> None:
        self.values: list[Values | None] = []

    def keep(self, trainer: Trainer, values: Values | None) -> str | None:
        self.values.append(values)
        return "7" if len(self.values) % 2 == 0 else None


def train(
    reports: Reports,
    model: Net | None = None,
    objective: Objective = ACCURACY,
    study: StudyContext | None = None,
    **trainer: Any,
) -> Trainer:
    model = model or Net()
    data = Data() if getattr(model, "validation_step", None) else TrainData()
    reporter = Reporter(reports, objective, study)
    reporter.checkpointer = NoCheckpoints()  # type: ignore[assignment]
    options = quiet(max_epochs=3, callbacks=[reporter], **trainer)
    built = Trainer(**{**options, "enable_checkpointing": True})
    built.fit(model, datamodule=data)
    return built


def test_each_validation_is_one_report() -> None:
    reports = Reports()
    train(reports, Net(accuracy=[0.25, 0.5, 0.125]))
    assert reports.values("val_acc") == [0.25, 0.5, 0.125]
    assert [(report.epoch, report.step) for report in reports] == [(1, EPOCH), (2, 2 * EPOCH), (3, 3 * EPOCH)]
    assert [report.checkpoint for report in reports] == [None, "7", None]
    seconds = [report.seconds for report in reports]
    assert 0 < seconds[0] < seconds[1] < seconds[2] < 60


def test_metrics_are_plain_numbers() -> None:
    reports = Reports()
    train(reports)
    assert {type(value) for report in reports for value in report.metrics.values()} == {float}


@pytest.mark.parametrize("validation", [True, False])
def test_a_report_has_the_training_metrics_of_its_own_epoch(validation: bool) -> None:
    reports = Reports()
    train(reports, Net(validation=validation), replace(ACCURACY, metric="train_loss"))
    assert reports.values("epochs") == [1, 2, 3], "logged in on_train_epoch_end, after most callbacks"
    losses = reports.values("train_loss")
    assert losses[0] > losses[1] > losses[2], "means that are there once the epoch is over"


def test_two_validations_an_epoch_are_two_reports() -> None:
    reports = Reports()
    train(reports, Net(accuracy=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), val_check_interval=0.5)
    assert reports.values("val_acc") == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [report.epoch for report in reports] == [1, 1, 2, 2, 3, 3]
    assert [report.step for report in reports] == [2, 4, 6, 8, 10, 12]


def test_an_epoch_without_its_validation_is_no_report() -> None:
    reports = Reports()
    train(reports, check_val_every_n_epoch=2)
    assert [report.epoch for report in reports] == [2]


def test_a_module_without_validation_reports_once_an_epoch() -> None:
    reports = Reports()
    train(reports, Net(validation=False), replace(ACCURACY, metric="epochs"), val_check_interval=0.5)
    assert [(report.epoch, report.step) for report in reports] == [(1, EPOCH), (2, 2 * EPOCH), (3, 3 * EPOCH)]


def test_without_the_objective_the_training_ends() -> None:
    reports = Reports()
    train(reports, objective=replace(ACCURACY, metric="val_accuracy"))
    assert len(reports) == 1


def test_the_sanity_check_is_not_reported() -> None:
    reports = Reports()
    train(reports, Net(accuracy=[0.25, 0.5]), num_sanity_val_steps=2)
    assert reports.values("val_acc") == [0.25, 0.5, 0.5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_training(value: float) -> None:
    reports = Reports()
    train(reports, Net(accuracy=[0.5, value]))
    assert len(reports) == 2


@pytest.mark.parametrize("least", [{}, {"min_epochs": 3}, {"min_steps": 3 * EPOCH}, {"min_epochs": 2, "min_steps": 9}])
def test_told_to_stop_it_stops(least: dict[str, Any]) -> None:
    reports = Reports(until=1)
    trainer = train(reports, **least)
    assert len(reports) == 1
    assert trainer.global_step == EPOCH


def test_told_to_stop_in_the_middle_of_an_epoch_it_stops_there() -> None:
    reports = Reports(until=1)
    trainer = train(reports, val_check_interval=0.5, min_epochs=3)
    assert len(reports) == 1
    assert trainer.global_step == EPOCH // 2


ROWS_SEEN = context({}, Path("nowhere"), fidelity=Fidelity("rows"))


def test_a_counter_of_the_module_may_be_the_fidelity() -> None:
    reports = Reports()
    train(reports, Counting(), study=ROWS_SEEN)
    assert reports.values("rows") == [ROWS, 2 * ROWS, 3 * ROWS]
    train(reports, Counting([5, 5, 9]), study=ROWS_SEEN)
    assert reports.values("rows")[3:] == [5, 5, 9], "it need not rise"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([8.0, 8.5], "search.fidelity=rows must be a whole number, but was 8.5 in a report"),
        ([8.0, math.nan], "search.fidelity=rows must be a whole number, but was nan in a report"),
        ([8.0, 7.0], "search.fidelity=rows must never fall, but fell from 8 to 7; a counter of the module that is no"),
    ],
)
def test_a_counter_that_is_none_fails_the_trial(given: list[float], why: str) -> None:
    reports = Reports()
    with pytest.raises(ValueError, match=re.escape(why)):
        train(reports, Counting(given), study=ROWS_SEEN)
    assert reports.values("rows") == [8.0], "what cannot be counted is not reported"


def test_without_the_fidelity_the_training_ends() -> None:
    reports = Reports()
    train(reports, study=ROWS_SEEN)
    assert len(reports) == 1, "the study is told, and refused"


def test_every_batch_counts_as_a_sign_of_life() -> None:
    pulse = Pulse()
    reporter = Reporter(Reports(), ACCURACY, pulse=pulse)
    reporter.checkpointer = NoCheckpoints()  # type: ignore[assignment]
    Trainer(**{**quiet(max_epochs=2, callbacks=[reporter]), "enable_checkpointing": True}).fit(Net(), datamodule=Data())
    assert pulse.batches == 2 * (EPOCH + EPOCH)
