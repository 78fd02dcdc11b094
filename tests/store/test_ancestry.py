"""Which reports, of which trials and parameters, are behind a trial."""

from __future__ import annotations

from typing import Any

import pytest

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.ancestry import Lineage, read_lineage
from raytune_nn.store.journal import Event

VALUE = Objective("v", True, Take.best)


class Told(list[Event]):
    """The events of a study with two trials, told by short names."""

    def __init__(self) -> None:
        super().__init__()
        for trial in "01":
            self.tell("suggested", trial=trial, params={"lr": int(trial)})

    def tell(self, type: str, **fields: Any) -> None:
        self.append({"type": type, "time": 1.0, **fields})

    def start(self, epoch: int = 0, trial: str = "0") -> None:
        self.tell("started", trial=trial, **({"epoch": epoch} if epoch else {}))

    def report(self, epoch: int, value: int, trial: str = "0", saved: bool = False) -> None:
        more = {"saved": True} if saved else {}
        self.tell("reported", trial=trial, epoch=epoch, step=epoch, seconds=1.0, metrics={"v": value}, **more)

    def resume(self, source: str | None = None, params: dict[str, Any] | None = None) -> None:
        self.tell("resumed", trial="0", source=source, params=params)

    @property
    def lineage(self) -> Lineage:
        return read_lineage(self, VALUE, "0")

    @property
    def parts(self) -> list[tuple[str, int, list[int]]]:
        """The trial, its rate and the values of each part."""
        parts = self.lineage.parts
        return [(part.trial, part.params["lr"], [int(r["metrics"]["v"]) for r in part.reports]) for part in parts]


@pytest.fixture
def told() -> Told:
    return Told()


def test_only_the_last_attempt_counts(told: Told) -> None:
    told.start()
    told.report(1, 50)
    told.report(2, 20)
    told.start()
    told.report(1, 11)
    assert (told.parts, told.lineage.value) == ([("0", 0, [11])], 0)


def test_what_followed_a_state_is_left_out_once_it_was_made_again(told: Told) -> None:
    told.start()
    told.report(1, 10)
    told.report(2, 20, saved=True)
    told.resume()
    told.start(2)
    told.report(3, 30)
    told.report(4, 40)
    told.start(2)
    told.report(3, 31)
    assert (told.parts, told.lineage.value) == ([("0", 0, [10, 20]), ("0", 0, [31])], 2)


def test_a_piece_without_a_report_is_no_part(told: Told) -> None:
    told.start()
    told.report(1, 10, saved=True)
    told.resume()
    told.start(1)
    assert told.parts == [("0", 0, [10])]


def test_a_copy_has_the_others_reports_until_its_state_and_its_own_after_it(told: Told) -> None:
    told.start()
    told.report(1, 10, saved=True)
    told.start(trial="1")
    told.report(1, 20, "1", saved=True)
    told.resume("1", {"lr": 7})
    told.tell("resumed", trial="1", source=None, params=None)
    told.start(1, "1")
    told.report(2, 99, "1")
    told.start(1)
    told.report(2, 30, saved=True)
    told.resume(params={"lr": 8})
    told.start(2)
    told.report(3, 40)
    assert (told.parts, told.lineage.value) == ([("1", 1, [20]), ("0", 7, [30]), ("0", 8, [40])], 2)


def test_a_value_from_before_a_copy_is_behind_the_trials_own_weights(told: Told) -> None:
    told.start()
    told.report(1, 50)
    told.report(2, 10, saved=True)
    told.start(trial="1")
    told.report(2, 20, "1", saved=True)
    told.resume("1", {"lr": 7})
    told.start(2)
    told.report(3, 30)
    assert (told.parts, told.lineage.value) == ([("0", 0, [50])], 0)


def test_a_copy_that_was_damaged_is_none(told: Told) -> None:
    told.start()
    told.report(1, 10, saved=True)
    told.start(trial="1")
    told.report(1, 20, "1", saved=True)
    told.resume("1", {"lr": 7})
    told.start(1)
    told.tell("fell_back", trial="0", epoch=1, params={"lr": 0}, file="f", why="w", error="")
    told.start(1)
    told.report(2, 30)
    assert told.parts == [("0", 0, [10]), ("0", 0, [30])]


def test_of_a_trial_that_diverged_all_reports_and_no_value(told: Told) -> None:
    told.start()
    told.report(1, 10)
    told.tell("reported", trial="0", epoch=2, step=2, seconds=1.0, metrics={"v": float("nan")})
    told.tell("ended", trial="0", state="diverged", reason="")
    assert len(told.lineage.parts[0].reports) == 2


def test_a_trial_that_never_reported_has_no_parts(told: Told) -> None:
    told.start()
    assert (told.lineage.parts, told.lineage.value) == ((), None)
