"""The adapter to Ray Tune, on a real local Ray: trials in reused actors, lost processes, and every way to end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from listed_studies import Ended, run_on
from processes import noted_pids, write_options

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.trial_endings import ALONE_AND_FAILED

Run = Callable[..., Ended]

SCRIPTED = (
    "objective.metric=val_acc",
    "trainer=cpu",
    "model=scripted",
    "data=scripted",
    "optimizer=from_model",
    "search_space=scripted",
)
FILES = {
    "model/scripted.yaml": "{_target_: scripted_module.Scripted, value: 0.0, does: train, notes: notes}",
    "data/scripted.yaml": "{_target_: scripted_module.OneBatch}",
    "search_space/scripted.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, raise)'}}",
}


@pytest.fixture
def run(here: Path, ray_cluster: str) -> Run:
    """Runs a study of a command, with the trials of a list instead of a searcher's where one is given."""
    write_options(here, FILES)

    def run(*arguments: str, does: Mapping[float, str] | None = None, cpus: float | None = None) -> Ended:
        overrides = [*arguments, f"study.storage={here}", "study.name=a"]
        if does is not None:
            overrides += ["--config-dir", str(here / "conf"), *SCRIPTED, f"model.notes={here / 'notes'}"]
        return run_on(ray_cluster, ["+search=random", *overrides], does, cpus)

    return run


def test_actors_are_reused_also_after_an_exception(run: Run, here: Path) -> None:
    what = {0.1: "train", 0.2: "raise", 0.3: "exit", 0.4: "diverge", 0.5: "raise_once", 0.6: "train"}
    study = run("failures.max_retries=1", "failures.retry_exceptions=true", "budget.max_epochs=3", does=what)
    assert study.states == ["complete", "failed", "failed", "diverged", "complete", "complete"]
    pids = [pid for value in what for pid in noted_pids(here / "notes", value)]
    assert len(pids) == 6 + 3, "the attempts: two trials fail twice, one once"
    assert len(set(pids)) <= 2, "an exception costs no process"
    assert [trial.retries for trial in study.trials.values()] == [0, 1, 1, 0, 1, 0]

    failed, exited, diverged, again = (study.trials[id] for id in "1234")
    assert failed.reason == "ZeroDivisionError: by the script"
    causes = {cause.diagnosis.reason: cause for cause in study.record.causes.of_failures}
    assert 'raise ZeroDivisionError("by the script")' in causes[failed.reason].error
    assert exited.reason == "SystemExit: 3"
    assert diverged.value is None
    assert diverged.reason == "val_acc was nan at epoch 2"
    assert again.value == pytest.approx(0.503)
    assert again.reason == ""
    assert [trial.epochs for trial in study.trials.values()] == [3, 1, 1, 2, 3, 3]
    slots = {event["slot"] for event in study.events if event["type"] == "started"}
    assert slots <= {0, 1}, "one may come up when all is done"
    assert (study.record.status, study.fault) == ("complete", None)
    assert study.record.best is study.trials["5"]


