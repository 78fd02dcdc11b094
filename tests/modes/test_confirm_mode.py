"""`mode=confirm` before it trains anything, and what it says of a study that was confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Ran, compose, run

from raytune_nn.errors import ConfigError
from raytune_nn.modes.candidates import candidates
from raytune_nn.modes.opened_test import judged
from raytune_nn.modes.seed_study import seed_study
from raytune_nn.report.study import Study, read_study
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal
from raytune_nn.trial.tester import find_twin

VALUES = {"0": 0.5, "1": 0.9, "2": 0.8, "3": 0.85}


class Confirmed:
    """A study of four trials, of which two have the same configuration, and perhaps what was confirmed of it.

    Args:
        resumed: How trial 1 went on after a pause; None: it had none.
    """

    def __init__(self, here: Path, typed: tuple[str, ...] = (), resumed: dict[str, Any] | None = None) -> None:
        self.folder = StudyFolder(here / "studies" / "first")
        self.folder.create()
        config = compose("+search=random", "study.name=first", *typed).config
        self.folder.config.write_text(yaml.safe_dump(config))
        self.folder.space.write_text(yaml.safe_dump(config["search_space"]))
        journal = self.journal = Journal(self.folder.journal)
        journal.append("opened", name="first", torn=0, command="python -m raytune_nn +search=random", versions={})
        for trial, value in VALUES.items():
            rate = 0.1 if trial in "13" else int(trial) / 10
            journal.append("suggested", trial=trial, params={"optimizer.lr": rate})
            journal.append("started", trial=trial, slot=0)
            if trial == "1" and resumed is not None:
                journal.append("resumed", trial=trial, **resumed, new=False)
                journal.append("started", trial=trial, slot=0)
            metrics = {"val_acc": value, "val_loss": 1 - value}
            journal.append("reported", trial=trial, epoch=1, step=1, seconds=1.0, metrics=metrics)
            journal.append("ended", trial=trial, state="complete", reason="")

    def study(self) -> Study:
        self.journal.sync(force=True)
        return read_study(self.folder, yaml.safe_load(self.folder.config.read_text()))

    def confirm(self, **more: Any) -> Confirmed:
        """Trials 1 and 2 on three seeds: 2 is the smaller, and a little worse."""
        self.journal.append("closed", status="complete", reason="")
        event: dict[str, Any] = {
            "metric": "test_acc",
            "of": "val_acc",
            "maximise": True,
            "on": "test",
            "why": "",
            "openings": 1,
            "overlap": 0.0,
            "seeds": [1, 2, 3],
            "candidates": [
                told("1", [0.9, 0.88, 0.92], 200),
                told("2", [0.89, 0.9, 0.88], 100),
            ],
        }
        self.journal.append("confirmed", **judged({**event, **more}, 0.95))
        self.journal.sync(force=True)
        return self


def told(trial: str, values: list[float | None], parameters: int) -> dict[str, Any]:
    rest = {"promised": VALUES[trial], "trainings": ["0", "1", "2"], "epochs": 1.0, "seconds": 1.0}
    return {"trial": trial, "params": {"optimizer.lr": 0.1}, "values": values, "parameters": parameters, **rest}


def confirm(*more: str) -> Ran:
    return run("mode=confirm", "study.name=first", "confirm.top=2", "confirm.seeds=3", *more)


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("confirm.top=0", "confirm.top must be at least 1"),
        ("confirm.seeds=1", "confirm.seeds must be at least 2: one training has no interval"),
        ("confirm.confidence=95", "confirm.confidence must be at least 0.5 and below 1"),
        ("confirm.confidence=1", "confirm.confidence must be at least 0.5 and below 1"),
        ("study.name=null", "mode=confirm needs the name of a study"),
        ("study.name=other", "there must be a study of this name"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_and_nothing_is_created(typed: str, rule: str, here: Path) -> None:
    made = Confirmed(here)
    made.study()
    before = sorted(here.rglob("*"))
    ran = confirm(typed)
    assert (ran.code, ran.rule) == (2, rule)
    assert ran.fix
    assert sorted(here.rglob("*")) == before


def test_the_best_configurations_come_once_each(here: Path) -> None:
    study = Confirmed(here).study()
    assert [trial.id for trial in candidates(study, 2)] == ["1", "2"], "3 is 1 once more"
    assert [trial.id for trial in candidates(study, 9)] == ["1", "2", "0"]


def test_of_several_metrics_the_front_is_taken(here: Path) -> None:
    several = ("objective.metric=[val_acc,val_loss]", "objective.mode=[max,max]")
    study = Confirmed(here, typed=several).study()
    assert [trial.id for trial in candidates(study, 2)] == ["1", "2"]
    assert {trial.id for trial in candidates(study, 9)} == {"1", "2", "0"}
    one = Confirmed(here / "one", typed=("objective.metric=[val_acc,val_loss]", "objective.mode=[max,min]")).study()
    assert [trial.id for trial in candidates(one, 9)] == ["1"], "no other is on it"


@pytest.mark.parametrize(("source", "params"), [("0", None), (None, {"optimizer.lr": 0.3})])
def test_a_schedule_of_a_population_is_refused(source: str | None, params: dict[str, Any] | None, here: Path) -> None:
    made = Confirmed(here, resumed={"source": source, "params": params})
    made.study()
    ran = confirm()
    assert ran.code == 2
    assert ran.found.startswith("trial 1 ")
    assert not (made.folder.path / "confirm").exists()


def test_a_trial_that_only_paused_is_taken(here: Path) -> None:
    made = Confirmed(here, resumed={"source": None, "params": None})
    assert [trial.id for trial in candidates(made.study(), 1)] == ["1"]


def test_no_limit_of_the_study_ends_the_trainings_early(here: Path) -> None:
    limits = ("max_hours=1", "max_gpu_hours=1", "max_total_epochs=1", "stagnation=1", "target=0.1")
    study = Confirmed(here, tuple(f"budget.{limit}" for limit in limits)).study()
    inner = seed_study(compose("mode=confirm", "study.name=first"), study, [{"optimizer.lr": 0.1}], [1, 2])
    budget = vars(inner.checked.plan.settings.budget)
    assert {key: value for key, value in budget.items() if value is not None} == {"num_trials": 2, "max_epochs": 27}


def test_a_study_without_a_value_has_nothing_to_confirm(here: Path) -> None:
    folder = Confirmed(here).folder
    for segment in folder.journal.iterdir():
        segment.write_text("".join(segment.read_text().splitlines(keepends=True)[:2]))
    ran = confirm()
    assert (ran.code, ran.rule) == (3, "mode=confirm needs a trial that ended with a value")


def test_what_was_confirmed_is_shown_again(here: Path) -> None:
    made = Confirmed(here).confirm()
    before = made.folder.journal.stat().st_mtime_ns, sorted(here.rglob("*"))
    ran = confirm()
    assert ran.code == 0, ran.err
    assert "Test data opened once, after the last training." in ran.out
    assert "recommended  trial 2: test_acc = 0.89, 100 parameters" in ran.out
    assert (made.folder.journal.stat().st_mtime_ns, sorted(here.rglob("*"))) == before
    assert "90% interval" in confirm("confirm.confidence=0.9").out


@pytest.mark.parametrize("typed", ["confirm.top=3", "confirm.seeds=4"])
def test_other_configurations_or_seeds_would_open_the_test_data_again(typed: str, here: Path) -> None:
    Confirmed(here).confirm()
    ran = confirm(typed)
    assert ran.code == 2
    assert ran.rule.startswith("the test data of a study are opened once")
    assert ran.found.startswith("opened for trials 1, 2 on seeds 1 to 3; now trials 1, 2")
    assert ran.fix.startswith("confirm.again=true")


def test_a_study_that_was_confirmed_can_go_on_and_took_no_longer(here: Path) -> None:
    made = Confirmed(here)
    seconds = made.study().record.wall_seconds
    record = made.confirm().study().record
    assert record.status == "complete"
    assert record.wall_seconds - seconds < 60
    assert record.confirmed["recommended"] == "2"


def test_the_page_says_who_really_won(here: Path) -> None:
    Confirmed(here).confirm()
    assert run("mode=report", "study.name=first").code == 0
    page = (here / "studies" / "first" / "report.html").read_text()
    assert "test_acc of each configuration, trained from the beginning on 3 seeds." in page
    assert '<td class="number">0.85032 to 0.94968</td><td class="number">0.9</td>' in page
    assert "Trial 2 is recommended: of those within a standard error of the best it has the fewest parameters." in page
    assert '<section id="means-over-seeds">' in page
    assert '<a href="#confirmed">Who really won</a>' in page


def test_the_page_of_another_study_says_nothing_of_it(here: Path) -> None:
    Confirmed(here).study()
    run("mode=report", "study.name=first")
    page = (here / "studies" / "first" / "report.html").read_text()
    assert "Who really won" not in page
    assert "means-over-seeds" not in page


def test_validation_values_and_a_second_look_are_marked(here: Path) -> None:
    event = Confirmed(here).confirm(on="validation", why="Mine has no test_step", openings=0).study().record.confirmed
    assert event["openings"] == 0
    out = confirm().out
    assert "No test data: Mine has no test_step." in out
    assert "they are optimistic" in out
    Confirmed(here / "again").confirm(openings=2)
    ran = confirm("study.storage=again/studies")
    assert "Test data opened twice" in ran.out
    assert "makes these values optimistic" in ran.out


def test_seeds_without_a_value_are_shown(here: Path) -> None:
    values: list[float | None] = [0.99, None, 0.99]
    Confirmed(here).confirm(candidates=[told("1", values, 200), told("2", [0.89, 0.9, 0.88], 100)])
    out = confirm().out
    assert "1 of 3 without a value" in out
    assert "recommended  trial 2" in out


@pytest.mark.parametrize(
    ("metric", "logged", "twin"),
    [
        ("val_acc", ["test_loss", "test_acc"], "test_acc"),
        ("val/acc", ["test/acc"], "test/acc"),
        ("valid_loss", ["test_loss"], "test_loss"),
        ("validation_f1", ["test_f1"], "test_f1"),
        ("acc/val", ["acc/test"], "acc/test"),
        ("valAcc", ["testAcc"], "testAcc"),
        ("acc", ["acc"], "acc"),
        ("acc", ["acc", "test_acc"], "test_acc"),
        ("interval_score", ["test_interval_score"], "test_interval_score"),
        ("val_acc/dataloader_idx_0", ["test_acc/dataloader_idx_0"], "test_acc/dataloader_idx_0"),
    ],
)
def test_the_tests_name_of_a_metric_is_found(metric: str, logged: list[str], twin: str) -> None:
    assert find_twin(metric, logged) == twin


def test_a_metric_that_the_test_does_not_log_is_named_with_what_it_logs() -> None:
    with pytest.raises(ConfigError, match="it logs test_loss, other"):
        find_twin("val_acc", ["test_loss", "other"])
