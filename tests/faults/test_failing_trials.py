"""Trials that fail by themselves or lose their process: told by their cause, tried again, and no harm to others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from failing_studies import causes, run

from raytune_nn.report.failures import failures

EXCEPTIONS = {  # what a trial does -> its reason
    "divide": "ZeroDivisionError: division by zero",
    "misfit": "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x4 and 3x1)",
    "nameless": "ValueError",
    "unshowable": "failing_module.Unshowable: <exception str() failed>",
    "recurse": "RecursionError: maximum recursion depth exceeded",
    "leave": "SystemExit: enough",
    "interrupt": "KeyboardInterrupt",
    "shout": f"ValueError: first {'x' * 282}",
    "chatter": "OSError: with a thread that goes on",
}
DEATHS = {
    "vanish": "the trial's process died with exit code 3",
    "crash": "the trial's process died of signal 11 (SIGSEGV)",
    "killed": "the trial's process died of signal 9 (SIGKILL)",
}


@pytest.mark.slow
def test_every_way_to_fail_is_told_and_harms_no_other_trial(here: Path, ray_cluster: str) -> None:
    ways = [*EXCEPTIONS, "divide", *DEATHS, "train"]
    does = {round((number + 1) / 100, 2): way for number, way in enumerate(ways)}
    study = run(ray_cluster, here, "budget.max_epochs=2", "failures.max_retries=0", does=does)
    reasons = [study.record.trials[str(number)].reason for number in range(len(ways))]
    assert reasons == [*EXCEPTIONS.values(), EXCEPTIONS["divide"], *DEATHS.values(), ""]
    assert [trial.state for trial in study.record.trials.values()] == ["failed"] * (len(ways) - 1) + ["complete"]
    assert all(len(study.pids(value)) == 1 for value in does), "one attempt each"
    slots = {study.pids(value)[0] for value, way in does.items() if way in EXCEPTIONS}
    assert len(slots) <= 2, "an exception costs no process"

    summary = json.loads(study.folder.summary.read_text())
    told = causes(summary["failures"])
    assert told == dict.fromkeys([*EXCEPTIONS.values(), *DEATHS.values()], 1) | {EXCEPTIONS["divide"]: 2}
    assert summary["retried"] == []
    assert max(path.stat().st_size for path in study.folder.journal.iterdir()) < 100_000, "10 MB were shouted"
    lines = failures(study.record).splitlines()
    assert "  2 times: ZeroDivisionError: division by zero (failing_module.py:" in lines[2]
    assert lines[2].endswith(", divide)  (trials 0, 9)")
    assert all(len(line) < 500 for line in lines)


def test_first_trials_that_all_fail_alike_end_the_study(here: Path, ray_cluster: str) -> None:
    does = dict.fromkeys([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07], "misfit_first")
    study = run(ray_cluster, here, "budget.max_epochs=2", "failures.stop_after=3", does=does)
    assert study.record.status == "failed"
    assert study.record.reason == "failures.stop_after=3: the first 3 all failed alike"
    states = [trial.state for trial in study.record.trials.values()]
    assert states[:3] == ["failed"] * 3
    assert len(states) <= 5, "what else had begun by then"
    assert "mat1 and mat2 shapes cannot be multiplied" in failures(study.record).splitlines()[2]
