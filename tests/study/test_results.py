"""What a study leaves for people and programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hand_study import OBJECTIVE, TWO

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import UnusableError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.recorded import load_recorded
from raytune_nn.store.seal import write_sealed
from raytune_nn.store.trial_table import trials_csv
from raytune_nn.study.results import summary, versions, write_results


class Study:
    """A record, its journal, and the checkpoints of its trials."""

    def __init__(self, folder: StudyFolder, objective: Objective = OBJECTIVE) -> None:
        self.folder, self.record, self.now = folder, StudyRecord(objective), 100.0
        folder.create()
        folder.config.write_text("seed: 0\n")
        self.journal = Journal(folder.journal)
        self.apply("opened", name="s", command="python -m raytune_nn", versions={"ray": "2"})

    def apply(self, type: str, **fields: Any) -> None:
        self.now += 1.0
        self.record.apply(self.journal.append(type, **fields) | {"time": self.now})

    def trial(self, *values: float, end: str | None = "complete", params: dict[str, Any] | None = None) -> str:
        """A trial; it has a checkpoint of its best report where it has a report."""
        trial = str(len(self.record.trials))
        self.apply("suggested", trial=trial, params=params or {})
        self.apply("started", trial=trial)
        for epoch, value in enumerate(values, start=1):
            self.apply("reported", trial=trial, epoch=epoch, seconds=0.25 * epoch, metrics={"val_acc": value})
        if values:
            path = self.folder.checkpoints / trial / "model.ckpt"
            path.parent.mkdir(parents=True)
            path.write_text(trial)
            self.apply("checkpointed", trial=trial, folder=trial)
        if end:
            self.apply("ended", trial=trial, state=end)
        return trial


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(StudyFolder(tmp_path / "s"))


def rows(record: StudyRecord) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(trials_csv(record))))


def test_the_summary_has_what_programs_read(study: Study) -> None:
    study.trial(0.5, 0.75, 0.7, params={"lr": 0.1, "act": "relu"})
    study.trial(0.4, end="stopped")
    study.trial(0.4, 0.3, end="diverged")
    study.trial(end=None)
    study.apply("retried", trial="3", reason="E: 0", place="a.py:1", error="Traceback\nE: 0")
    study.apply("ended", trial="3", state="failed", reason="E: 1", place="a.py:1", error="Traceback\nE: 1")
    study.apply("closed", status="complete", reason="budget.max_hours=1 is spent")
    assert summary(study.record) == {
        "name": "s",
        "status": "complete",
        "reason": "budget.max_hours=1 is spent",
        "objective": {"metric": "val_acc", "mode": "max"},
        "counts": {
            "trials": 4,
            "complete": 1,
            "stopped": 1,
            "diverged": 1,
            "failed": 1,
            "paused": 0,
            "cached": 0,
            "epochs": 6,
        },
        "seconds": {"wall": study.now - 101.0, "busy": 1.5},
        "gpu_hours": 0.0,
        "best": {"trial": "0", "value": 0.75, "epoch": 2, "params": {"lr": 0.1, "act": "relu"}},
        "failures": [{"cause": "E: 0 (a.py:1)", "count": 1, "trials": ["3"], "traceback": "Traceback\nE: 0"}],
        "retried": [{"cause": "E: 0 (a.py:1)", "count": 1, "trials": ["3"]}],
        "began": 101.0,
        "versions": {"ray": "2"},
        "command": "python -m raytune_nn",
    }


def test_the_summary_of_a_study_that_has_just_begun(study: Study) -> None:
    tree = summary(study.record)
    assert (tree["status"], tree["best"], tree["counts"]["trials"]) == ("running", None, 0)
    assert set(tree["counts"]) == {"trials", "complete", "stopped", "diverged", "failed", "paused", "cached", "epochs"}


def test_the_direction_is_in_the_summary(tmp_path: Path) -> None:
    study = Study(StudyFolder(tmp_path / "s"), Objective("val_acc", False, Take.last))
    study.trial(0.5, 0.75)
    study.trial(0.6)
    assert summary(study.record)["objective"] == {"metric": "val_acc", "mode": "min"}
    assert summary(study.record)["best"]["trial"] == "1"


def test_one_row_a_trial_in_the_order_of_suggestion(study: Study) -> None:
    study.trial(0.5, end=None)
    study.trial(0.1, 0.30000000000000004, params={"optimizer.lr": 1e-05, "optimizer": "sgd"})
    study.trial(0.5, float("nan"), end="diverged", params={"optimizer": "adamw", "model.act": "relu"})
    study.trial(end="failed")
    text = trials_csv(study.record)
    assert text.splitlines() == [
        "trial,state,value,epochs,seconds,params.model.act,params.optimizer,params.optimizer.lr",
        "0,running,0.5,1,0.250,,,",
        "1,complete,0.30000000000000004,2,0.500,,sgd,1e-05",
        "2,diverged,,2,0.500,relu,adamw,",
        "3,failed,,0,0.000,,,",
    ]
    assert text.endswith("\n")


def test_a_study_without_a_trial_has_a_table_without_a_row(study: Study) -> None:
    assert trials_csv(study.record) == "trial,state,value,epochs,seconds\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (0.1, "0.1"),
        ([64, None, "a"], '[64, null, "a"]'),
        ({"depth": 2}, '{"depth": 2}'),
        ("relu", "relu"),
        ('a, "b"\nc', 'a, "b"\nc'),
        ("ü", "ü"),
    ],
)
def test_a_parameter_of_any_kind_can_be_told_from_one_that_is_not_there(value: object, cell: str, study: Study) -> None:
    study.trial(0.5, params={"x": value})
    study.trial(0.5)
    assert [row["params.x"] for row in rows(study.record)] == [cell, ""]


@pytest.mark.parametrize("objective", [OBJECTIVE, TWO])
def test_where_parameters_changed_after_the_value_those_that_gave_it_are_told(
    objective: Objective, tmp_path: Path
) -> None:
    study = Study(StudyFolder(tmp_path / "s"), objective)
    for trial in ("0", "1"):
        study.apply("suggested", trial=trial, params={"lr": 0.1})
        study.apply("started", trial=trial)
        metrics = {"val_acc": 0.75, "loss": 0.5}
        study.apply("reported", trial=trial, epoch=2, seconds=1.0, metrics=metrics, saved=True)
        study.apply("resumed", trial=trial, source=None, params={"lr": 0.5, "momentum": 0.9})
        study.apply("started", trial=trial, epoch=2)
        value = 0.5 if trial == "0" else float("nan")
        study.apply("reported", trial=trial, epoch=4, seconds=1.0, metrics={"val_acc": value, "loss": 1.0})
    study.apply("ended", trial="0", state="complete")
    study.apply("ended", trial="1", state="diverged")
    tree = summary(study.record)
    for told in (tree["best"], *tree.get("pareto_front", [])):
        assert (told["epoch"], told["params"]) == (2, {"lr": 0.1})
    table = rows(study.record)
    assert [(row["value"], row["params.lr"], row["params.momentum"]) for row in table] == [
        ("0.75", "0.1", ""),
        ("", "0.5", "0.9"),
    ]


@pytest.mark.parametrize("status", ["running", "interrupted", "complete", "invalid"])
def test_a_trial_that_neither_runs_nor_ended_was_interrupted(status: str, study: Study) -> None:
    study.trial(0.5, end=None)
    study.apply("suggested", trial="1", params={})
    if status != "running":
        study.apply("closed", status=status)
    expected = ["running", "waiting"] if status == "running" else ["interrupted"] * 2
    assert [row["state"] for row in rows(study.record)] == expected


def test_everything_is_written(study: Study) -> None:
    study.trial(0.5)
    write_results(study.folder, study.record)
    folder = study.folder
    assert json.loads(folder.summary.read_text()) == summary(study.record)
    assert folder.trials.read_text() == trials_csv(study.record)
    assert (folder.best / "model.ckpt").read_text() == "0"
    written = {"best", "checkpoints", "summary.json", "trials.csv"}
    assert {path.name for path in folder.path.iterdir()} == {*written, "config.yaml", "journal"}


def test_a_later_best_replaces_the_one_before(study: Study) -> None:
    for value, best in [(0.5, "0"), (0.4, "0"), (0.9, "2"), (0.9, "2")]:
        study.trial(value)
        write_results(study.folder, study.record)
        assert (study.folder.best / "model.ckpt").read_text() == best
    (study.folder.best / "old").write_text("")
    study.trial(1.0)
    write_results(study.folder, study.record)
    left = {path.name for path in study.folder.best.iterdir()}
    assert left == {"model.ckpt", "trial.json"}, "nothing of the old one is left"
    assert load_recorded(study.folder.best).trial == "4"


def test_what_a_killed_driver_left_of_a_copy_is_not_the_best(study: Study) -> None:
    study.trial(0.5)
    draft = study.folder.path / ".best.draft"
    draft.mkdir()
    (draft / "half").write_text("")
    write_results(study.folder, study.record)
    assert {path.name for path in study.folder.best.iterdir()} == {"model.ckpt", "trial.json"}
    assert not draft.exists()


def test_no_best_without_a_success(study: Study) -> None:
    study.trial(0.5, end="failed")
    write_results(study.folder, study.record)
    assert not study.folder.best.exists()


def test_checkpoints_that_somebody_removed_leave_the_copy_that_was_made(study: Study) -> None:
    trial = study.trial(0.5)
    write_results(study.folder, study.record)
    (study.folder.checkpoints / trial / "model.ckpt").unlink()
    (study.folder.checkpoints / trial).rmdir()
    write_results(study.folder, study.record)
    assert (study.folder.best / "model.ckpt").read_text() == "0"


@pytest.mark.parametrize("copied", ["never", "whole", "damaged", "of another"])
def test_a_damaged_model_is_not_copied_and_a_copy_that_was_made_before_stays(copied: str, study: Study) -> None:
    trial = study.trial(0.5)
    source, best = study.folder.checkpoints / trial, study.folder.best
    (source / "config.yaml").write_text("seed: 1")
    if copied != "never":
        with (source / "model.ckpt").open("w+b") as file:
            write_sealed(lambda file: file.write(b"weights\0\0"), file)
        write_results(study.folder, study.record)
    if copied == "damaged":
        (best / "model.ckpt").write_text("no")
    if copied == "of another":
        (best / "config.yaml").write_text("seed: 2")
    (source / "model.ckpt").write_text("no")
    study.apply("damaged", trial=trial, file="checkpoints/0/model.ckpt", why="so")
    write_results(study.folder, study.record)
    left = ["config.yaml", *(["model.ckpt"] if copied == "whole" else []), "trial.json"]
    assert sorted(path.name for path in best.iterdir()) == left
    assert (best / "config.yaml").read_text() == "seed: 1"
    assert summary(study.record)["damaged"] == [{"file": "checkpoints/0/model.ckpt", "why": "so"}]


def test_a_best_without_a_checkpoint_is_none_to_copy(study: Study) -> None:
    study.apply("suggested", trial="0", params={})
    study.apply("started", trial="0")
    study.apply("reported", trial="0", epoch=1, seconds=1.0, metrics={"val_acc": 0.5})
    study.apply("ended", trial="0", state="complete")
    write_results(study.folder, study.record)
    assert summary(study.record)["best"]["value"] == 0.5
    assert not study.folder.best.exists()


def test_results_that_cannot_be_written_are_an_error_of_storage(study: Study) -> None:
    study.trial(0.5)
    study.folder.trials.mkdir()
    with pytest.raises(UnusableError, match=r"trials\.csv: Is a directory"):
        write_results(study.folder, study.record)


def test_the_versions_are_of_everything_that_decides_about_results() -> None:
    found = versions()
    assert set(found) == {"raytune_nn", "python", "ray", "torch", "pytorch-lightning", "hydra-core"}
    assert all(found.values())
