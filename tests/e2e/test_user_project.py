"""Somebody's project, which knows nothing of the tuner, tuned without a change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from processes import Finished, Place, events, new_place, rows, summary

PROJECT = Path(__file__).with_name("user_project")
COMMAND = (
    *("--config-dir", "my_conf", "model=mine", "data=mine", "+search=random", "search_space=mine"),
    *("objective.metric=val_error", "objective.mode=min", "budget.num_trials=4", "budget.max_epochs=3"),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path / "work") as place:
        shutil.copytree(PROJECT, place.work, ignore=shutil.ignore_patterns("__pycache__"))
        yield place


def tune(place: Place, name: str, *more: str) -> Finished:
    ran = place.run(*COMMAND, f"study.name={name}", *more)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    return ran


def rates(place: Place, name: str) -> list[float]:
    """The learning rates that the first trial logged."""
    reports = [event for event in events(place.study(name)) if event["type"] == "reported" and event["trial"] == "0"]
    return [event["metrics"]["lr"] for event in reports]


def check_the_study(place: Place, name: str) -> None:
    result = summary(place.study(name))
    assert result["status"] == "complete"
    assert result["counts"]["complete"] == 4
    values = [float(row["value"]) for row in rows(place.study(name))]
    assert result["best"]["value"] == min(values)
    assert len(set(values)) == 4
    assert set(result["best"]["params"]) == {"model.width", "data.batch_size"}
    assert place.leftovers() == []
    changed = [path for path in PROJECT.rglob("*.py") if path.read_bytes() != _copied(place, path).read_bytes()]
    assert changed == []


def _copied(place: Place, path: Path) -> Path:
    return place.work / path.relative_to(PROJECT)


@pytest.mark.slow
def test_with_the_optimizer_of_the_configuration(place: Place) -> None:
    ran = tune(place, "configured", "optimizer=sgd", "optimizer.lr=0.0625")
    check_the_study(place, "configured")
    assert rates(place, "configured") == [0.0625] * 3, "no schedule: the module's own is replaced with its optimizer"
    assert "my_pkg is imported" not in ran.out, "what user code prints in a slot stays there"
    best = place.study("configured") / "best"
    config = yaml.safe_load((best / "config.yaml").read_text())
    assert config["model"]["out_features"] == 1, "a numpy number, known once the data are set up"
    weights = torch.load(best / "model.ckpt", weights_only=True)["state_dict"]
    assert weights["body.0.weight"].shape == (config["model"]["width"], 1)


@pytest.mark.slow
def test_with_the_optimizer_of_the_module(place: Place) -> None:
    tune(place, "own", "optimizer=from_model")
    check_the_study(place, "own")
    assert rates(place, "own") == [2**-8, 2**-9, 2**-10], "its schedule has halved 2**-7 when an epoch ends"
