"""What Optuna is told, and when its samplers are asked."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from raytune_nn.search.optuna_searcher import OptunaSearcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.parse import parse_space

SPACE = parse_space(
    {"optimizer": {"choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}}, "lr": "loguniform(1e-4, 1e-1)"}}
)
POINT = {"optimizer": "sgd", "optimizer.lr": 0.01, "optimizer.momentum": 0.5}
OTHER = {"optimizer": "adamw", "optimizer.lr": 0.001}


class Random(OptunaSearcher):
    """Optuna's random search; keeps the trials of its study in view."""

    def _sampler(self, seed: int) -> BaseSampler:
        return RandomSampler(seed=seed)

    @property
    def trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)


class RandomThatRanks(Random):
    ranks_pruned = True


def told(searcher: Random, *ends: tuple[Any, str]) -> list[FrozenTrial]:
    """What the study holds of a few trials after their ends: each a score and a state."""
    suggested = [searcher.suggest(number) for number in range(len(ends))]
    for number, (params, (score, state)) in enumerate(zip(suggested, ends, strict=True)):
        assert params is not None
        searcher.on_report(str(number), 1, 0.25)
        searcher.on_report(str(number), 3, 0.75)
        searcher.on_report(str(number), 3, 0.5)  # of a restarted trial: the first counts
        searcher.on_end(str(number), params, score, state)
    assert all(trial.state is TrialState.RUNNING for trial in searcher.trials), "kept until the next suggestion"
    searcher.suggest(len(ends))
    return searcher.trials[: len(ends)]


def test_each_end_is_told_as_what_it_is() -> None:
    ends = [(0.5, "complete"), (0.75, "stopped"), (None, "failed"), (0.25, "complete"), (None, "diverged")]
    trials = told(Random(SPACE, 0), *ends)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE", "COMPLETE"]
    assert [trial.value for trial in trials] == [0.5, 0.75, None, 0.25, 0.25], "the diverged one is the worst"
    assert trials[1].intermediate_values == {1: 0.25, 3: 0.75}


def test_a_diverged_trial_before_any_value_has_failed() -> None:
    [trial] = told(Random(SPACE, 0), (None, "diverged"))
    assert trial.state is TrialState.FAIL


def test_a_diverged_trial_is_ranked_last_where_stopped_ones_are_ranked() -> None:
    trials = told(RandomThatRanks(SPACE, 0), (0.5, "complete"), (None, "diverged"))
    assert trials[1].state is TrialState.PRUNED
    assert trials[1].intermediate_values == {}


def test_several_objectives_are_told_as_such() -> None:
    ends = [((0.5, -2.0), "complete"), ((0.25, -1.0), "complete"), (None, "diverged"), ((1.0, 1.0), "stopped")]
    trials = told(Random(SPACE, 0, objectives=2), *ends)
    assert [trial.values for trial in trials] == [[0.5, -2.0], [0.25, -1.0], [0.25, -2.0], None]
    assert trials[3].state is TrialState.PRUNED


def test_a_trial_that_was_not_asked_for_is_told_with_its_parameters() -> None:
    searcher = Random(SPACE, 0)
    searcher.on_report("earlier/0", 1, 0.75)
    searcher.on_end("earlier/0", POINT, 0.5, "complete")
    searcher.on_end("earlier/1", OTHER, 0.75, "stopped")
    searcher.suggest(0)
    first, second, asked = searcher.trials
    assert (first.value, second.state, asked.state) == (0.5, TrialState.PRUNED, TrialState.RUNNING)
    assert first.params == {"optimizer": 1, "optimizer.lr": 0.01, "optimizer.momentum": 0.5}
    assert second.params.items() > {"optimizer": 0, "optimizer.lr": 0.001}.items()


def test_a_paused_trial_counts_as_pruned_until_more_is_known_of_it() -> None:
    searcher = Random(SPACE, 0)
    params = searcher.suggest(0)
    assert params is not None
    searcher.on_report("0", 1, 0.75)
    searcher.on_pause("0", params)
    searcher.suggest(1)
    assert searcher.trials[0].state is TrialState.PRUNED
    assert searcher.trials[0].intermediate_values == {1: 0.75}
    searcher.on_report("0", 3, 0.5)
    searcher.on_pause("0", params)
    searcher.suggest(2)
    [pruned] = [trial for trial in searcher.trials if trial.state is TrialState.PRUNED]
    assert pruned.intermediate_values == {1: 0.75, 3: 0.5}
    searcher.on_report("0", 9, 0.875)
    searcher.on_end("0", params, 0.875, "complete")
    searcher.suggest(3)
    *running, complete = sorted(searcher.trials, key=lambda trial: trial.state is TrialState.COMPLETE)
    assert complete.value == 0.875
    assert [trial.state for trial in running] == [TrialState.RUNNING] * 3


