"""Studies that end badly, as processes: what is printed, the exit code, and what the name is good for afterwards."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import TIMEOUT, Finished, Place, events, new_place, rows, summary, wait_until

SCRIPTED = (
    "study.name=a",
    "optimizer=from_model",
    "data={_target_: scripted_module.OneBatch}",
    "budget.max_epochs=3",
    "budget.num_trials=3",
)
SEARCH = ("+search=random", "search_space={model: {value: 'uniform(0, 1)'}}")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        scripted = Path(__file__).parents[1] / "study" / "scripted_module.py"
        (place.work / "scripted_module.py").write_text(scripted.read_text())
        (place.work / "notes").mkdir()
        yield place


def model(does: str) -> str:
    return f"model={{_target_: scripted_module.Scripted, value: 0.5, does: {does}, notes: notes}}"


def run(place: Place, does: str, *more: str) -> Finished:
    return place.run(*SCRIPTED, model(does), *more)


def test_a_study_whose_trials_all_raise_says_why(place: Place) -> None:
    ran = run(place, "raise", *SEARCH)
    assert ran.code == 3
    assert "3 times: ZeroDivisionError: by the script  (trials 0, 1, 2)" in ran.out
    assert 'raise ZeroDivisionError("by the script")' in ran.out, "the traceback, down to the user's line"
    assert "a study needs one trial that ends with a finite value" in ran.err
    assert "3 failed, 0 diverged" in ran.err
    assert "Traceback" not in ran.err
    assert summary(place.study())["status"] == "failed"
    assert {(row["state"], row["value"], row["epochs"]) for row in rows(place.study())} == {("failed", "0.501", "1")}
    assert not (place.study() / "best").exists()
    again = run(place, "raise", *SEARCH)
    assert (again.code, again.out, again.err) == (3, ran.out.partition("\n\n")[2].join(["\n", ""]), ran.err)
    assert again.seconds < 5


def test_a_metric_that_is_never_logged_gives_the_name_up(place: Place) -> None:
    ran = run(place, "silent", *SEARCH)
    assert ran.code == 2
    assert "objective.metric must be logged" in ran.err
    assert "val_acc; the module logs loss" in ran.err
    assert "try:   objective.metric=loss" in ran.err
    assert summary(place.study())["status"] == "invalid"
    mended = run(place, "silent", *SEARCH, "objective.metric=loss", "objective.mode=min")
    assert mended.code == 0, mended.err
    assert summary(place.study())["status"] == "complete"
    assert [row["trial"] for row in rows(place.study())] == ["0", "1", "2"]


@pytest.mark.parametrize(("does", "code"), [("train", 0), ("raise", 3), ("exit", 3), ("diverge", 3), ("silent", 2)])
def test_a_single_training_ends_with_the_same_codes(place: Place, does: str, code: int) -> None:
    ran = run(place, does)
    assert ran.code == code, ran.err
    status = {0: "complete", 2: "invalid", 3: "failed"}[code]
    assert summary(place.study())["status"] == status
    assert "fault of raytune_nn" not in ran.err
    assert place.leftovers() == []


@pytest.mark.parametrize("signals", [1, 2])
def test_a_single_training_that_is_interrupted_can_be_resumed(place: Place, signals: int) -> None:
    arguments = (*SCRIPTED, model("slow"), "budget.max_epochs=6")
    journal = place.study() / "journal"
    with place.start(*arguments) as process:
        wait_until(lambda: journal.is_dir() and _types(place).count("reported") >= 1, TIMEOUT)
        for _ in range(signals):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.2)
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, err
    assert summary(place.study())["status"] == "interrupted"
    ran = place.run(*arguments)
    assert ran.code == 0, ran.err
    assert [row["epochs"] for row in rows(place.study())] == ["6"]


def _types(place: Place) -> list[str]:
    return [event["type"] for event in events(place.study())]
