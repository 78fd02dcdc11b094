"""Trials of two workers, on a real local Ray: reused, failing, dying, paused, copied; and what they compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from gang_studies import pids, run
from listed_studies import Ended
from processes import is_gone, wait_until

from raytune_nn.store.checkpoints import States, state_path
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.lost import DIED

Run = Callable[..., Ended]

STRATEGIES = ("ddp", pytest.param("fsdp", marks=pytest.mark.slow))


@pytest.fixture
def study(here: Path, ray_cluster: str) -> Run:
    return lambda name, *arguments, does=None: run(ray_cluster, here, name, *arguments, does=does)


def until_gone(*processes: int) -> None:
    """No process outlives the study."""
    wait_until(lambda: all(map(is_gone, processes)))


def test_workers_are_reused_also_after_an_exception_of_one(study: Run, here: Path) -> None:
    what = {0.1: "train", 0.2: "raise 1", 0.3: "raise 0", 0.4: "diverge 1", 0.5: "train"}
    ended = study("a", "budget.max_epochs=2", does=what)
    trials = ended.record.trials
    assert [trial.state for trial in trials.values()] == ["complete", "failed", "failed", "diverged", "complete"]
    used = [pids(here, value) for value in what]
    assert {tuple(ranks["0"]) for ranks in used} == {tuple(used[0]["0"])}, "worker 0 is one process throughout"
    assert {tuple(ranks["1"]) for ranks in used} == {tuple(used[0]["1"])}, "and so is worker 1"
    assert used[0]["0"] != used[0]["1"]
    assert [trials[id].value for id in "04"] == [pytest.approx(0.6), pytest.approx(1.0)], "the mean of the workers"
    assert trials["1"].reason == "ZeroDivisionError: by worker 1"
    errors = {event["trial"]: event["error"] for event in ended.of("ended") if "error" in event}
    assert errors["1"].startswith("on worker 1 of 2:\nTraceback")
    assert trials["2"].reason == "ZeroDivisionError: by worker 0"
    assert trials["3"].reason == "val_acc was nan at epoch 2"
    until_gone(*used[0]["0"], *used[0]["1"])


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_gang_and_the_trial_is_tried_again(study: Run, here: Path) -> None:
    safe = ("failures.max_retries=1", "checkpoints.every_minutes=1e-6")
    ended = study("a", "budget.max_epochs=2", *safe, does={0.1: "die 1", 0.2: "die 0"})
    assert [(trial.state, trial.retries) for trial in ended.record.trials.values()] == [("complete", 1)] * 2
    retried = ended.of("retried")
    assert {event["trial"]: event["reason"] for event in retried} == {
        "0": f"{DIED}, since another of its workers had",
        "1": f"{DIED} of signal 9 (SIGKILL)",
    }
    began = sorted((event["trial"], event.get("epoch", 0)) for event in ended.of("started"))
    assert began == [("0", 0), ("0", 1), ("1", 0), ("1", 1)], "from the last state"
    assert retried[0]["time"] - ended.of("reported")[0]["time"] < 60, "nobody waits for failures.no_report_timeout"
    used = [pids(here, value) for value in (0.1, 0.2)]
    every = [pid for ranks in used for attempts in ranks.values() for pid in attempts]
    assert len(every) == 8
    assert len(set(every)) == 6, "both second attempts are of the same gang"
    until_gone(*every)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_paused_training_is_the_one_that_was_not(study: Run, strategy: str) -> None:
    """With dropout, whose masks are drawn by each worker's own generator: equal to the last bit."""
    points = "search.points=[{optimizer.lr: 0.003}, {optimizer.lr: 1e-4}, {optimizer.lr: 1e-4}]"  # the first is best
    arguments = ("budget.num_trials=3", "budget.max_epochs=3", points, f"trainer.strategy={strategy}")
    paused = study("paused", "+search=asha", "search/searcher=random", *arguments)
    through = study("through", "+search=random", *arguments)
    assert [event["trial"] for event in paused.of("resumed")] == ["0"]
    assert [len(paused.metrics(trial)) for trial in "012"] == [3, 1, 1]
    for trial in paused.record.trials:
        metrics = paused.metrics(trial)
        assert metrics == through.metrics(trial)[: len(metrics)]


