"""A study whose folder is on another filesystem than the node's temporary folder, and that keeps its rungs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import FIRST, Place, events, first_study, new_place, rows, summary


@pytest.fixture
def share() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as share:
        yield Path(share)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.slow
def test_a_study_on_a_share_ends_as_anywhere_and_its_rungs_can_be_started_from(place: Place, share: Path) -> None:
    assert os.stat(share).st_dev != os.stat(place.temporary).st_dev, "else the test proves nothing"
    ran = place.run(*FIRST, f"study.storage={share}", "checkpoints.keep_states=rungs")
    assert ran.code == 0, ran.err
    study = share / "first"
    assert place.leftovers() == []
    values = [{row["trial"]: row["value"] for row in rows(folder)} for folder in (study, first_study().folder)]
    assert values[0] == values[1]
    best = summary(study)["best"]["trial"]
    rungs = {(event["trial"], event["rung"]) for event in events(study) if event.get("rung")}
    assert {rung for _, rung in rungs} == {1, 3}
    assert sorted(str(path.relative_to(study)) for path in study.glob("checkpoints/*/*")) == sorted(
        [f"checkpoints/{best}/{name}" for name in ("config.yaml", "model.ckpt")]
        + [f"checkpoints/{trial}/rung-{rung}.ckpt" for trial, rung in rungs]
    )
    assert sorted(path.name for path in (study / "best").iterdir()) == ["config.yaml", "model.ckpt", "trial.json"]
    _start_from(place, study, *max(rungs, key=lambda each: each[1]))


def _start_from(place: Place, study: Path, trial: str, rung: int) -> None:
    """An epoch after the weights of a rung scores higher than one after the initial weights did."""
    of_trial = [event for event in events(study) if event.get("trial") == trial]
    params = next(event["params"] for event in of_trial if event["type"] == "suggested")
    first = next(event["metrics"]["val_acc"] for event in of_trial if event["type"] == "reported")
    state = study / "checkpoints" / trial / f"rung-{rung}.ckpt"
    typed = [f"{path}={value}" for path, value in params.items()]
    ran = place.run(*typed, f"model_weights={state}", "budget.max_epochs=1", "study.name=more", "seed=1")
    assert ran.code == 0, ran.err
    assert summary(place.study("more"))["best"]["value"] > first
