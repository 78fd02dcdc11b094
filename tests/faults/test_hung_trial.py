"""A trial whose process is lost, or that hangs and so is given up, is tried again, and nobody else waits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from failing_studies import COMMAND, FILES, causes, run
from listed_studies import Ended
from processes import is_gone, new_place, noted_pids, summary, wait_until, write_options

from raytune_nn.report.failures import failures

TIMEOUT = 2.0
SILENT = "the trial finished no batch for 2 s (failures.no_report_timeout), and was given up"
KILLED = "the trial's process died of signal 9 (SIGKILL)"


def silence(study: Ended, trial: str) -> float:
    """Seconds between the last report of a trial's first attempt and the word that it was given up."""
    given_up = study.of("retried", trial)[0]["time"]
    heard = [event["time"] for event in study.of("reported", trial) if event["time"] < given_up]
    return float(given_up - heard[-1])


@pytest.mark.slow
def test_lost_and_hung_trials_are_tried_again_and_others_train_on(here: Path, ray_cluster: str) -> None:
    """One process is stopped, as a debugger or a batch system does; one training waits for ever; one is killed."""
    does = {0.1: "freeze_once", 0.2: "train", 0.3: "sleep_once", 0.4: "killed_once", 0.5: "divide_once", 0.6: "long"}
    limits = (f"failures.no_report_timeout={TIMEOUT}", "checkpoints.every_minutes=1e-6", "budget.max_epochs=2")
    study = run(ray_cluster, here, *limits, does=does)
    trials = study.record.trials
    pids = {value: noted_pids(here / "notes", value) for value in does}
    again = {"0": SILENT, "2": SILENT, "3": KILLED}
    assert [trial.state for trial in trials.values()] == ["complete"] * 4 + ["failed", "complete"]
    assert {id: trial.retries for id, trial in trials.items() if trial.retries} == dict.fromkeys(again, 1)
    for trial, reason in again.items():
        value = [*does][int(trial)]
        assert trials[trial].value == pytest.approx(value + 0.002)
        (retried,) = study.of("retried", trial)
        assert retried["reason"] == reason
        assert [event.get("epoch", 0) for event in study.of("started", trial)] == [0, 1], "from its last state"
        assert [event["epoch"] for event in study.of("reported", trial)] == [1, 2], "no epoch twice"
        first, second = pids[value]
        assert first != second
        wait_until(partial(is_gone, first))
        if reason == SILENT:
            assert TIMEOUT <= silence(study, trial) < TIMEOUT + 20, "a busy machine hears of it later"
    once = [len(pids[value]) for value, way in does.items() if not way.endswith("_once") or way == "divide_once"]
    assert once == [1, 1, 1], "an epoch longer than the limit is no silence; an exception comes again"
    told = summary(study.folder.path)
    assert causes(told["retried"]) == {SILENT: 2, KILLED: 1}
    assert causes(told["failures"]) == {"ZeroDivisionError: division by zero": 1}
    assert f"tried again\n  2 times: {SILENT}  (trials 0, 2)" in failures(study.record)


@pytest.mark.slow
def test_a_study_that_ends_while_trials_hang_leaves_no_process(tmp_path: Path) -> None:
    with new_place(tmp_path) as place:
        (place.work / "failing_module.py").write_text((Path(__file__).parent / "failing_module.py").read_text())
        write_options(place.work, FILES)
        points = "search.points=[{model: {does: freeze, value: 0.1}},{model: {does: sleep, value: 0.2}}]"
        limits = ("cluster.cpus=2", "budget.num_trials=2", "budget.max_epochs=2", "budget.max_hours=0.008", points)
        ran = place.run(*COMMAND, "--config-dir", "conf", "trainer=cpu", "study.name=first", *limits)
        assert ran.code == 0, ran.err
        assert ran.seconds < 90
        assert summary(place.study())["counts"]["stopped"] == 2
        place.until_empty()
