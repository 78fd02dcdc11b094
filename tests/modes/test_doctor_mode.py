"""`mode=doctor` on whatever is there: what it finds, and what it cannot examine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import compose, run

from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal

DOCTOR = ("mode=doctor", "study.name=first")
WELL = [0.5 + 0.45 * epoch / 20 for epoch in range(20)]


class Left:
    """What a driver left of a study, trial by trial."""

    def __init__(self, here: Path, *typed: str, **more: Any) -> None:
        self.folder = StudyFolder(here / "studies" / "first")
        self.folder.create()
        config = compose("+search=random", "study.name=first", "budget.max_epochs=20", *typed).config
        self.folder.config.write_text(yaml.safe_dump({**config, **more}))
        self.folder.space.write_text(yaml.safe_dump(config["search_space"]))
        self.journal, self.trials = Journal(self.folder.journal), 0
        command = "python -m raytune_nn +search=random study.name=first"
        self.tell("opened", name="first", torn=0, command=command, versions={}, branches={})

    def tell(self, type: str, **fields: Any) -> None:
        self.journal.append(type, **fields)

    def train(self, values: list[float], state: str = "complete", **params: Any) -> Left:
        """A training whose losses follow from its accuracies; a state of "" runs on."""
        trial = str(self.trials)
        self.trials += 1
        self.tell("suggested", trial=trial, params=params or {"optimizer.lr": 0.01})
        self.tell("started", trial=trial, slot=0)
        for epoch, value in enumerate(values, start=1):
            metrics = {"val_acc": value, "val_loss": 1.05 - value, "train_loss": 1.0 - value}
            self.tell("reported", trial=trial, epoch=epoch, step=21 * epoch, seconds=1.0 * epoch, metrics=metrics)
        if state:
            self.tell("ended", trial=trial, state=state, reason="val_acc is nan" if state == "diverged" else "")
        return self

    def close(self, status: str = "complete") -> Left:
        self.tell("closed", status=status, reason="")
        return self


def test_a_study_is_examined_and_nothing_is_written(here: Path) -> None:
    left = Left(here).train(WELL).train([0.5, 0.4, float("nan")], "diverged").close()
    before = sorted(here.rglob("*"))
    ran = run(*DOCTOR)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "23 reports of 2 trials examined: something was found in 1"
    assert "divergence: 1 of 2 trials" in ran.out
    assert "callbacks=probes" in ran.out, "what could not be looked for"
    assert ran.out.splitlines()[-1].endswith("mode=doctor study.storage=studies study.name=first study.trial=1")
    assert sorted(here.rglob("*")) == before
    assert left.folder.status() is None


@pytest.mark.parametrize("status", ["", "interrupted", "failed"])
def test_it_need_not_have_ended_well(status: str, here: Path) -> None:
    left = Left(here).train([0.5, 0.4, float("nan")], "diverged").train(WELL[:5], state="")
    if status:
        left.close(status)
    ran = run(*DOCTOR)
    assert ran.code == 0, ran.err
    assert "divergence: 1 of 2 trials" in ran.out


@pytest.mark.parametrize("sampled", ["optimizer.lr", "model.net.dropout"])
def test_one_trial_has_its_numbers_and_a_command_that_composes(sampled: str, here: Path) -> None:
    Left(here).train(WELL).train([0.5, 0.4, float("nan")], "diverged", **{sampled: 0.01}).close()
    ran = run(*DOCTOR, "study.trial=1")
    assert (ran.code, ran.err) == (0, "")
    assert "trial 1: diverged after 3 epochs" in ran.out
    assert "divergence since epoch 3" in ran.out
    command = ran.out.splitlines()[-1].removeprefix("next").split()
    assert command[-1] == "study.name=first-2"
    config = compose(*command[3:]).config
    if sampled == "optimizer.lr":
        assert config["search_space"]["optimizer"]["lr"]["high"] == 0.001, "no other trial is to meet that"
    else:
        assert config["search"] is None
        assert (config["model"]["net"]["dropout"], config["optimizer"]["lr"]) == (0.01, 0.0003)


def test_a_trial_without_findings_says_what_was_looked_for(here: Path) -> None:
    Left(here).train(WELL).close()
    ran = run(*DOCTOR, "study.trial=0")
    assert "trial 0: complete after 20 epochs, val_acc = 0.9275 at epoch 20" in ran.out
    assert "nothing was found; looked for: over-fitting" in ran.out


@pytest.mark.parametrize("values", [[], [0.5], [float("nan")], [float("inf"), 0.5], [0.5] * 40])
def test_odd_curves_are_no_fault(values: list[float], here: Path) -> None:
    left = Left(here).train(WELL)
    left.train(values, "failed").close()
    for more in ((), ("study.trial=0",)):
        ran = run(*DOCTOR, *more)
        assert (ran.code, ran.err) == (0, ""), ran.err


def test_metrics_that_come_and_go_are_no_fault(here: Path) -> None:
    left = Left(here)
    left.tell("suggested", trial="0", params={})
    left.tell("started", trial="0", slot=0)
    for epoch in range(1, 9):
        metrics = {"val_acc": 0.5} if epoch % 2 else {"val_acc": 0.5, "train_loss": float("nan"), "val_loss": 3.0}
        left.tell("reported", trial="0", epoch=epoch, step=epoch, seconds=1.0, metrics=metrics)
    assert run(*DOCTOR).code == 0


@pytest.mark.parametrize("trials", [0, 1])
def test_without_a_report_there_is_nothing_to_examine(trials: int, here: Path) -> None:
    left = Left(here)
    for _ in range(trials):
        left.train([], state="")
    ran = run(*DOCTOR)
    assert (ran.code, ran.rule, ran.out) == (2, "a study must have a report before it can be examined", "")
    assert ran.found.startswith(f"{trials} trial{'s' if trials != 1 else ''} in {left.folder.place}")
    assert "study.name=first" in ran.fix


def test_a_trial_without_a_report_is_refused(here: Path) -> None:
    Left(here).train(WELL).train([], "failed").close()
    ran = run(*DOCTOR, "study.trial=1")
    assert (ran.code, ran.rule, ran.found) == (2, "study.trial must be a trial that has reported", "trial 1 is failed")
    assert ran.fix == "study.trial=0"


def test_a_configuration_of_another_version_is_refused(here: Path) -> None:
    Left(here, search_knob=7).train(WELL).close()
    ran = run(*DOCTOR)
    assert ran.code == 2
    assert ran.rule == "a study must be of a version whose configuration this one can read, to be examined"
