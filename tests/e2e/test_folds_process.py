"""Cross-validation as a user has it: a study on Ray, its folder, and what ends it inside a fold."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import hydra
import pytest
import torch
import yaml
from command_line import run
from processes import TIMEOUT, Place, events, new_place, summary, wait_until, write_scripted

FOLDS = ("objective.folds=3", "study.name=first")
SLOW = """

class Slow(Scripted):
    def training_step(self, batch, batch_idx):
        time.sleep(1)
        return super().training_step(batch, batch_idx)


class Folded(OneBatch):
    def __init__(self, folds, fold):
        super().__init__()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def trials(study: Path) -> list[dict[str, str]]:
    with (study / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def kinds(place: Place) -> list[str]:
    """The types of the journal's events so far."""
    return [event["type"] for event in events(place.study())]


def test_a_single_training_of_folds_without_a_cluster(here: Path) -> None:
    ran = run(*FOLDS, "budget.max_epochs=2")
    assert ran.code == 0, ran.err
    study = here / "studies" / "first"
    (trial,) = trials(study)
    best = summary(study)["best"]
    assert (trial["state"], trial["epochs"], best["folds"]) == ("complete", "6", 3)
    assert (float(trial["value"]), float(trial["std"])) == (best["value"], best["std"])
    assert f"val_acc = {best['value']:.6g} ± {best['std']:.2g} over 3 folds" in ran.out

    again = run("mode=reproduce", "study.name=first")
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "reproduced: trial 0, 3 reports, every metric equal to the last bit",
    )
    assert "over 3 folds" in run(*FOLDS, "budget.max_epochs=2").out, "a finished study is shown"
    ran = run("objective.folds=4", "study.name=first", "budget.max_epochs=2")
    assert (ran.code, ran.found) == (2, "objective.folds: 3 -> 4")


def test_the_model_in_best_is_that_of_its_configuration(here: Path) -> None:
    """The very value of its fold, from `best/` alone."""
    assert run(*FOLDS, "budget.max_epochs=2").code == 0
    best = here / "studies" / "first" / "best"
    config = yaml.safe_load((best / "config.yaml").read_text())
    assert (config["objective"]["folds"], config["data"]["folds"]) == (None, 3)
    model = hydra.utils.instantiate(config["model"]).eval()
    model.load_state_dict(torch.load(best / "model.ckpt", weights_only=True)["state_dict"])
    data = hydra.utils.instantiate(config["data"])
    data.setup("fit")
    rows = [(model(x).argmax(1) == y).float() for x, y in data.val_dataloader()]
    accuracy = torch.cat(rows).mean().item()

    assert run("--config-dir", str(best), "study.name=again").code == 0
    value = summary(here / "studies" / "again")["best"]["value"]
    assert accuracy == pytest.approx(value)
    folds = summary(here / "studies" / "first")["best"]
    assert value >= folds["value"], "the best fold is not below the mean"


@pytest.mark.slow
def test_a_study_stops_trials_between_folds(place: Place) -> None:
    stopping = ("+search=asha", "search.scheduler.promote=false", "cluster.cpus=2")
    ran = place.run(*stopping, *FOLDS, "budget.num_trials=6", "budget.max_epochs=3")
    assert ran.code == 0, ran.err
    table = trials(place.study())
    assert {row["epochs"] for row in table if row["state"] == "complete"} == {"9"}
    stopped = [row for row in table if row["state"] == "stopped"]
    assert stopped
    assert {(row["epochs"], row["std"]) for row in stopped} == {("3", "")}
    best = summary(place.study())["best"]
    assert f"best  trial {best['trial']}: val_acc = {best['value']:.6g} ± {best['std']:.2g} over 3 folds" in ran.out
    assert best["value"] == max(float(row["value"]) for row in table if row["state"] == "complete")
    decided = [event for event in events(place.study()) if event["type"] == "decided"]
    assert {(event["epoch"], event["reason"].partition(":")[0]) for event in decided} == {(3, "stopped at rung 3")}
    assert place.run("mode=reproduce", "study.name=first").code == 0


def slow(place: Place) -> tuple[str, ...]:
    """A study whose folds take half a minute, an epoch a second."""
    data = ("data._target_=scripted_module.Folded", "+data.folds=null", "+data.fold=0")
    return (*write_scripted(place, SLOW), *data, *FOLDS, "budget.max_epochs=30", "cluster.cpus=2")


@pytest.mark.slow
@pytest.mark.parametrize("search", [(), ("+search=random", "search_space=scripted", "budget.num_trials=2")])
def test_no_signal_waits_longer_for_a_fold_than_its_grace(place: Place, search: tuple[str, ...]) -> None:
    with place.start(*slow(place), *search, "cluster.grace_seconds=3") as process:
        wait_until(lambda: "started" in kinds(place) or process.poll() is not None, TIMEOUT)
        time.sleep(4)
        began = time.monotonic()
        process.terminate()
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, err
    assert 3 <= time.monotonic() - began < 20, "a fold takes 30 seconds, and saves its state in the end"
    assert "reported" not in kinds(place)
    assert summary(place.study())["status"] == "interrupted"
    assert place.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("search", [(), ("+search=random", "search_space=scripted", "budget.num_trials=2")])
def test_spent_hours_end_a_fold_within_an_epoch(place: Place, search: tuple[str, ...]) -> None:
    ran = place.run(*slow(place), *search, "budget.max_hours=0.001")
    assert ran.code == 3, ran.err
    assert "one trial that ends with a finite value of all its folds" in ran.err
    assert "ended since budget.max_hours=0.001 is spent" in ran.err
    assert summary(place.study())["seconds"]["wall"] < 25, "a fold takes 30 seconds"
    assert {row["state"] for row in trials(place.study())} == {"stopped"}