def test_of_two_that_run_with_the_same_parameters_each_end_is_told_once() -> None:
    searcher = Random(parse_space({"a": "choice(1)"}), 0)
    assert [searcher.suggest(number) for number in range(2)] == [{"a": 1}] * 2
    for score in (0.25, 0.75):
        searcher.on_end(str(score), {"a": 1}, score, "complete")
    searcher.suggest(2)
    assert [trial.value for trial in searcher.trials] == [0.25, 0.75, None]


def test_a_sampler_of_the_whole_is_asked_for_what_is_inactive_too() -> None:
    searcher = Random(SPACE, 0)
    suggestions = [searcher.suggest(number) for number in range(20)]
    assert {len(params) for params in suggestions if params} == {2, 3}
    assert all(len(trial.params) == 3 for trial in searcher.trials)


def test_tpe_is_asked_for_what_is_active_only() -> None:
    searcher = TPE(SPACE, 0)
    for number in range(20):
        searcher.suggest(number)
    assert {len(trial.params) for trial in searcher._study.get_trials()} == {2, 3}


class Slow(RandomSampler):
    """Waits to be let go."""

    go: threading.Event

    def sample_independent(self, *arguments: Any) -> Any:
        assert self.go.wait(60)
        return super().sample_independent(*arguments)


class AsksAhead(Random):
    asks_ahead = True

    def __init__(self, go: threading.Event) -> None:
        self.go, self.known = go, list[list[float | None]]()
        super().__init__(SPACE, 0)

    def _sampler(self, seed: int) -> BaseSampler:
        sampler = Slow(seed=seed)
        sampler.go = self.go
        self.known.append([trial.value for trial in self.trials if trial.state is TrialState.COMPLETE])
        return sampler


def test_a_slow_model_works_while_the_study_goes_on() -> None:
    go = threading.Event()
    go.set()
    searcher = AsksAhead(go)
    first = searcher.suggest(0)
    assert first is not None
    assert searcher._next is not None
    assert searcher._next.result(60)
    go.clear()
    assert searcher.suggest(1) is not None  # was there already; the third is being computed from here on
    searcher.on_end("0", first, 0.5, "complete")  # waits for nobody
    assert searcher.known == [[], [], []]
    go.set()
    assert searcher.suggest(2) is not None
    assert searcher.known[3:] == [[0.5]], "what ended before a suggestion is known to the one after it"


def test_how_long_a_model_takes_is_of_no_effect() -> None:
    go = threading.Event()
    go.set()

    def study(wait: bool) -> list[Any]:
        searcher, suggestions = TPE(SPACE, 3, startup_trials=2), []
        for number in range(12):
            params = searcher.suggest(number)
            assert params is not None
            suggestions.append(params)
            if wait and searcher._next:
                searcher._next.result()
            searcher.on_end(str(number), params, params["optimizer.lr"], "complete")
        return suggestions

    assert study(wait=True) == study(wait=False)


def test_a_resume_does_without_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    sampler = TPE._sampler

    def counted(searcher: TPE, seed: int) -> BaseSampler:
        made.append(seed)
        return sampler(searcher, seed)

    monkeypatch.setattr(TPE, "_sampler", counted)
    live, resumed = TPE(SPACE, 0, startup_trials=3), TPE(SPACE, 0, startup_trials=3)
    history = []
    for number in range(20):
        params = live.suggest(number)
        assert params is not None
        live.on_end(str(number), params, params["optimizer.lr"], "complete")
        history.append(params)
    made.clear()
    for number, params in enumerate(history):
        resumed.replay(number, params)
        resumed.on_end(str(number), params, params["optimizer.lr"], "complete")
    assert made == []
    assert resumed.suggest(20) == live.suggest(20)
    assert made


def test_seeds_and_numbers_share_nothing() -> None:
    first = [Random(SPACE, seed).suggest(number) for seed in range(5) for number in range(5)]
    assert len({params["optimizer.lr"] for params in first if params}) == 25


def test_optuna_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    searcher = TPE(SPACE, 0, startup_trials=1)
    for number in range(5):
        searcher.suggest(number)
        searcher.on_end(str(number), POINT, np.float64(0.5).item(), "complete")
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