@pytest.mark.slow
def test_a_trial_whose_process_dies_is_tried_again(run: Run, here: Path) -> None:
    """And one whose process dies before the trial begins, of what the trial before it left there, loses no attempt."""
    what = {0.1: "die_once", 0.2: "unwell", 0.3: "train", 0.4: "train", 0.5: "die"}
    study = run("failures.max_retries=1", "budget.max_epochs=2", does=what)
    assert study.states == ["complete", "diverged", "complete", "complete", "failed"]
    assert [trial.retries for trial in study.trials.values()] == [1, 0, 0, 0, 1]
    pids = {value: noted_pids(here / "notes", value) for value in what}
    first, second = pids[0.1]
    assert first != second
    assert study.trials["0"].value == pytest.approx(0.102)
    assert [len(pids[value]) for value in (0.2, 0.3, 0.4)] == [1, 1, 1]
    assert study.trials["4"].reason == "the trial's process died of signal 9 (SIGKILL)"
    ended = next(event for event in study.events if event["type"] == "ended" and event["trial"] == "4")
    assert f"pid: {pids[0.5][-1]}" in ended["error"]
    assert study.record.status == "complete"


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_beside_others_trains_alone(run: Run) -> None:
    what = {0.1: "crowd", 0.2: "outgrow", 0.3: "train", 0.4: "crowd", 0.5: "train"}
    study = run("budget.max_epochs=2", "cluster.gpus=1", "resources.gpus=0.5", does=what)
    assert study.states == ["complete", "failed", "complete", "complete", "complete"]
    assert [trial.alone for trial in study.trials.values()] == [True, True, False, True, False]
    assert [trial.retries for trial in study.trials.values()] == [0] * 5
    assert study.trials["1"].reason == ALONE_AND_FAILED
    assert study.trials["3"].value == pytest.approx(0.402)
    at = {(event["type"], event["trial"]): number for number, event in enumerate(study.events) if "trial" in event}
    others_ended = max(at["ended", "2"], at["ended", "4"])
    spans = sorted((at["started", trial], at["ended", trial]) for trial in "013")  # the last start is the second
    assert others_ended < spans[0][0]
    assert all(end < start for (_, end), (start, _) in pairwise(spans)), "one after another"


def test_a_whole_gpu_that_is_too_small_is_a_plain_failure(run: Run) -> None:
    study = run("budget.max_epochs=2", "cluster.gpus=1", "resources.gpus=1", does={0.1: "outgrow", 0.2: "crowd"})
    assert study.states == ["failed", "complete"]
    assert study.trials["0"].reason == "torch.OutOfMemoryError: CUDA out of memory, by the script"


def test_a_metric_that_is_never_logged_ends_the_study(run: Run) -> None:
    study = run("budget.max_epochs=2", does=dict.fromkeys([0.1, 0.2, 0.3, 0.4], "silent"))
    assert isinstance(study.fault, ConfigError)
    assert study.fault.found == "val_acc; the module logs loss"
    assert study.fault.fix == "objective.metric=loss"
    assert study.record.status == "invalid"
    assert len(study.trials) <= 4


