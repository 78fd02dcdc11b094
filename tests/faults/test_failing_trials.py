"""Trials that fail by themselves or lose their process: told by their cause, tried again, and no harm to others."""

from __future__ import annotations

from pathlib import Path

import pytest
from failing_studies import COMMAND, FILES, causes, run
from processes import new_place, noted_pids, summary, write_options

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
    pids = {value: noted_pids(here / "notes", value) for value in does}
    assert all(len(attempts) == 1 for attempts in pids.values()), "one attempt each"
    slots = {pids[value][0] for value, way in does.items() if way in EXCEPTIONS}
    assert len(slots) <= 2, "an exception costs no process"

    whole = summary(study.folder.path)
    told = causes(whole["failures"])
    assert told == dict.fromkeys([*EXCEPTIONS.values(), *DEATHS.values()], 1) | {EXCEPTIONS["divide"]: 2}
    assert whole["retried"] == []
    assert max(path.stat().st_size for path in study.folder.journal.iterdir()) < 100_000, "10 MB were shouted"
    lines = failures(study.record).splitlines()
    assert "  2 times: ZeroDivisionError: division by zero (failing_module.py:" in lines[2]
    assert lines[2].endswith(", divide)  (trials 0, 9)")
    assert all(len(line) < 500 for line in lines)


def test_first_trials_that_all_fail_alike_end_the_study(here: Path, ray_cluster: str) -> None:
    does = {number / 1000: "misfit_first" for number in range(1, 1000)}
    study = run(ray_cluster, here, "budget.max_epochs=2", "failures.stop_after=3", does=does)
    assert study.record.status == "failed"
    assert study.record.reason == "failures.stop_after=3: the first 3 all failed alike"
    began = [event["trial"] for event in study.of("started")]
    assert {study.record.trials[id].state for id in began[:3]} == {"failed"}
    assert len(began) < len(does), "where a slot is late, others go on meanwhile"
    assert "mat1 and mat2 shapes cannot be multiplied" in failures(study.record).splitlines()[2]


@pytest.mark.slow
def test_a_study_that_ended_early_goes_on_with_the_mended_module(tmp_path: Path) -> None:
    with new_place(tmp_path) as place:
        module = place.work / "failing_module.py"
        source = (Path(__file__).parent / "failing_module.py").read_text()
        module.write_text(source)
        write_options(place.work, FILES)
        command: tuple[str, ...] = (
            *COMMAND,
            "--config-dir",
            "conf",
            "model.does=misfit_first",
            "search_space=value",
            "study.name=first",
        )
        command += ("trainer=cpu", "budget.num_trials=7", "budget.max_epochs=1", "failures.stop_after=2")
        command += ("cluster.cpus=1",)  # of two slots one may be late, and the other fails meanwhile
        ran = place.run(*command)
        assert ran.code == 3, ran.err
        assert "failures.stop_after=2: the first 2 all failed alike" in ran.err
        assert "study.name=first" in ran.err, "the command that goes on"
        assert "Traceback" not in ran.err
        assert (
            "times: RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x4 and 3x1) (failing_module.py:"
            in ran.out
        )
        assert "    torch.nn.Linear(3, 1)(torch.zeros(1, 4))" in ran.out, "the line that went wrong"
        failed = summary(place.study())["counts"]["failed"]
        assert failed == 2

        module.write_text(source.replace("torch.zeros(1, 4)", "torch.zeros(1, 3)"))
        ran = place.run(*command)
        assert ran.code == 0, ran.err
        counts = summary(place.study())["counts"]
        assert (counts["failed"], counts["complete"]) == (failed, 7 - failed)
        told = place.run("mode=report", "study.name=first")
        assert told.code == 0
        assert f"  {failed} times: RuntimeError: mat1" in told.out
        assert place.leftovers() == []
