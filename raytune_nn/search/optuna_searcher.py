"""A sampler of Optuna as a searcher: asks it for trials, and tells it how they ended.

Optuna's study stays in memory: the journal holds what happened, and a resumed study tells it again. So that
a suggestion is then the same, each one is made by a sampler of its own, seeded by the study's seed and the
suggestion's number; what a sampler has to remember beyond that it keeps in the trials.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import abstractmethod
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import Trial, TrialState

from raytune_nn.errors import ConfigError
from raytune_nn.search.records import Records
from raytune_nn.search.searcher import Score, Searcher
from raytune_nn.space.space import Space
from raytune_nn.space.to_optuna import drawn_for, parameter_names, suggest

Params = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """A trial's end, or pause, that Optuna is still to be told."""

    trial: str
    params: Params
    scores: tuple[float, ...] | None  # one an objective
    state: str
    reports: dict[int, float]  # step to score
    may_go_on: bool


class OptunaSearcher(Searcher):
    """Asks and tells; a subclass says which sampler.

    Complete trials are told with their value. Stopped ones are told as pruned, with their reports, and failed
    ones as failed. A diverged one is worse than any other: where the sampler ranks pruned trials it is told as
    pruned without a report, which Optuna ranks last, and otherwise as complete with the worst value so far.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        objectives: How many there are; ``on_end`` then takes as many scores.
    """

    asks_ahead: ClassVar[bool] = False
    """Whether the next suggestion is computed in a thread while trials run: for samplers with a slow model.

    It knows the trials that had ended when the suggestion before it was asked for, and no later ones, however
    long the thread takes. So a study on n slots learns as one on n + 1 would without this. Such a sampler may
    keep nothing in its trials but their parameters and values.
    """
    whole: ClassVar[bool] = True
    """Whether the sampler is asked for the parameters of all branches, which most need; the inactive are dropped."""
    ranks_pruned: ClassVar[bool] = False
    """Whether the sampler learns from pruned trials."""

    def __init__(self, space: Space, seed: int, objectives: int = 1) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._seed = space, seed
        self._names = parameter_names(space)
        self._records = Records()
        self._study = optuna.create_study(storage=self._records, directions=["maximize"] * objectives)
        self._asked: dict[str, deque[Trial]] = {}  # those that run, by their parameters
        self._reports: dict[str, dict[int, float]] = {}
        self._paused: dict[str, int] = {}  # the number of what Optuna was told of a trial that paused
        self._ended: list[Ended] = []
        self._worst: tuple[float, ...] | None = None
        self._told_unasked = 0
        self._ahead = False  # whether the next suggestion is made of what Optuna knows already
        self._thread = ThreadPoolExecutor(1, "suggestion")
        self._next: Future[Params] | None = None

    @abstractmethod
    def _sampler(self, seed: int) -> BaseSampler:
        """A fresh sampler with this seed, which has 32 bits."""

    def suggest(self, number: int) -> Params | None:
        """What the sampler proposes."""
        if not self.asks_ahead:
            self._tell_ended()
            trial, params = self._new_trial(self._sampler_for(str(number)))
            self._asked_for(params, trial)
            return params
        if not self._ahead:
            self._tell_ended()
        params = self._next.result() if self._next else self._imagine(self._sampler_for(str(number)))
        self._hand_out(number, params)
        self._next = self._thread.submit(self._imagine, self._sampler_for(str(number + 1)))
        return params

    def replay(self, number: int, params: Params) -> None:
        """As ``suggest``, without the model where there is one."""
        if not self.asks_ahead:
            self.suggest(number)
            return
        if not self._ahead:
            self._tell_ended()
        self._hand_out(number, params)

    def on_report(self, trial: str, step: int, score: float) -> None:
        """Keep it for the trial's end."""
        self._reports.setdefault(trial, {}).setdefault(step, score)

    def on_pause(self, trial: str, params: Params) -> None:
        """As if it were stopped: most paused trials never go on. What one that does comes to takes its place."""
        self._ended.append(Ended(trial, params, None, "stopped", dict(self._reports.get(trial, {})), True))

    def on_end(self, trial: str, params: Params, score: Score | None, state: str) -> None:
        """Keep it until the next suggestion: a thread may be at work on one that must not know it."""
        scores = (score,) if isinstance(score, int | float) else score
        self._ended.append(Ended(trial, params, scores, state, self._reports.pop(trial, {}), False))

    def _imagine(self, sampler: BaseSampler) -> Params:
        """What the sampler proposes, without a trace in the study: it may never be handed out."""
        trial, params = self._new_trial(sampler)
        self._study.tell(trial, state=TrialState.FAIL)
        return params

    def _hand_out(self, number: int, params: Params) -> None:
        """A running trial that a resumed study makes in the same way; then what has ended meanwhile."""
        sampler = RandomSampler(seed=self._seed_of(f"inactive {number}"))
        self._asked_for(params, self._new_trial(sampler, params)[0])
        self._tell_ended()
        self._ahead = True

    def _sampler_for(self, what: str) -> BaseSampler:
        with warnings.catch_warnings():  # not to be used in a second thread, so no sampler is made there
            warnings.simplefilter("ignore", ExperimentalWarning)
            return self._sampler(self._seed_of(what))

    def _asked_for(self, params: Params, trial: Trial) -> None:
        self._asked.setdefault(_key(params), deque()).append(trial)

    def _new_trial(self, sampler: BaseSampler, wanted: Params | None = None) -> tuple[Trial, Params]:
        """A running trial with the wanted parameters, if any; all others are of the sampler's choice."""
        self._study.sampler = sampler
        if wanted is not None:
            domains = self._space.active(wanted)
            fixed = {self._names[path, domains[path]]: drawn_for(domains[path], wanted[path]) for path in wanted}
            self._study.enqueue_trial(fixed)
        trial = self._study.ask()
        _ = trial.relative_params  # where a sampler may note what the trial is to it: needed where nothing is open too
        if self.whole:
            for (_, domain), name in self._names.items():
                suggest(trial, name, domain)
        params: Params = {}
        while new := {path: domain for path, domain in self._space.active(params).items() if path not in params}:
            for path, domain in new.items():
                params[path] = suggest(trial, self._names[path, domain], domain)
        return trial, params

    def _tell_ended(self) -> None:
        for ended in self._ended:
            running = self._asked.get(_key(ended.params))
            if running:
                self._tell(running.popleft(), ended)
            else:
                self._learn(ended)
        self._ended.clear()

    def _learn(self, ended: Ended) -> None:
        """Tell a trial that was not asked for."""
        what = f"unasked {self._told_unasked}"
        self._told_unasked += 1
        sampler = RandomSampler(seed=self._seed_of(what)) if self.asks_ahead else self._sampler_for(what)
        self._tell(self._new_trial(sampler, ended.params)[0], ended)

    def _tell(self, trial: Trial, ended: Ended) -> None:
        if ended.trial in self._paused:
            self._records.drop(self._paused.pop(ended.trial))
        if ended.may_go_on:
            self._paused[ended.trial] = trial.number
        scores, state = ended.scores, ended.state
        if state == "complete" and scores is not None:
            self._worst = scores if self._worst is None else tuple(map(min, self._worst, scores))
            self._study.tell(trial, scores)
        elif state == "stopped":
            for step, score in ended.reports.items() if len(self._study.directions) == 1 else ():
                trial.report(score, step)
            self._study.tell(trial, state=TrialState.PRUNED)
        elif state == "diverged" and self.ranks_pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        elif state == "diverged" and self._worst is not None:
            self._study.tell(trial, self._worst)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _seed_of(self, what: str) -> int:
        # A hash, since neighbouring seeds and numbers are to share nothing; 32 bits are what numpy takes.
        return int.from_bytes(hashlib.sha256(f"{self._seed}/{what}".encode()).digest()[:4])


def check_count(name: str, value: object, least: int) -> None:
    """Whether an argument of the searcher is an integer of at least ``least``.

    Raises:
        ConfigError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        rule = f"search.searcher.{name} must be an integer of at least {least}"
        raise ConfigError(rule, value, f"search.searcher.{name}={max(least, 10)}")


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)
