"""What a study cost, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import Made, made_asha, make_settings

from raytune_nn.report.page.costs import Saved, costs, saved_epochs
from raytune_nn.report.page.durations import format_seconds
from raytune_nn.report.study import Study


def amounts(study: Study) -> dict[str, str]:
    return {cost.what: cost.amount for cost in costs(study)}


def test_early_stopping_saved_what_stopped_trials_did_not_train(tmp_path: Path) -> None:
    study = made_asha().study(tmp_path, make_settings(max_epochs=9))
    assert study.record.epochs == 1 + 1 + 2 + 3 + 1
    assert saved_epochs(study) == Saved(9 - 1, 4 * 9), "trial 0; 1 and 2 ended by themselves, 3 failed"
    told = amounts(study)
    assert told["Epochs trained"] == "8"
    assert told["At full budget"] == "36 epochs"
    assert told["Saved by early stopping"] == "8 epochs"


def test_a_study_that_ends_nothing_early_saves_nothing(tmp_path: Path) -> None:
    study = Made().begin().train("0", *[0.1] * 9).end("0").close().study(tmp_path)
    assert "Saved by early stopping" not in amounts(study)


def test_epochs_that_were_trained_twice_are_told(tmp_path: Path) -> None:
    made = Made().begin().train("0", 0.1, 0.2, 0.3)
    made.tell("retried", trial="0", reason="gone", error="gone")
    made.train("0", 0.1, 0.2, 0.3, 0.4).end("0").close()
    (trained,) = [cost for cost in costs(made.study(tmp_path)) if cost.what == "Epochs trained"]
    assert (trained.amount, trained.meaning) == ("7", "3 of them a second time, after a fault")


def test_epochs_that_a_copy_trains_are_no_second_time(tmp_path: Path) -> None:
    """A member of a population that takes over another one's earlier state."""
    made = Made().begin().train("0", 0.1).pause("0", "so").train("1", 0.1, 0.2).pause("1", "so")
    made.tell("resumed", trial="1", source="0", params={"lr": 0.5}, new=False)
    made.train("1", 0.3, begin=1).end("1")
    (trained,) = [cost for cost in costs(made.study(tmp_path)) if cost.what == "Epochs trained"]
    assert trained.meaning == "all trials together"


def test_gpu_hours_are_hours_times_gpus(tmp_path: Path) -> None:
    made = Made().begin().train("0", *[0.1] * 9).end("0").close()  # 9 seconds
    assert amounts(made.study(tmp_path, make_settings(gpus=2)))["GPU-hours"] == f"{9 * 2 / 3600:.3g}"
    assert "GPU-hours" not in amounts(made.study(tmp_path))


def test_without_settings_what_follows_from_them_is_left_out(tmp_path: Path) -> None:
    study = made_asha().study(tmp_path)
    unknown = Study(study.folder, study.record, study.events, None, None)
    assert saved_epochs(unknown) is None
    assert "At full budget" not in amounts(unknown)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *[(0.04, "0.04 s"), (3.45, "3.5 s"), (12.3, "12 s"), (59.99, "60 s"), (60, "1 min")],
        *[(725, "12 min 5 s"), (7500, "2 h 5 min"), (90_000, "1 d 1 h")],
    ],
)
def test_a_time_span_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown
