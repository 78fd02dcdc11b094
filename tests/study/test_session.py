"""One driver's time with a study folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hand_study import OBJECTIVE, SPACE, Heard, make_plan, report, start, states, train

from raytune_nn.errors import ConfigError, StudyMismatchError, UnusableError
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.space.parse import parse_space
from raytune_nn.store.folder import StudyFolder, write_json
from raytune_nn.store.journal import Journal, read_journal
from raytune_nn.store.lease import Lease
from raytune_nn.study import keeper
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.session import open_study, read_record


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "studies" / "s")


def summary_of(folder: StudyFolder) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(folder.summary.read_text())
    return tree


def test_a_new_study_is_written_down_before_its_first_trial(folder: StudyFolder) -> None:
    plan, heard = make_plan(), Heard()
    with open_study(plan, folder, heard) as conductor:
        assert yaml.safe_load(folder.config.read_text()) == plan.config
        assert parse_space(yaml.safe_load(folder.space.read_text())) == SPACE
        assert summary_of(folder)["status"] == "running"
        assert summary_of(folder)["counts"]["trials"] == 0
        assert folder.exists
        assert heard.types == ["opened"]
        opened = heard[0]
        assert (opened["name"], opened["command"], opened["torn"]) == ("s", plan.command, 0)
        assert set(opened["versions"]) >= {"raytune_nn", "python", "ray", "torch"}
        train(conductor, 0.5)
        conductor.close(interrupted=False)
    assert summary_of(folder)["status"] == "complete"
    assert folder.trials.read_text().count("\n") == 2
    assert list(read_journal(folder.journal)) == heard
    Lease(folder.path).release()


def test_an_error_inside_leaves_a_study_that_can_be_resumed(folder: StudyFolder) -> None:
    def run() -> None:
        with open_study(make_plan(), folder, Heard()) as conductor:
            train(conductor, 0.5)
            conductor.reported(start(conductor), report(1, 0.9))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert summary_of(folder)["status"] == "interrupted"
    assert summary_of(folder)["best"]["trial"] == "0"
    assert [row.split(",")[1] for row in folder.trials.read_text().splitlines()[1:]] == ["complete", "interrupted"]
    Lease(folder.path).release()


def test_an_error_of_the_configuration_leaves_no_new_study(folder: StudyFolder) -> None:
    def refuse() -> None:
        with open_study(make_plan(), folder, Heard()) as conductor:
            start(conductor)
            raise ConfigError("a rule")

    with pytest.raises(ConfigError):
        refuse()
    assert not folder.path.parent.exists()
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
    with pytest.raises(ConfigError):
        refuse()
    assert summary_of(folder)["status"] == "interrupted"
    assert summary_of(folder)["best"]["trial"] == "0"


def test_a_slot_that_refuses_late_costs_nothing_that_was_trained(folder: StudyFolder) -> None:
    """A process that starts in the middle of a study reads modules that somebody may be editing."""

    def refuse() -> None:
        with open_study(make_plan(), folder, Heard()) as conductor:
            train(conductor, 0.5)
            raise ConfigError("a rule")

    with pytest.raises(ConfigError):
        refuse()
    assert summary_of(folder)["status"] == "interrupted"
    assert summary_of(folder)["best"]["trial"] == "0"


def test_the_next_driver_goes_on_with_what_waits(folder: StudyFolder) -> None:
    with open_study(make_plan(ASHA(9, promote=False)), folder, Heard()) as conductor:
        for value in (0.9, 0.8):
            conductor.reported(start(conductor), report(1, value))
        train(conductor, 0.95, 0.9)
        conductor.interrupt()
        conductor.close(interrupted=True)
    config = folder.config.read_bytes()
    with open_study(replace(make_plan(ASHA(9, promote=False)), config={"other": 1}), folder, Heard()) as conductor:
        assert states(conductor) == ["waiting", "waiting", "complete"]
        assert summary_of(folder)["status"] == "running"
        assert [start(conductor), start(conductor), start(conductor)] == ["0", "1", "3"]
        assert not conductor.reported("3", report(1, 0.7)), "the rungs are as they were left"
        conductor.close(interrupted=True)
    assert folder.config.read_bytes() == config, "the configuration is that of the first command"
    assert sorted(path.name for path in folder.journal.iterdir()) == ["00000.jsonl", "00001.jsonl"]


def test_the_summary_keeps_the_first_command(folder: StudyFolder) -> None:
    for command in ("first", "second"):
        with open_study(replace(make_plan(), command=command), folder, Heard()) as conductor:
            conductor.close(interrupted=True)
    assert summary_of(folder)["command"] == "first"


def test_a_study_that_another_driver_runs_is_left_alone(folder: StudyFolder) -> None:
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
        with pytest.raises(UnusableError, match="one driver at a time"), open_study(make_plan(), folder, Heard()):
            pytest.fail("two drivers")
        assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before
        conductor.close(interrupted=False)


def test_an_invalid_study_is_made_anew(folder: StudyFolder) -> None:
    with open_study(make_plan(), folder, Heard()) as conductor:
        conductor.reported(start(conductor), report(1, None))
        conductor.close(interrupted=False)
    assert folder.status() == "invalid"
    with open_study(replace(make_plan(), config={"objective": "loss"}), folder, Heard()) as conductor:
        assert conductor.record.trials == {}
        assert yaml.safe_load(folder.config.read_text()) == {"objective": "loss"}
        conductor.close(interrupted=True)
    assert [path.name for path in folder.journal.iterdir()] == ["00000.jsonl"]


@pytest.mark.parametrize("left", ["nothing", "config", "segment"])
def test_a_driver_that_was_killed_while_it_made_the_study_left_nothing(left: str, folder: StudyFolder) -> None:
    folder.create()
    if left != "nothing":
        folder.config.write_text("of: another study\n")
    if left == "segment":
        Journal(folder.journal).close()
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        conductor.close(interrupted=False)
    assert yaml.safe_load(folder.config.read_text()) == make_plan().config
    assert folder.space.exists()
    assert len(read_record(folder, OBJECTIVE).trials) == 1


def test_a_torn_line_is_dropped_and_the_listener_told(folder: StudyFolder) -> None:
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        conductor.close(interrupted=True)
    segment = folder.journal / "00000.jsonl"
    segment.write_bytes(segment.read_bytes()[:-7])
    heard = Heard()
    with open_study(make_plan(), folder, heard) as conductor:
        assert heard[0]["torn"] == 1
        assert states(conductor) == ["complete"]
        conductor.close(interrupted=True)


def test_a_damaged_journal_is_refused_and_left_as_it_is(folder: StudyFolder) -> None:
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        conductor.close(interrupted=False)
    segment = folder.journal / "00000.jsonl"
    damaged = segment.read_bytes().replace(b'"val_acc":0.5', b'"val_acc":0.9')
    segment.write_bytes(damaged)
    with pytest.raises(UnusableError, match=r"00000\.jsonl, byte"), open_study(make_plan(), folder, Heard()):
        pytest.fail("opened")
    assert segment.read_bytes() == damaged
    assert len([*folder.journal.iterdir()]) == 1
    Lease(folder.path).release()


def test_other_options_of_a_chosen_group_are_refused(folder: StudyFolder) -> None:
    plan = replace(make_plan(), branches={"optimizer": {"sgd": {"lr": 0.1}}})
    with open_study(plan, folder, Heard()) as conductor:
        conductor.close(interrupted=True)
    changed = replace(make_plan(), branches={"optimizer": {"sgd": {"lr": 0.2}}})
    with pytest.raises(StudyMismatchError, match=r"0\.1 -> 0\.2"), open_study(changed, folder, Heard()):
        pytest.fail("opened")
    with open_study(plan, folder, Heard()) as conductor:
        conductor.close(interrupted=True)


def test_the_summary_is_refreshed_while_the_study_runs(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "SUMMARY_SECONDS", -1.0)
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        assert summary_of(folder)["counts"]["complete"] == 1
        assert summary_of(folder)["status"] == "running"
        conductor.close(interrupted=False)


def test_what_waits_for_a_verdict_is_what_the_slots_are_told(folder: StudyFolder) -> None:
    context = make_plan(ASHA(9, promote=False)).context(folder)
    assert (context.waits_at, context.folder) == ((1, 3), str(folder.path))
    assert make_plan().context(folder).waits_at == ()


def test_slots_are_told_when_a_safety_copy_is_due(folder: StudyFolder) -> None:
    assert make_plan().context(folder).copy_seconds is None
    assert make_plan(every_minutes=10).context(folder).copy_seconds == 600
    assert make_plan(ASHA(9), every_minutes=0.5).context(folder).copy_seconds == 30
    population = make_plan(PBT(4, 9, space=SPACE), every_minutes=10)
    assert population.context(folder).copy_seconds is None, "copies of other trials are of decision steps"


def test_slots_are_told_whether_to_save_a_state_for_an_interruption(folder: StudyFolder) -> None:
    assert make_plan().context(folder).saves_states
    assert not make_plan(PBT(4, 9, space=SPACE)).context(folder).saves_to_leave, "these are of decision steps too"
    plan = make_plan()
    plan.settings.cluster.grace_seconds = 0
    assert not plan.context(folder).saves_states


def test_a_slot_that_refuses_late_costs_no_trial(folder: StudyFolder) -> None:
    def refuse(conductor: Conductor) -> None:
        train(conductor, 0.5)
        raise ConfigError("mine")

    with pytest.raises(ConfigError, match="mine"), open_study(make_plan(), folder, Heard()) as conductor:
        refuse(conductor)
    assert summary_of(folder)["status"] == "interrupted"
    assert summary_of(folder)["counts"]["complete"] == 1


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from hand_study import Heard, make_plan, report, start, train
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.session import open_study
with open_study(make_plan(), StudyFolder(Path(sys.argv[1])), Heard()) as conductor:
    train(conductor, 0.5)
    conductor.reported(start(conductor), report(1, 0.9))
    os.kill(os.getpid(), 9)
"""


def test_a_driver_that_was_killed_loses_nothing_that_it_was_told(folder: StudyFolder) -> None:
    place = [str(folder.path), os.path.dirname(__file__)]
    process = subprocess.run([sys.executable, "-c", KILLED, *place], check=False)
    assert process.returncode == -signal.SIGKILL
    assert folder.status() == "running"
    record = read_record(folder, OBJECTIVE)
    assert [trial.state for trial in record.trials.values()] == ["complete", "running"]
    assert record.trials["1"].value == 0.9
    with open_study(make_plan(), folder, Heard()) as conductor:
        assert start(conductor) == "1"
        conductor.close(interrupted=False)
    assert folder.status() == "complete"


def test_a_summary_that_says_nothing_is_written_anew(folder: StudyFolder) -> None:
    with open_study(make_plan(), folder, Heard()) as conductor:
        train(conductor, 0.5)
        conductor.close(interrupted=True)
    write_json(folder.summary, None)
    with open_study(make_plan(), folder, Heard()) as conductor:
        assert states(conductor) == ["complete"]
        conductor.close(interrupted=True)
    assert folder.status() == "interrupted"