@pytest.mark.slow
def test_all_workers_go_on_from_the_state_before_a_damaged_one(study: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first trial is promoted twice; each of its states is cut before it goes on."""

    def harm(states: States, trial: TrialRecord) -> None:
        replaced(states, trial)
        path = state_path(states._folder, trial.id, trial.saves)
        if trial.id == "0" and trial.epochs == 3 and path.stat().st_size > 100:
            path.write_bytes(path.read_bytes()[:100])

    replaced = States.replaced
    monkeypatch.setattr(States, "replaced", harm)
    points = "search.points=[{optimizer.lr: 0.003}, {optimizer.lr: 1e-4}, {optimizer.lr: 1e-4}]"  # the first is best
    arguments = ("budget.num_trials=3", "budget.max_epochs=5", points, "search.scheduler.brackets=1")
    ended = study("damaged", "+search=asha", "search/searcher=random", *arguments)
    through = study("through", "+search=random", *arguments[:-1])
    (fell,) = ended.of("fell_back")
    assert (fell["trial"], fell["file"], fell["epoch"]) == ("0", "checkpoints/0/resume-2.ckpt", 1)
    assert [event.get("epoch", 0) for event in ended.of("started") if event["trial"] == "0"] == [0, 1, 3, 1]
    metrics = ended.metrics("0")
    assert [*metrics[:3], *metrics[-2:]] == through.metrics("0")
    assert metrics[3:5] == metrics[1:3], "trained again"
    assert ended.of("retried") == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_population_goes_on_with_the_weights_of_its_best(study: Run, strategy: str) -> None:
    steps = (
        "search.scheduler.interval=1",
        "budget.num_trials=4",
        "budget.max_epochs=3",
        f"trainer.strategy={strategy}",
    )
    ended = study("a", "+search=pbt", *steps)
    assert [trial.state for trial in ended.record.trials.values()] == ["complete"] * 4
    assert any(event["source"] for event in ended.of("resumed"))
    assert [trial.epochs for trial in ended.record.trials.values()] == [3] * 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_workers_compute_what_one_does_with_twice_the_batch(study: Run, here: Path, strategy: str) -> None:
    space = here / "conf" / "search_space"
    space.mkdir(parents=True)
    (space / "fixed.yaml").write_text("{optimizer: {lr: 'choice(0.01)'}}")
    own = ("--config-dir", str(here / "conf"), "search_space=fixed", "budget.num_trials=1", "budget.max_epochs=1")
    in_order = ("+trainer.overfit_batches=30", "model.net.dropout=0", "model.net.norm=none", "optimizer=sgd")
    study("two", "+search=random", *own, *in_order, "data.batch_size=16", f"trainer.strategy={strategy}")
    study("one", "+search=random", *own, *in_order, "data.batch_size=32", "resources.workers=1")
    two, one = (
        torch.load(here / name / "checkpoints" / "0" / "model.ckpt", weights_only=True)["state_dict"]
        for name in ("two", "one")
    )
    assert one.keys() == two.keys()
    alone = yaml.safe_load((here / "two" / "best" / "config.yaml").read_text())
    assert (alone["resources"]["workers"], alone["trainer"]["strategy"]) == (1, "auto")
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=0, atol=1e-5)
    assert any(not torch.equal(two[name], weights) for name, weights in one.items()), "sums in another order"


@pytest.mark.slow
def test_a_worker_that_hangs_ends_the_gang_and_the_trial_is_tried_again(study: Run, here: Path) -> None:
    limits = ("failures.no_report_timeout=2", "checkpoints.every_minutes=1e-6")
    ended = study("a", "budget.max_epochs=2", *limits, does={0.1: "freeze 1", 0.2: "freeze 0"})
    assert [(trial.state, trial.retries) for trial in ended.record.trials.values()] == [("complete", 1)] * 2
    assert all("finished no batch for 2 s" in event["reason"] for event in ended.of("retried"))
    every = [pid for value in (0.1, 0.2) for attempts in pids(here, value).values() for pid in attempts]
    until_gone(*every)


@pytest.mark.slow
def test_a_worker_that_does_not_come_to_its_end_is_replaced(study: Run, here: Path) -> None:
    ended = study("a", "budget.max_epochs=2", does={0.1: "stick 1", 0.2: "train"})
    assert [trial.state for trial in ended.record.trials.values()] == ["failed", "complete"]
    assert ended.record.trials["0"].reason == "ZeroDivisionError: by the other"
    stuck, after = pids(here, 0.1), pids(here, 0.2)
    assert stuck["0"] == after["0"]
    until_gone(*stuck["1"])
    assert stuck["1"] != after["1"]
