"""States and models that are damaged on the disk: found, said, and no trial is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import (
    TIMEOUT,
    UNTIL_HURRIED,
    Finished,
    Place,
    events,
    new_place,
    rows,
    summary,
    wait_until,
    write_scripted,
)

from raytune_nn.store.seal import write_sealed

EPOCHS = 40
STUDY = ("+search=random", f"budget.max_epochs={EPOCHS}", "search_space=scripted")
OFTEN = "checkpoints.every_minutes=1e-6"  # a state an epoch


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def swap(path: Path) -> None:
    """Whole, and no state of a training."""
    with path.open("w+b") as file:
        write_sealed(partial(torch.save, {"other": 1}), file)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def of(place: Place, kind: str) -> list[dict[str, Any]]:
    return events(place.study(), kind)


def states(place: Place, trial: int) -> list[Path]:
    """In their order."""
    return sorted((place.study() / "checkpoints" / str(trial)).glob("resume-*.ckpt"))


def kill(place: Place, *command: str, until: Callable[[], bool]) -> None:
    """Begins a study and kills its driver."""
    with place.start(*command) as process:
        wait_until(lambda: until() or process.poll() is not None, TIMEOUT)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGKILL
    (place.work / "hurry").touch()
    place.until_empty()


def said(ran: Finished, *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in ran.out.splitlines())


HARMS: list[tuple[Callable[[Path], None], str]] = [
    (cut, "its checksum was expected at its end, and none is there after "),
    (flip, "its checksum was "),
    (empty, "it is empty"),
    (Path.unlink, "it is not there"),
]


@pytest.mark.slow
def test_each_trial_goes_on_from_the_state_before_and_from_its_beginning_where_both_are_damaged(place: Place) -> None:
    """Trials 0 to 3 have one kind of damage each; of trial 4 both states are damaged; those of trial 5 are whole."""
    study = (*STUDY, *write_scripted(place, UNTIL_HURRIED), "cluster.cpus=6", "budget.num_trials=6", OFTEN)
    kill(place, *study, until=lambda: all(len(saved(place, trial)) >= 3 for trial in range(6)))
    known = {trial: saved(place, trial) for trial in range(6)}  # epochs
    for trial, (harm, _) in enumerate(HARMS):
        harm(last(place, trial))
    for path in states(place, 4):
        flip(path)
    begun = len(of(place, "started"))
    ran = place.run(*study)
    assert ran.code == 0, ran.err
    fell = {trial: [event for event in of(place, "fell_back") if event["trial"] == str(trial)] for trial in range(6)}
    again = of(place, "started")[begun:]
    starts = {trial: [event.get("epoch", 0) for event in again if event["trial"] == str(trial)] for trial in range(6)}
    for trial, (_, why) in enumerate(HARMS):
        (event,) = fell[trial]
        number = len(known[trial])
        assert event["file"] == f"checkpoints/{trial}/resume-{number}.ckpt"
        assert event["why"].startswith(why)
        assert starts[trial] == known[trial][:-3:-1], "the last, and the one before"
        told = (f"trial {trial} cannot go on from {event['file']}: {why}", f"it goes on from epoch {event['epoch']}")
        assert said(ran, *told), ran.out
    assert [event["epoch"] for event in fell[4]] == [known[4][-2], 0]
    assert starts[4] == [known[4][-1], known[4][-2], 0]
    assert said(ran, "trial 4 cannot go on from ", "it begins anew")
    assert (fell[5], starts[5]) == ([], [known[5][-1]])
    assert said(ran, "6 training states could not be used, so epochs were trained again: trials ")
    assert {entry["file"] for entry in summary(place.study())["damaged"]} == {
        event["file"] for events in fell.values() for event in events
    }
    table = rows(place.study())
    assert [row["trial"] for row in table] == list("012345")
    assert {(row["state"], row["epochs"]) for row in table} == {("complete", str(EPOCHS))}
    assert of(place, "retried") == []
    repeated = {str(trial): 0 for trial in range(6)}
    seen: set[tuple[str, int]] = set()
    for event in of(place, "reported"):
        key = event["trial"], event["epoch"]
        repeated[event["trial"]] += key in seen
        seen.add(key)
    assert all(repeated[str(trial)] <= 2 for trial in (0, 1, 2, 3)), "what was not saved, and one interval"
    assert repeated["5"] <= 1
    assert list((place.study() / "checkpoints").glob("*/resume-*")) == []


def saved(place: Place, trial: int) -> list[int]:
    """The epochs of a trial's states that the journal knows."""
    return [event["epoch"] for event in of(place, "reported") if event.get("saved") and event["trial"] == str(trial)]


def last(place: Place, trial: int) -> Path:
    """The newest state that the journal knows; what is later was lost with the driver."""
    return place.study() / "checkpoints" / str(trial) / f"resume-{len(saved(place, trial))}.ckpt"


@pytest.mark.slow
def test_a_winner_whose_model_is_damaged_is_said_and_not_handed_out(place: Place) -> None:
    """Trial 0 wins, and its model is changed while the others train; a state that holds something else comes too."""
    points = "search.points=[{model.value: 0.9}, {model.value: 0.1}]"
    study = (*STUDY, *write_scripted(place, UNTIL_HURRIED), "cluster.cpus=1", "budget.num_trials=2", points, OFTEN)
    study = (*study, "budget.max_epochs=8")
    model = place.study() / "checkpoints" / "0" / "model.ckpt"
    kill(place, *study, until=lambda: bool(of(place, "ended")) and len(saved(place, 1)) >= 1)
    flip(model)
    swap(last(place, 1))
    ran = place.run(*study)
    assert ran.code == 0, ran.err
    (fell,) = of(place, "fell_back")
    assert (fell["trial"], fell["why"].partition(": ")[0]) == ("1", "it cannot be loaded")
    assert "Traceback" in fell["error"]
    (event,) = of(place, "damaged")
    assert (event["trial"], event["file"]) == ("0", "checkpoints/0/model.ckpt")
    assert said(ran, "the model of trial 0 is damaged, checkpoints/0/model.ckpt: its checksum was ")
    assert said(ran, "no model in best/, since it is damaged"), ran.out
    assert sorted(path.name for path in (place.study() / "best").iterdir()) == ["config.yaml", "trial.json"]
    shown = place.run(*study)
    assert (shown.code, said(shown, "no model in best/")) == (0, True), "also by a command that only shows it"
    assert [row["state"] for row in rows(place.study())] == ["complete"] * 2
