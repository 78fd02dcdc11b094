"""The Pareto front of a study's trials, and that they keep their models."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.checkpoints import Retention
from raytune_nn.store.record import StudyRecord

TWO = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))
THREE = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False), Goal("speed", True)))
number = st.sampled_from([0.1, 0.2, 0.3, 0.4])
ended = st.sampled_from(["complete", "complete", "stopped", "failed", "diverged"])
trials = st.lists(st.tuples(number, number, number, ended), max_size=25)
Trial = tuple[float, float, float, str]


def run(record: StudyRecord, id: str, *reports: tuple[float, float, float]) -> None:
    record.apply({"type": "suggested", "time": 1.0, "trial": id, "params": {}})
    record.apply({"type": "started", "time": 1.0, "trial": id})
    for epoch, report in enumerate(reports, start=1):
        metrics = dict(zip(("val_acc", "val_loss", "speed"), report, strict=True))
        record.apply({"type": "reported", "time": 1.0, "trial": id, "epoch": epoch, "seconds": 1.0, "metrics": metrics})


def end(record: StudyRecord, id: str, state: str = "complete") -> None:
    record.apply({"type": "ended", "time": 1.0, "trial": id, "state": state})


def front_of(made: list[Trial], count: int) -> set[str]:
    """By definition; ``count`` of the three metrics count, of which the second is to be low."""
    points = {
        str(place): (acc, -loss, speed)[:count]
        for place, (acc, loss, speed, state) in enumerate(made)
        if state in ("complete", "stopped")
    }

    def beaten(point: tuple[float, ...]) -> bool:
        return any(
            all(a >= b for a, b in zip(other, point, strict=True))
            and any(a > b for a, b in zip(other, point, strict=True))
            for other in points.values()
        )

    return {id for id, point in points.items() if not beaten(point)}


@settings(max_examples=150, deadline=None)
@given(trials, st.sampled_from([TWO, THREE]))
def test_the_front_is_what_no_other_trial_dominates(made: list[Trial], objective: Objective) -> None:
    record = StudyRecord(objective)
    for place, (acc, loss, speed, state) in enumerate(made):
        run(record, str(place), (acc, loss, speed))
        end(record, str(place), state)
        front = [trial.id for trial in record.front]
        assert set(front) == front_of(made[: place + 1], len(objective.goals)), "after each end"
        assert front == sorted(front, key=lambda id: (-made[int(id)][0], int(id))), "best first, then first to end"
        assert (record.best.id if record.best else None) == (front[0] if front else None)
    assert record.front_values == tuple(record.values(trial) for trial in record.front)


def test_a_trials_values_are_those_of_one_report() -> None:
    record = StudyRecord(TWO)
    run(record, "0", (0.5, 0.1, 0.0), (0.7, 0.3, 0.0), (0.6, 0.05, 0.0))
    end(record, "0")
    trial = record.trials["0"]
    assert (trial.value, trial.value_epoch, record.values(trial)) == (0.7, 2, (0.7, 0.3))
    assert record.final_score(trial) == (0.7, -0.3)


def test_what_diverged_has_no_values() -> None:
    record = StudyRecord(TWO)
    run(record, "0", (0.5, 0.1, 0.0), (0.7, math.nan, 0.0))
    assert record.score({"val_acc": 0.7, "val_loss": math.nan}) is None
    end(record, "0", "diverged")
    assert record.values(record.trials["0"]) is None
    assert record.final_score(record.trials["0"]) is None
    assert record.front == []


@pytest.mark.parametrize("reopened", [False, True])
def test_the_trials_of_the_front_keep_their_models(tmp_path: Path, reopened: bool) -> None:
    record = StudyRecord(TWO)
    retention = Retention(tmp_path, record)
    kept = []
    for place, (acc, loss) in enumerate([(0.5, 0.5), (0.6, 0.7), (0.4, 0.6), (0.4, 0.4), (0.7, 0.45), (0.7, 0.45)]):
        run(record, str(place), (acc, loss, 0.0))
        (tmp_path / str(place)).mkdir()
        record.apply({"type": "checkpointed", "time": 1.0, "trial": str(place), "folder": str(place)})
        end(record, str(place))
        if reopened:
            retention = Retention(tmp_path, record)
        else:
            retention.trial_ended(record.trials[str(place)], record)
        kept.append(sorted(path.name for path in tmp_path.iterdir()))
    assert kept == [["0"], ["0", "1"], ["0", "1"], ["0", "1", "3"], ["3", "4"], ["3", "4", "5"]]
