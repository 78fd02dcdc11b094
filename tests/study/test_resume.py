"""Whether a command may go on with a study that exists."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hand_study import OBJECTIVE, make_settings

from raytune_nn.config.schema import Config, Resume
from raytune_nn.errors import ConfigError, StudyMismatchError
from raytune_nn.store.folder import StudyFolder, write_json, write_yaml
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import check_branches, check_resume, differences, is_finished, stored_config

CONFIG: dict[str, Any] = {
    "seed": 0,
    "mode": "run",
    "verbose": 1,
    "study": {"name": "s", "resume": "auto"},
    "cluster": {"cpus": None},
    "checkpoints": {"every_minutes": 10, "keep_best": 1, "keep_states": "none"},
    "failures": {"max_retries": 3, "storage_timeout": 300.0, "stop_after": 5},
    "budget": {"num_trials": 6, "max_epochs": 9, "max_hours": None, "target": None},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001, "betas": [0.9, 0.99]},
}


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study that was made from CONFIG."""
    folder = StudyFolder(tmp_path / "s")
    write_yaml(folder.config, CONFIG)
    journal = Journal(folder.journal)
    journal.append("opened", name="s")
    journal.close()
    return folder


def asking(resume: str) -> Config:
    settings = make_settings()
    settings.study.resume = Resume(resume)
    return settings


def changed(path: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    *above, key = path.split(".")
    owner = config
    for part in above:
        owner = owner[part]
    owner[key] = value
    return config


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("budget.num_trials", 100),
        ("budget.num_trials", 2),
        ("budget.max_hours", 2.0),
        ("cluster.cpus", 8),
        ("checkpoints.keep_best", 3),
        ("logger", {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "logs"}),
        ("failures.stop_after", None),
        ("checkpoints.every_minutes", None),
        ("checkpoints.min_free", 5.0),
        ("failures.storage_timeout", 5.0),
        ("cluster", {"address": "auto"}),
        ("verbose", 2),
        ("mode", "plan"),
        ("study.name", "s"),
        ("study.resume", "must"),
    ],
)
def test_what_may_change(path: str, value: object, study: StudyFolder) -> None:
    assert check_resume(study, asking("auto"), changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("seed", 1, "seed: 0 -> 1"),
        ("budget.max_epochs", 27, "budget.max_epochs: 9 -> 27"),
        ("budget.target", 0.9, "budget.target: None -> 0.9"),
        ("optimizer.lr", 0.01, "optimizer.lr: 0.001 -> 0.01"),
        ("optimizer.betas", [0.9, 0.999], "optimizer.betas: [0.9, 0.99] -> [0.9, 0.999]"),
        ("optimizer.eps", None, "optimizer.eps: absent -> None"),
        ("optimizer", None, "optimizer: {'_target_': 'torch.optim.AdamW', 'lr': 0.001, 'betas': [0.9, 0.99]} -> None"),
    ],
)
def test_any_other_difference_is_refused_and_shown(path: str, value: object, line: str, study: StudyFolder) -> None:
    with pytest.raises(StudyMismatchError, match="study s exists and was made from another configuration") as caught:
        check_resume(study, asking("auto"), changed(path, value))
    assert line in str(caught.value).splitlines()[2]
    assert caught.value.exit_code == 2


def test_every_difference_is_shown() -> None:
    now = changed("seed", 1)
    now["budget"] = {**now["budget"], "num_trials": 99, "target": 1.0}
    del now["optimizer"]["lr"]
    now["model"] = {"depth": 2}
    assert list(differences(CONFIG, now)) == [
        "seed: 0 -> 1",
        "budget.target: None -> 1.0",
        "optimizer.lr: 0.001 -> absent",
        "model: absent -> {'depth': 2}",
    ]
    assert list(differences(CONFIG, copy.deepcopy(CONFIG))) == []