def test_what_cannot_be_built_is_refused_by_the_slots_and_leaves_nothing(run: Run, here: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        run("search_space=mlp", "+model.widht=3")
    assert raised.value.rule == "model.widht must be a keyword of raytune_nn.nn.Classification"
    assert raised.value.fix == "~model.widht"
    assert not (here / "a").exists()


@pytest.mark.slow
def test_a_module_that_ends_its_process_is_refused(run: Run, here: Path, users: Path) -> None:
    (users / "deadly.py").write_text("import os; os._exit(3)")
    with pytest.raises(ConfigError, match="must import without ending the process"):
        run("search_space=mlp", "model._target_=deadly.Model")
    assert not (here / "a").exists()


@pytest.mark.slow
def test_a_study_that_was_begun_outlives_a_refusal(run: Run, users: Path) -> None:
    (users / "changing.py").write_text("from raytune_nn.nn import Classification as Model")
    command = ("search_space=mlp", "model._target_=changing.Model", "budget.max_epochs=1")
    assert run(*command, "budget.num_trials=1").record.status == "complete"
    (users / "changing.py").write_text("raise RuntimeError('half edited')")
    with pytest.raises(ConfigError, match=r"model\._target_ must be importable"):
        run(*command, "budget.num_trials=2")
    (users / "changing.py").write_text("from raytune_nn.nn import Classification as Model")
    study = run(*command, "budget.num_trials=2")
    assert study.states == ["complete", "complete"]


def test_what_the_driver_raises_of_a_report_is_not_hidden_by_tune(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the storage is back by the time that the study is closed."""

    def refuse(conductor: Conductor, trial: str, report: Mapping[str, object]) -> bool:
        raise UnusableError("the storage was gone")

    monkeypatch.setattr(Conductor, "reported", refuse)
    with pytest.raises(UnusableError, match="the storage was gone"):
        run("search_space=mlp", "budget.num_trials=1", "budget.max_epochs=1")
    assert StudyFolder(here / "a").status() == "interrupted"


def test_a_target_ends_the_study_early(run: Run) -> None:
    what = {0.1: "slow", 0.9: "train", 0.2: "train", 0.3: "train"}
    study = run("budget.max_epochs=8", "budget.target=0.902", does=what)
    best = study.record.best
    assert best is study.trials["1"]
    assert (best.state, best.epochs) == ("stopped", 2)
    assert best.value == pytest.approx(0.902)
    assert study.record.reason.startswith("budget.target=0.902 is reached")
    assert study.trials["0"].state == "stopped"
    assert study.trials["0"].epochs < 8
    assert study.record.status == "complete"


@pytest.mark.slow
def test_asha_stops_trials_at_its_rungs_only(run: Run) -> None:
    stops = ("search/scheduler=asha", "search.scheduler.promote=false")
    study = run(*stops, "search_space=mlp", "budget.num_trials=9", "budget.max_epochs=9")
    stopped = {event["trial"]: event["epoch"] for event in study.of("decided")}
    assert set(stopped.values()) <= {1, 3}
    assert len(stopped) >= 4
    assert [id for id, trial in study.trials.items() if trial.state == "stopped"] == sorted(stopped)
    assert {id: study.trials[id].epochs for id in stopped} == stopped, "none trains on past its rung"
    others = [trial for id, trial in study.trials.items() if id not in stopped]
    assert {(trial.state, trial.epochs) for trial in others} == {("complete", 9)}


def test_asha_pauses_trials_and_promotes_the_best(run: Run, here: Path) -> None:
    study = run("search/scheduler=asha", "search_space=mlp", "budget.num_trials=9", "budget.max_epochs=9")
    assert {event["decision"] for event in study.of("decided")} == {"pause"}
    promoted = [event["trial"] for event in study.events if event["type"] == "resumed"]
    assert len(promoted) >= 1
    epochs: dict[str, list[int]] = {id: [] for id in study.trials}
    for event in study.events:
        if event["type"] == "reported":
            epochs[event["trial"]].append(event["epoch"])
    assert all(reported == list(range(1, len(reported) + 1)) for reported in epochs.values()), "no epoch twice"
    assert study.record.epochs == sum(trial.epochs for trial in study.trials.values())
    assert {len(reported) for reported in epochs.values()} <= {1, 3, 9}
    complete = [trial for trial in study.trials.values() if trial.state == "complete"]
    assert complete
    assert {trial.epochs for trial in complete} == {9}
    assert [trial.reason[:14] for trial in study.trials.values() if trial.state == "stopped"].count(
        "paused at rung"
    ) == 9 - len(complete)
    best = study.record.best
    assert best is not None
    files = {str(path.relative_to(here / "a")) for path in (here / "a" / "checkpoints").rglob("*.*")}
    assert files == {f"checkpoints/{best.id}/model.ckpt", f"checkpoints/{best.id}/config.yaml"}
    assert list((here / "a" / "tb").glob(".*")) == []


@pytest.mark.slow
def test_the_number_of_slots_changes_no_value(run: Run, tmp_path: Path) -> None:
    arguments = (
        "search_space=mlp",
        "budget.num_trials=20",
        "budget.max_epochs=2",
    )  # enough for both slots to be up at once
    two = run(*arguments)
    (tmp_path / "a").rename(tmp_path / "with_two_slots")
    one = run(*arguments, cpus=2.0)
    assert _values(one) == _values(two)
    assert all(math.isfinite(value) for values in _values(one).values() for value in values)
    assert _together(two) == 2
    assert _together(one) == 1


def _values(study: Ended) -> dict[str, list[float]]:
    """All metrics of all reports of each trial."""
    values: dict[str, list[float]] = {id: [] for id in study.trials}
    for event in study.events:
        if event["type"] == "reported":
            values[event["trial"]] += event["metrics"].values()
    return values


def _together(study: Ended) -> int:
    """How many trials ran at once at most."""
    running, most = set[str](), 0
    for event in study.events:
        if event["type"] == "started":
            running.add(event["trial"])
        elif event["type"] == "ended":
            running.discard(event["trial"])
        most = max(most, len(running))
    return most
