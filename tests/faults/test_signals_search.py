"""A study that gets a signal: what runs saves its state in the grace, and the same command goes on from there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_slot import run as run_here
from processes import Place, new_place, rows, summary
from signalled import reports, saved_last, signalled, to_group, trained_twice

# Without safety copies: what is saved is saved for the signal.
STUDY = ("study.name=first", "budget.num_trials=4", "checkpoints.every_minutes=null")
RANDOM = ("+search=random", *STUDY, "budget.max_epochs=60")
RUNGS = ("budget.max_epochs=54", "search.scheduler.grace_period=6")
ASHA = ("+search=asha", *STUDY, *RUNGS, "cluster.cpus=1", "data.batch_size=8")  # epochs of a tenth of a second


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def uninterrupted(place: Place, command: tuple[str, ...]) -> list[dict[str, str]]:
    """The final table of the same study; of random search, which has no order, trained in this process."""
    rest = (command[0], *command[2:])
    if command is RANDOM:
        run_here("whole", (*rest, f"study.storage={place.study().parent}"))
    else:
        assert place.run(*rest, "study.name=whole").code == 0
    return rows(place.study("whole"))


def but_for_seconds(table: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in table]


@pytest.mark.parametrize(
    ("command", "after", "number"),
    [
        pytest.param(RANDOM, 20, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(ASHA, 4, signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(ASHA, 40, signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_trials_save_their_states_and_the_study_ends_as_if_never_interrupted(
    place: Place, command: tuple[str, ...], after: int, number: signal.Signals
) -> None:
    ended = signalled(place, command, lambda: len(reports(place)) >= after, number, send=to_group)
    assert ended.code == 75, ended.err
    assert ended.seconds < 20, "nobody waits for the end of the grace"
    assert "trials that run save their states, which may take up to 20 s; a second signal leaves at once" in ended.out
    running = saved_last(place)
    assert all(running.values())
    assert summary(place.study())["status"] == "interrupted"
    assert "the study was interrupted; what it had is kept" in ended.err
    assert "Traceback" not in ended.out + ended.err
    assert (place.leftovers(), place.processes()) == ([], [])
    again = place.run(*command)
    assert again.code == 0, again.err
    assert trained_twice(place) == {}
    assert but_for_seconds(rows(place.study())) == but_for_seconds(uninterrupted(place, command))
