"""A single training that gets a signal: it saves its state, and the same command goes on from there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Place, new_place, rows, summary, write_scripted
from signalled import BUSY, check_left, reports, saved_last, signalled, to_group, trained_twice

from raytune_nn.study.interrupt import HURRY_SECONDS

# In the third epoch of the first command, which builds the module twice.
ENDLESS = """

class Slow(Scripted):
    def training_step(self, batch, batch_idx):
        time.sleep(600 if self.current_epoch == 2 and self.attempt < 3 else 0.2)
        return super().training_step(batch, batch_idx)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_saves_its_state_and_no_epoch_is_trained_twice(place: Place, number: signal.Signals) -> None:
    command = (*write_scripted(place), "model.does=slow", "budget.max_epochs=4", "checkpoints.every_minutes=null")
    ended = signalled(place, command, lambda: len(reports(place)) >= 1, number, send=to_group)
    assert ended.code == 75, ended.err
    assert summary(place.study())["status"] == "interrupted"
    assert "1 of 1 running trial saved its state" in ended.err
    assert saved_last(place) == {"0": True}
    again = place.run(*command)
    assert again.code == 0, again.err
    assert trained_twice(place) == {}
    assert [row["epochs"] for row in rows(place.study())] == ["4"]


@pytest.mark.parametrize(
    ("numbers", "grace", "most"),
    [
        ((signal.SIGTERM, signal.SIGTERM, signal.SIGINT), 20, 0.3 + HURRY_SECONDS),
        pytest.param((signal.SIGTERM,), 2, 2 + HURRY_SECONDS, marks=pytest.mark.slow),
    ],
)
def test_a_second_signal_and_the_end_of_the_grace_do_not_wait_for_a_long_epoch(
    place: Place, numbers: tuple[signal.Signals, ...], grace: float, most: float
) -> None:
    command = (*write_scripted(place, ENDLESS), "budget.max_epochs=4", f"cluster.grace_seconds={grace}")
    ended = signalled(place, command, lambda: len(reports(place)) == 2, *numbers)
    assert ended.seconds < most + BUSY
    check_left(place, ended, "0 of 1 running trial saved its state")
    again = place.run(*command)
    assert again.code == 0, again.err
    assert [row["epochs"] for row in rows(place.study())] == ["4"]
