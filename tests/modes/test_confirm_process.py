"""`mode=confirm` as a user runs it: killed and begun again, and the test data open once, at the very end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import UNTIL_HURRIED, Place, events, new_place, summary, wait_until, write_scripted

TESTED = """

import json


class Tested(Slow):
    def test_step(self, batch, batch_idx):
        self.log("test_acc", self.value + torch.initial_seed() % 10 / 1000)


class Counting(OneBatch):
    def test_dataloader(self):
        trained = [path.name for path in Path("studies/first/confirm/checkpoints").iterdir()]
        with Path("notes/opened").open("a") as file:
            file.write(json.dumps([os.getpid(), len(trained)]) + "\\n")
        return self.val_dataloader()
"""
SMALL = ("budget.num_trials=3", "budget.max_epochs=2", "cluster.cpus=2")
CONFIRM = ("mode=confirm", "study.name=first", "confirm.top=2", "confirm.seeds=3", "cluster.cpus=2")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def opened(place: Place) -> list[list[int]]:
    """Each time that a loader of the test data was asked for: by which process, and how many models there were."""
    notes = place.work / "notes" / "opened"
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


@pytest.mark.slow
def test_killed_and_begun_again_it_opens_the_test_data_once_and_shows_them_again(place: Place) -> None:
    typed = write_scripted(place, UNTIL_HURRIED + TESTED)
    module = ("model._target_=scripted_module.Tested", "data._target_=scripted_module.Counting")
    hurry = place.work / "hurry"
    hurry.touch()
    ran = place.run("+search=random", *SMALL, *typed, *module)
    assert ran.code == 0, ran.err
    hurry.unlink()
    inner = place.study() / "confirm"
    with place.start(*CONFIRM) as process:
        wait_until(lambda: bool(events(inner, "ended")), 300)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert opened(place) == [], "not while anything is to be trained"
    assert not events(place.study(), "confirmed")
    hurry.touch()
    ran = place.run(*CONFIRM)
    assert ran.code == 0, ran.err
    calls = opened(place)
    assert len({pid for pid, _ in calls}) == 1, "in one process"
    assert [models for _, models in calls] == [6] * 6, "once for each model, when all were trained"
    assert "Test data opened once, after the last training." in ran.out
    assert len(events(inner, "ended")) == 6, "no training began anew that had ended"
    check_confirmed(place)
    again = place.run(*CONFIRM)
    assert again.code == 0, again.err
    assert again.out == ran.out[ran.out.index("\ntest_acc, mean of 3") :]
    assert opened(place) == calls
    more = place.run(*CONFIRM, "confirm.seeds=4")
    assert more.code == 2
    assert opened(place) == calls
    more = place.run(*CONFIRM, "confirm.seeds=4", "confirm.again=true")
    assert more.code == 0, more.err
    assert "Test data opened twice" in more.out
    assert len(events(inner, "ended")) == 8, "only the new seed was trained"


def check_confirmed(place: Place) -> None:
    """What the study's folder says: values are the scripted ones."""
    (event,) = events(place.study(), "confirmed")
    found = summary(place.study())
    assert found["status"] == "complete"
    confirmed = found["confirmed"]
    assert (confirmed["metric"], confirmed["on"], confirmed["openings"]) == ("test_acc", "test", 1)
    assert confirmed["seeds"] == [1, 2, 3]
    for each, of_event in zip(confirmed["candidates"], event["candidates"], strict=True):
        value = of_event["params"]["model.value"]
        assert each["values"] == pytest.approx([value + seed / 1000 for seed in (1, 2, 3)])
        assert each["parameters"] == 1
    assert {path.name for path in (place.study() / "confirm" / "recommended").iterdir()} == {
        "config.yaml",
        "model.ckpt",
    }
    assert "Who really won" in (place.study() / "report.html").read_text()


@pytest.mark.slow
def test_without_test_data_validation_values_are_compared_and_marked(place: Place) -> None:
    typed = write_scripted(place, UNTIL_HURRIED)
    (place.work / "hurry").touch()
    assert place.run("+search=random", *SMALL, *typed).code == 0
    ran = place.run(*CONFIRM, "confirm.seeds=2")
    assert ran.code == 0, ran.err
    assert "No test data: Slow has no test_step." in ran.out
    assert "optimistic" in ran.out
    assert summary(place.study())["confirmed"]["on"] == "validation"


@pytest.mark.slow
def test_a_test_that_logs_no_twin_of_the_metric_is_refused_before_anything_is_trained(place: Place) -> None:
    other = TESTED.replace('"test_acc"', '"score"')
    typed = write_scripted(place, UNTIL_HURRIED + other)
    module = ("model._target_=scripted_module.Tested", "data._target_=scripted_module.Counting")
    (place.work / "hurry").touch()
    assert place.run("+search=random", *SMALL, *typed, *module).code == 0
    ran = place.run(*CONFIRM)
    assert ran.code == 2, ran.err
    assert "it logs score" in ran.err
    assert opened(place) == []
    assert not (place.study() / "confirm").exists()