def test_never_wants_a_free_name_and_must_one_that_is_taken(study: StudyFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.resume=never wants a name that is free"):
        check_resume(study, asking("never"), CONFIG)
    assert check_resume(study, asking("must"), CONFIG)
    free = StudyFolder(tmp_path / "free")
    assert not check_resume(free, asking("never"), CONFIG)
    assert not check_resume(free, asking("auto"), CONFIG)
    with pytest.raises(ConfigError, match=r"study\.resume=must wants a study that exists"):
        check_resume(free, asking("must"), CONFIG)
    assert not free.path.exists()


def test_the_name_of_an_invalid_study_is_free(study: StudyFolder) -> None:
    write_json(study.summary, {"status": "invalid"})
    assert not check_resume(study, asking("never"), changed("seed", 1))
    with pytest.raises(ConfigError, match="must wants"):
        check_resume(study, asking("must"), CONFIG)


def test_a_study_that_was_killed_while_it_was_made_is_made_anew(study: StudyFolder) -> None:
    segment = study.journal / "00000.jsonl"
    segment.write_bytes(b"")
    assert not check_resume(study, asking("auto"), changed("seed", 1)), "no line of the journal was written"
    study.config.unlink()
    assert not check_resume(study, asking("never"), CONFIG)


def test_a_study_without_its_configuration_cannot_be_resumed(study: StudyFolder) -> None:
    study.config.unlink()
    with pytest.raises(ConfigError, match=r"must have its config\.yaml"):
        check_resume(study, asking("auto"), CONFIG)


def test_a_study_without_a_summary_can_be_resumed(study: StudyFolder) -> None:
    assert not study.summary.exists()
    assert check_resume(study, asking("auto"), CONFIG)


def test_the_stored_configuration(study: StudyFolder, tmp_path: Path) -> None:
    assert stored_config(study) == CONFIG
    with pytest.raises(ConfigError, match="there must be a study of this name"):
        stored_config(StudyFolder(tmp_path / "none"))


def test_options_of_a_chosen_group_are_compared_too() -> None:
    branches = {"optimizer": {"sgd": {"lr": 0.1, "betas": [1, 2]}, "adamw": {"lr": 0.001}}}
    record = StudyRecord(OBJECTIVE)
    check_branches("s", record, branches)
    record.apply({"type": "opened", "time": 1.0, "branches": copy.deepcopy(branches)})
    check_branches("s", record, {"optimizer": {"sgd": {"lr": 0.1, "betas": (1, 2)}, "adamw": {"lr": 0.001}}})
    with pytest.raises(StudyMismatchError, match=r"branches\.optimizer\.sgd\.lr: 0\.1 -> 0\.2"):
        check_branches("s", record, {"optimizer": {"sgd": {"lr": 0.2, "betas": [1, 2]}, "adamw": {"lr": 0.001}}})


def ended(status: str, reason: str = "", trials: int = 6, hours: float = 1.0) -> StudyRecord:
    """A study that was closed so, after so many trials."""
    record = StudyRecord(OBJECTIVE)
    events: list[Event] = [{"type": "opened", "time": 0.5}]
    for number in range(trials):
        events += [
            {"type": "suggested", "time": 1.0, "trial": str(number), "params": {}},
            {"type": "ended", "time": 1.0, "trial": str(number), "state": "failed"},
        ]
    events.append({"type": "closed", "time": 0.5 + hours * 3600, "status": status, "reason": reason})
    for event in events:
        record.apply(event)
    return record


HOURS, TARGET = "budget.max_hours=1 is spent", "budget.target=0.9 is reached: 0.95"


@pytest.mark.parametrize(
    ("record", "budget", "finished"),
    [
        (ended("complete"), {}, True),
        (ended("failed"), {}, True),
        (ended("complete"), {"num_trials": 7}, False),
        (ended("complete"), {"num_trials": 3}, True),
        (ended("running"), {}, False),
        (ended("interrupted", "interrupted"), {}, False),
        (ended("complete", HOURS, trials=3), {"max_hours": 1.0}, True),
        (ended("complete", HOURS, trials=3), {"max_hours": 2.0}, False),
        (ended("complete", HOURS, trials=3), {}, False),
        (ended("complete", "budget.stagnation=2 is spent", trials=3), {"stagnation": 2}, True),
        (ended("complete", "budget.stagnation=2 is spent", trials=3), {"stagnation": 3}, False),
        (ended("complete", "budget.max_total_epochs=9 is spent", trials=3), {"max_total_epochs": 9}, True),
        (ended("complete", "budget.max_total_epochs=9 is spent", trials=3), {"max_total_epochs": 10}, False),
        (ended("complete", TARGET, trials=3), {"target": 0.9}, True),
        (ended("complete", TARGET, trials=3), {"target": 0.9, "num_trials": 99}, True),
        (ended("failed", "budget.max_gpu_hours=1 is spent", trials=3), {}, True),
        (ended("failed", "failures.stop_after=3: the first 3 all failed alike", trials=3), {}, False),
        (ended("failed", "failures.stop_after=6: the first 6 all failed alike", trials=6), {}, True),
    ],
)
def test_whether_anything_is_left_to_do(record: StudyRecord, budget: dict[str, Any], finished: bool) -> None:
    assert is_finished(record, make_settings(**budget)) == finished


def test_a_trial_that_never_ended_is_left_to_do() -> None:
    record = ended("complete")
    record.apply({"type": "suggested", "time": 1.0, "trial": "6", "params": {}})
    assert not is_finished(record, make_settings())
