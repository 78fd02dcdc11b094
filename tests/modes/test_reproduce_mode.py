"""`mode=reproduce` trains a trial again; here the training ends otherwise than it did."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command_line import compose, run

from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal


@pytest.fixture
def study(here: Path) -> StudyFolder:
    """A study of one trial with one report."""
    folder = StudyFolder(here / "studies" / "first")
    folder.create()
    folder.config.write_text(yaml.safe_dump(compose("+search=random", "study.name=first").config))
    journal = Journal(folder.journal)
    journal.append("opened", name=folder.name)
    journal.append("suggested", trial="0", params={})
    journal.append("started", trial="0")
    journal.append("reported", trial="0", epoch=1, step=10, seconds=1.0, metrics={"val_acc": 0.5})
    journal.append("ended", trial="0", state="complete", reason="")
    journal.close()
    return folder


@pytest.mark.usefixtures("study")
def test_a_trial_that_the_study_has_not_is_refused() -> None:
    ran = run("mode=reproduce", "study.name=first", "study.trial=7")
    assert (ran.code, ran.found) == (2, "7; it has trial 0 alone")


@pytest.mark.usefixtures("study")
def test_a_module_that_exits_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(*_: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("raytune_nn.trial.repetition.run_trial", exits)
    ran = run("mode=reproduce", "study.name=first")
    assert (ran.code, ran.rule) == (5, "trial 0 must make its 1 report again")
    assert ran.found == "SystemExit after 0: 3"

    def is_interrupted(*_: object) -> None:  # as Lightning ends then
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            exit(1)

    monkeypatch.setattr("raytune_nn.trial.repetition.run_trial", is_interrupted)
    assert run("mode=reproduce", "study.name=first").code == 75


def test_a_trial_of_several_workers_is_refused(study: StudyFolder) -> None:
    several = compose("+search=random", "study.name=first", "resources.workers=2", "cluster.cpus=2")
    study.config.write_text(yaml.safe_dump(several.config))
    ran = run("mode=reproduce", "study.name=first")
    assert (ran.code, ran.found) == (2, "resources.workers=2")
