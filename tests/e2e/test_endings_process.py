"""Studies that end badly, as processes: what is printed, the exit code, and what the name is good for afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import Finished, Place, new_place, rows, summary, write_scripted

SEARCH = ("+search=random", "search_space=scripted", "budget.num_trials=3")


@dataclass(frozen=True)
class Scripted:
    """A place with the scripted module in it, and the overrides that every command there needs."""

    place: Place
    overrides: tuple[str, ...]

    def arguments(self, does: str, *more: str) -> tuple[str, ...]:
        return (*self.overrides, "budget.max_epochs=3", f"model.does={does}", *more)

    def run(self, does: str, *more: str) -> Finished:
        return self.place.run(*self.arguments(does, *more))


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    with new_place(tmp_path) as place:
        yield Scripted(place, write_scripted(place))


@pytest.fixture
def place(scripted: Scripted) -> Place:
    return scripted.place


@pytest.mark.slow
def test_a_study_whose_trials_all_raise_says_why(scripted: Scripted, place: Place) -> None:
    ran = scripted.run("raise", *SEARCH)
    assert ran.code == 3
    assert "3 times: ZeroDivisionError: by the script (scripted_module.py:" in ran.out
    assert 'raise ZeroDivisionError("by the script")' in ran.out, "the traceback, down to the user's line"
    assert "a study needs one trial that ends with a finite value" in ran.err
    assert "3 failed, 0 diverged" in ran.err
    assert "Traceback" not in ran.err
    assert summary(place.study())["status"] == "failed"
    assert {(row["state"], row["epochs"]) for row in rows(place.study())} == {("failed", "1")}
    assert not (place.study() / "best").exists()
    again = scripted.run("raise", *SEARCH)
    assert (again.code, again.err) == (3, ran.err)
    assert "3 times: ZeroDivisionError: by the script (scripted_module.py:" in again.out
    assert "starting" not in again.out, "no Ray starts"


@pytest.mark.slow
def test_a_metric_that_is_never_logged_gives_the_name_up(scripted: Scripted, place: Place) -> None:
    ran = scripted.run("silent", *SEARCH)
    assert ran.code == 2
    assert "objective.metric must be logged" in ran.err
    assert "val_acc; the module logs loss" in ran.err
    assert "try:   objective.metric=loss" in ran.err
    assert summary(place.study())["status"] == "invalid"
    mended = scripted.run("silent", *SEARCH, "objective.metric=loss", "objective.mode=min")
    assert mended.code == 0, mended.err
    assert summary(place.study())["status"] == "complete"
    assert [row["trial"] for row in rows(place.study())] == ["0", "1", "2"]


@pytest.mark.slow
def test_a_fidelity_that_is_never_logged_gives_the_name_up(scripted: Scripted, place: Place) -> None:
    asha = ("+search=asha", *SEARCH[1:], "search.scheduler.max_epochs=9", "search.scheduler.grace_period=1")
    ran = scripted.run("train", *asha, "search.fidelity=samples")
    assert ran.code == 2
    assert "search.fidelity must be epoch, step or a metric that the module logs" in ran.err
    assert "samples; the module logs val_acc" in ran.err
    assert "try:   search.fidelity=step" in ran.err
    assert summary(place.study())["status"] == "invalid"
    mended = scripted.run("train", *asha, "search.fidelity=step")
    assert mended.code == 0, mended.err


@pytest.mark.parametrize(("does", "code"), [("train", 0), ("exit", 3), ("diverge", 3), ("silent", 2)])
def test_a_single_training_ends_with_the_same_codes(scripted: Scripted, place: Place, does: str, code: int) -> None:
    ran = scripted.run(does)
    assert ran.code == code, ran.err
    status = {0: "complete", 2: "invalid", 3: "failed"}[code]
    assert summary(place.study())["status"] == status
    assert "fault of raytune_nn" not in ran.err
    assert place.leftovers() == []
