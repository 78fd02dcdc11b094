"""Random studies on a virtual clock, to try schedulers on: no cluster and no training.

Trials report every one, two or three epochs, a few fail midway, and their scores often tie.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from raytune_nn.search.scheduler import Decision, Scheduler, Verdict

Make = Callable[[], Scheduler]

EPOCHS = 27  # of a whole training
SLOTS = 3  # trials that run at a time


@dataclass(frozen=True)
class Call:
    """One call of the scheduler with its answer, as a study's journal holds it."""

    trial: str
    step: int = 0
    score: float = 0.0
    answer: Verdict | str | None = None


class Journal:
    """Calls a scheduler and keeps the calls; after `cut` of them a fresh one hears them and takes over."""

    def __init__(self, make: Make, cut: int | None = None) -> None:
        self.make, self.cut = make, cut
        self.scheduler = make()
        self.calls: list[Call] = []

    def report(self, trial: str, step: int, score: float) -> Verdict:
        self._restart_if_due()
        verdict = self.scheduler.on_report(trial, step, score)
        self.calls.append(Call(trial, step, score, verdict))
        return verdict

    def end(self, trial: str) -> None:
        self._restart_if_due()
        self.scheduler.on_end(trial)
        self.calls.append(Call(trial))

    def next_to_run(self) -> str | None:
        self._restart_if_due()
        trial = self.scheduler.next_to_run()
        if trial is not None:
            self.calls.append(Call(trial, answer=trial))
        return trial

    def _restart_if_due(self) -> None:
        if len(self.calls) != self.cut:
            return
        self.cut, self.scheduler = None, self.make()
        for call in self.calls:
            if isinstance(call.answer, Verdict):
                assert self.scheduler.on_report(call.trial, call.step, call.score) == call.answer
            elif call.answer is None:
                self.scheduler.on_end(call.trial)
            else:
                assert self.scheduler.next_to_run() == call.answer


class Study:
    """One random study: the same seed and the same answers make the same calls."""

    def __init__(self, seed: int, journal: Journal, repeats: bool = False) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        self.journal = journal
        self.repeats = repeats
        self.waiting = [f"trial{i}" for i in range(15)]
        self.running: list[str] = []
        self.paused: set[str] = set()
        self.every = {trial: self.rng.choice([1, 1, 2, 3]) for trial in self.waiting}
        self.last = {trial: self.rng.choice([EPOCHS] * 3 + [5]) for trial in self.waiting}
        self.reported: dict[str, list[int]] = {trial: [] for trial in self.waiting}

    def run(self) -> list[Call]:
        while self._fill_slots():
            trial = self.rng.choice(self.running)
            step = max(self.reported[trial], default=0) + self.every[trial]
            verdict = self._report(trial, step)
            if verdict.decision is Decision.STOP or step >= self.last[trial]:
                self.running.remove(trial)
                self.journal.end(trial)
            elif verdict.decision is Decision.PAUSE:
                self.running.remove(trial)
                self.paused.add(trial)
        return self.journal.calls

    def _fill_slots(self) -> bool:
        while len(self.running) < SLOTS:
            trial = self.journal.next_to_run()
            if trial is not None:
                self.paused.remove(trial)  # KeyError: it named a trial that is not paused
            elif self.waiting:
                trial = self.waiting.pop(0)
            else:
                break
            self.running.append(trial)
        return bool(self.running)

    def _report(self, trial: str, step: int) -> Verdict:
        """Report; with repeats, give this report twice and older ones again, as a restarted trial does."""
        verdict = self.journal.report(trial, step, self._score(trial, step))
        if self.repeats:
            scheduler = self.journal.scheduler
            assert scheduler.on_report(trial, step, 2.0) == verdict
            for older in self.reported[trial] if verdict.decision is Decision.CONTINUE else ():
                assert scheduler.on_report(trial, older, -2.0).decision is not Decision.STOP
        self.reported[trial].append(step)
        return verdict

    def _score(self, trial: str, step: int) -> float:
        # From a generator of its own, so that a repeat or an earlier stop does not change the other scores.
        return round(random.Random(f"{self.seed}/{trial}/{step}").random(), 1)
