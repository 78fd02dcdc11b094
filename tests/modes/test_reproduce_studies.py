"""`mode=reproduce` of real studies, trained in this process: pauses, killed drivers, copies, folds, best/ alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run
from one_slot import run as train
from put_back import isolation_undone

from raytune_nn.store.journal import Event

SMALL = ("seed=1", "cluster.cpus=1", "model.net.width=8", "checkpoints.every_minutes=null")
ASHA = ("+search=asha", *SMALL, "budget.num_trials=6", "budget.max_epochs=9")
TURNS = ("budget.max_epochs=10", "search.scheduler.interval=2", "search.scheduler.quantile=0.5")
PBT = ("+search=pbt", *SMALL, "budget.num_trials=4", *TURNS)
EXACT = "every metric equal to the last bit"
WEIGHTS = "its weights: equal to those of model.ckpt, to the last bit"


pytestmark = pytest.mark.slow  # whole studies


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def reproduced(trial: str, name: str = "first") -> str:
    """What the command says; it finds every metric equal."""
    ran = run("mode=reproduce", f"study.name={name}", f"study.trial='{trial}'")
    assert ran.code == 0, ran.err
    assert EXACT in ran.out
    return ran.out


def of(events: list[Event], type: str) -> list[Event]:
    return [event for event in events if event["type"] == type]


@pytest.fixture
def winner(here: Path) -> Path:
    """A copy of ``best/`` of a study of ASHA; the study is gone."""
    train("first", ASHA)
    shutil.copytree(here / "studies/first/best", here / "copied/winner")
    shutil.rmtree(here / "studies")
    return here / "copied/winner"


FROM_COPY = ("mode=reproduce", "study.storage=copied", "study.name=winner")


def change(winner: Path, harm: Callable[[dict[str, Any]], None]) -> None:
    """Changes what the copy says of its trial."""
    tree = json.loads((winner / "trial.json").read_text())
    harm(tree)
    (winner / "trial.json").write_text(json.dumps(tree))


def test_promoted_trials_whose_driver_was_killed(here: Path) -> None:
    train("first", ASHA, kill_after=30)
    events = train("first", ASHA)
    promoted = {event["trial"] for event in of(events, "resumed")}
    assert promoted
    for trial in sorted(promoted):
        reproduced(trial)
    ran = run("mode=reproduce", "study.name=first")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, WEIGHTS)
    assert not list(here.glob("studies/first/checkpoints/*/resume-*"))


def test_members_of_a_population_are_repeated_with_all_that_they_copied(here: Path) -> None:
    events = train("first", PBT)
    copies = [event for event in of(events, "resumed") if event["source"] is not None]
    assert len(copies) >= 2
    said = [reproduced(trial) for trial in "0123"]
    depth = [text.partition("its schedule: ")[2].count("trial ") for text in said]
    assert sum(trials >= 2 for trials in depth) >= 2, "these have copied others"
    assert run("mode=reproduce", "study.name=first").out.splitlines()[-1] == WEIGHTS


@pytest.mark.parametrize("kill_after", [14, 25])
def test_members_of_a_population_whose_driver_was_killed(kill_after: int, here: Path) -> None:
    train("first", PBT, kill_after=kill_after)
    train("first", PBT)
    for trial in "0123":
        reproduced(trial)


def test_folds(here: Path) -> None:
    train("first", (*ASHA[1:], "+search=random", "objective.folds=3", "budget.num_trials=2", "budget.max_epochs=2"))
    assert WEIGHTS in run("mode=reproduce", "study.name=first").out
    reproduced("0")
    reproduced("1")


def test_the_folder_of_the_winner_is_enough(winner: Path, here: Path) -> None:
    files = {path.name: path.stat().st_mtime_ns for path in winner.iterdir()}
    ran = run(*FROM_COPY)
    assert (ran.code, ran.err) == (0, "")
    first, last = ran.out.splitlines()
    assert first.startswith("reproduced: trial ")
    assert first.endswith(EXACT)
    assert last == WEIGHTS
    assert {path.name: path.stat().st_mtime_ns for path in winner.iterdir()} == files
    assert [path.name for path in here.iterdir()] == ["copied"]

    other = run(*FROM_COPY, "study.trial='77'")
    assert (other.code, other.fix) == (2, "study.trial=null")
    (winner / "model.ckpt").unlink()
    alone = run(*FROM_COPY)
    assert (alone.code, len(alone.out.splitlines())) == (0, 1), "no weights are compared"


def test_the_first_epoch_that_differs_is_named(winner: Path) -> None:
    def tamper(tree: dict[str, Any]) -> None:
        reports = [report for part in tree["parts"] for report in part["reports"]]
        reports[4]["metrics"]["val_loss"] += 1e-9
        reports[6]["metrics"]["val_acc"] = 0.0

    change(winner, tamper)
    ran = run(*FROM_COPY)
    assert ran.code == 5
    assert ran.found.startswith("epoch 5, report 5: val_loss was ")
    assert ran.found.endswith("(-1e-09)")


def test_weights_that_differ_are_named(winner: Path) -> None:
    from raytune_nn.store.seal import write_sealed

    content = torch.load(winner / "model.ckpt", weights_only=True)
    name = list(content["state_dict"])[-1]
    content["state_dict"][name][0] += 1e-3
    with (winner / "model.ckpt").open("wb") as file:
        write_sealed(lambda draft: torch.save(content, draft), file)
    ran = run(*FROM_COPY)
    assert (ran.code, ran.found) == (5, f"{name}, where all its metrics are equal")


def test_another_kind_of_cpu_is_compared_within_a_tolerance(winner: Path) -> None:
    def elsewhere(tree: dict[str, Any]) -> None:
        for part in tree["parts"]:
            part["reports"][0]["machine"]["cpu"] = "another"
        tree["parts"][0]["reports"][0]["metrics"]["val_loss"] *= 1.002

    change(winner, elsewhere)
    ran = run(*FROM_COPY)
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert first.startswith("compared within 0.01 of each value (reproduce.tolerance), since the CPU was another, is ")
    assert "every metric within 0.01 of its value; val_loss of epoch 1 differs most, by 0.002" in second
    strict = run(*FROM_COPY, "reproduce.tolerance=0.001")
    assert (strict.code, strict.found.partition(" was ")[0]) == (5, "epoch 1, report 1: val_loss")
    assert strict.rule.endswith("must give the metrics that it gave, within 0.001 of each value")
    assert run(*FROM_COPY, "reproduce.tolerance=1").code == 2


def test_a_damaged_model_is_refused_before_anything_is_trained(winner: Path) -> None:
    content = bytearray((winner / "model.ckpt").read_bytes())
    content[len(content) // 2] ^= 1
    (winner / "model.ckpt").write_bytes(content)
    ran = run(*FROM_COPY)
    assert (ran.code, ran.rule) == (2, "the model that a trial left must be as it was written")
    assert (ran.out, "its checksum was" in ran.found) == ("", True)


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"parts": 3}', '{"parts": [{"trial": "0", "params": {}, "reports": []}]}', "\x00"],
)
def test_what_is_no_record_of_a_trial_is_refused(text: str, here: Path) -> None:
    (here / "copied/winner").mkdir(parents=True)
    (here / "copied/winner/trial.json").write_text(text)
    ran = run(*FROM_COPY)
    assert (ran.code, ran.rule) == (2, "trial.json of a best/ folder must be as it was written")


def test_a_record_with_a_broken_part_is_refused(winner: Path) -> None:
    good = (winner / "trial.json").read_text()

    def refused(harm: Callable[[dict[str, Any]], None]) -> None:
        (winner / "trial.json").write_text(good)
        change(winner, harm)
        ran = run(*FROM_COPY)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert "Traceback" not in ran.err

    refused(lambda tree: tree.pop("branches"))
    refused(lambda tree: tree.update(more=1))
    refused(lambda tree: tree.update(config="a: [b"))
    refused(lambda tree: tree.update(config="a: 1"))
    refused(lambda tree: tree.update(branches=[1]))
    refused(lambda tree: tree.update(value="x"))
    refused(lambda tree: tree["parts"][0].update(params={"optimizer.lr": "quick"}))
    refused(lambda tree: tree["parts"][0].update(params={"optimizer.nothing.like": 1}))
    refused(lambda tree: tree["parts"][0]["reports"][0].update(machine="x"))
    refused(lambda tree: tree["parts"][0]["reports"][0]["metrics"].update(val_acc="much"))
