"""Two drivers on one study: the second is refused; where it cannot see the first, and takes over, the first gives up.

A driver of another machine is one that takes the boot id for another here. Minutes are seconds.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import TIMEOUT, UNTIL_HURRIED, Place, events, new_place, rows, summary, wait_until, write_scripted

from raytune_nn.store.journal import read_journal

STUDY = ("+search=random", "search_space=scripted", "budget.num_trials=6", "budget.max_epochs=40")
HURRIED = """
import sys
from raytune_nn.cli import main
from raytune_nn.store import holder, lease
lease.BEAT_SECONDS, lease.TTL_SECONDS, lease.LOOK_SECONDS = 0.3, 3.0, 0.2
if {boot!r}:
    holder._boot = lambda: {boot!r}
sys.exit(main())
"""


def hurried(boot: str = "") -> tuple[str, ...]:
    return (sys.executable, "-c", HURRIED.format(boot=boot))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def _opened(place: Place, count: int) -> bool:
    types = [event["type"] for event in events(place.study())]
    return types.count("opened") == count and types[-1] == "reported"


def wait_for(place: Place, process: subprocess.Popen[str], count: int) -> None:
    """Until the driver that opens the study so many-th hears of its trials."""
    wait_until(lambda: _opened(place, count) or process.poll() is not None, TIMEOUT)
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_of_two_drivers_one_goes_on_and_the_other_is_told(place: Place) -> None:
    study = (*write_scripted(place, UNTIL_HURRIED), *STUDY)
    with place.start(*study, command=hurried()) as first:
        wait_for(place, first, 1)
        refused = place.run(*study)
        assert refused.code == 4, refused.err
        assert f"{place.study()} is held by pid {first.pid} of " in refused.err
        assert "since 20" in refused.err
        assert "python -m raytune_nn study.name=first --config-dir conf" in refused.err
        assert "Traceback" not in refused.err
        first.send_signal(signal.SIGSTOP)
        with place.start(*study, command=hurried("another")) as second:
            wait_for(place, second, 2)
            first.send_signal(signal.SIGCONT)
            _, lost = first.communicate(timeout=TIMEOUT)
            assert first.returncode == 4, lost
            assert f"it was taken over by pid {second.pid}" in lost
            assert "Traceback" not in lost
            (place.work / "hurry").touch()
            _, said = second.communicate(timeout=TIMEOUT)
            assert second.returncode == 0, said
    assert f"is held by pid {first.pid}" in said
    assert "waiting up to 3 s for a sign of life" in said
    assert "no sign of life: this driver takes the study over" in said
    assert summary(place.study())["status"] == "complete"
    counted = list(read_journal(place.study() / "journal"))
    assert [row["trial"] for row in rows(place.study())] == list("012345")
    assert sorted(event["trial"] for event in counted if event["type"] == "ended") == list("012345")
    assert summary(place.study())["counts"]["complete"] == 6
    assert (place.leftovers(), place.processes()) == ([], [])
