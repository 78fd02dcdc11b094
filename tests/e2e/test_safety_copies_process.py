"""A driver that is killed while long trials train: the same command goes on from their safety copies."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from processes import TIMEOUT, Place, events, new_place, summary, wait_until

STUDY = (
    "+search=random",
    "study.name=first",
    "budget.num_trials=2",
    "budget.max_epochs=120",
    "checkpoints.keep_best=2",
)
OFTEN = "checkpoints.every_minutes=0.005"


@pytest.mark.slow
def test_a_killed_driver_loses_little_of_a_long_trial(tmp_path: Path) -> None:
    with new_place(tmp_path) as place:
        with place.start(*STUDY, OFTEN) as process:
            wait_until(lambda: _copies(place) >= 3 or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            process.kill()
            process.communicate(timeout=TIMEOUT)
        assert process.returncode == -signal.SIGKILL
        saved = {event["trial"] for event in events(place.study(), "reported") if event.get("saved")}
        begun = len(events(place.study(), "started"))
        ran = place.run(*STUDY, "checkpoints.every_minutes=null")  # another policy changes no result
        assert ran.code == 0, ran.err
        again = events(place.study(), "started")[begun:]
        assert {event["trial"] for event in again if event.get("epoch", 0) > 0} == saved
        assert summary(place.study())["counts"]["complete"] == 2
        files = sorted(str(path.relative_to(place.study())) for path in place.study().glob("checkpoints/*/*"))
        assert files == [f"checkpoints/{trial}/{name}" for trial in "01" for name in ("config.yaml", "model.ckpt")]
        for trial in saved:
            repeated = place.run("mode=reproduce", "study.name=first", f"study.trial={trial}")
            assert repeated.code == 0, repeated.err
            assert f"reproduced: trial {trial}, 120 reports" in repeated.out


def _copies(place: Place) -> int:
    return sum(event.get("saved", False) for event in events(place.study(), "reported"))
