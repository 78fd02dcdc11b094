"""A study that runs is listed, a trial of it is stopped, then all of it; and studies by the API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import UNTIL_HURRIED, Place, events, new_place, rows, summary, wait_until, write_scripted

STUDY = ("+search=random", "budget.num_trials=4", "budget.max_epochs=40", "cluster.cpus=2")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.slow
def test_a_trial_and_a_study_are_stopped_by_hand_and_the_study_goes_on(place: Place) -> None:
    command = (*write_scripted(place, UNTIL_HURRIED), *STUDY)
    with place.start(*command) as driver:
        wait_until(lambda: {event["trial"] for event in events(place.study(), "reported")} == {"0", "1"})
        assert "running" in place.run("mode=list").out.splitlines()[1]
        asked = place.run("mode=stop", "study.name=first", "study.trial=0")
        assert (asked.code, asked.err) == (0, "")
        wait_until(lambda: bool(events(place.study(), "ended")))
        (ended,) = events(place.study(), "ended")
        assert (ended["trial"], ended["state"], ended["reason"]) == ("0", "stopped", "by hand")
        asked = place.run("mode=stop", "study.name=first")
        assert (asked.code, asked.err) == (0, "")
        _, err = driver.communicate(timeout=60)
        assert driver.returncode == 75, err
    assert summary(place.study())["status"] == "interrupted"
    assert place.run("mode=stop", "study.name=first").code == 2
    assert "interrupted" in place.run("mode=list").out.splitlines()[1]
    (place.work / "hurry").touch()
    again = place.run(*command)
    assert again.code == 0, again.err
    assert "stopped by hand: trial 0" in again.out
    assert [row["state"] for row in rows(place.study())] == ["stopped", "complete", "complete", "complete"]
    assert {"trials.parquet", "results.parquet"} <= {path.name for path in place.study().iterdir()}
    assert not (place.study() / ".stop").exists()
    assert place.run("mode=export", "study.name=first").code == 0
    assert (place.leftovers(), place.processes()) == ([], [])


TWO_STUDIES = """
import raytune_nn, signal
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
for seed in (1, 2):
    study = raytune_nn.run(["+search=asha", "budget.num_trials=3", "budget.max_epochs=3", "verbose=0", "cluster.cpus=1",
                            f"seed={seed}", f"study.name=seed_{seed}"])
    best = study.best
    print(study.status, len(study.trials), best.value == study.trials["value"].max(), best.model is not None)
assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
try:
    raytune_nn.run(["study.name=seed_1", "study.resume=never"])
except raytune_nn.RaytuneError as error:
    print(error.exit_code)
print(raytune_nn.run(["study.name=alone", "budget.max_epochs=2", "verbose=0"]).results["epoch"].tolist())
print(len(raytune_nn.load_study("studies/seed_2").results) > 3)
"""


@pytest.mark.slow
def test_studies_run_one_after_the_other_in_one_process(place: Place) -> None:
    ran = place.run("-c", TWO_STUDIES, command=(sys.executable,))
    assert ran.code == 0, ran.err
    lines = [line for line in ran.out.splitlines() if line in ("2", "[1, 2]", "True") or line.startswith("complete")]
    assert lines == ["complete 3 True True", "complete 3 True True", "2", "[1, 2]", "True"]
    assert (place.leftovers(), place.processes()) == ([], [])
