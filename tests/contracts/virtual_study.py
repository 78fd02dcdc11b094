"""Random studies on a virtual clock, to try schedulers on: no cluster and no training.

Trials report every one, two or three epochs, a few fail midway, and their scores often tie.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raytune_nn.search.scheduler import Decision, Resumption, Scheduler, Verdict

Make = Callable[[], Scheduler]

EPOCHS = 27  # of a whole training
SLOTS = 3  # trials that run at a time


@dataclass(frozen=True)
class Call:
    """One call of the scheduler with its answer, as a study's journal holds it."""

    method: str
    trial: str = ""
    step: int = 0
    score: float = 0.0
    answer: Verdict | Resumption | None = None


class Journal:
    """Calls a scheduler and keeps the calls; after `cut` of them a fresh one hears them and takes over."""

    def __init__(self, make: Make, cut: int | None = None) -> None:
        self.make, self.cut = make, cut
        self.scheduler = make()
        self.calls: list[Call] = []

    def start(self, trial: str) -> None:
        self._restart_if_due()
        self.scheduler.on_start(trial, params_of(trial))
        self.calls.append(Call("start", trial))

    def report(self, trial: str, step: int, score: float) -> Verdict:
        self._restart_if_due()
        verdict = self.scheduler.on_report(trial, step, score)
        self.calls.append(Call("report", trial, step, score, verdict))
        return verdict

    def end(self, trial: str, complete: bool) -> None:
        self._restart_if_due()
        self.scheduler.on_end(trial, complete)
        self.calls.append(Call("end complete" if complete else "end", trial))

    def next_to_run(self, new_available: bool) -> Resumption | None:
        self._restart_if_due()
        resumption = self.scheduler.next_to_run(new_available)
        if resumption is not None:
            self.calls.append(Call("resume new" if new_available else "resume", answer=resumption))
        return resumption

    def _restart_if_due(self) -> None:
        if len(self.calls) != self.cut:
            return
        self.cut, self.scheduler = None, self.make()
        for call in self.calls:
            match call.method:
                case "start":
                    self.scheduler.on_start(call.trial, params_of(call.trial))
                case "report":
                    assert self.scheduler.on_report(call.trial, call.step, call.score) == call.answer
                case "end" | "end complete":
                    self.scheduler.on_end(call.trial, call.method == "end complete")
                case _:
                    assert self.scheduler.next_to_run(call.method == "resume new") == call.answer


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
        self.saved: dict[str, list[int]] = {}  # the reports before the latest checkpoint

    def run(self) -> list[Call]:
        while self._fill_slots():
            trial = self.rng.choice(self.running)
            step = max(self.reported[trial], default=0) + self.every[trial]
            verdict = self._report(trial, step)
            if verdict.decision is Decision.STOP or step >= self.last[trial]:
                self.running.remove(trial)
                self.journal.end(trial, complete=verdict.decision is not Decision.STOP and step >= EPOCHS)
            elif verdict.decision is Decision.PAUSE:
                self.running.remove(trial)
                self.paused.add(trial)
                self.saved[trial] = list(self.reported[trial])
        for trial in sorted(self.paused):
            self.journal.end(trial, complete=False)
        return self.journal.calls

    def _fill_slots(self) -> bool:
        while len(self.running) < SLOTS:
            resumption = self.journal.next_to_run(new_available=bool(self.waiting))
            if resumption is not None:
                self.paused.remove(resumption.trial)  # KeyError: it named a trial that is not paused
                if resumption.source is not None:  # KeyError: it has no checkpoint
                    self.saved[resumption.trial] = self.saved[resumption.source]
                    self.reported[resumption.trial] = list(self.saved[resumption.source])
                self.running.append(resumption.trial)
            elif self.waiting:
                self.running.append(self.waiting.pop(0))
                self.journal.start(self.running[-1])
            else:
                break
        return bool(self.running)

    def _report(self, trial: str, step: int) -> Verdict:
        """Report; with repeats, give this report twice and older ones again, as a restarted trial does."""
        verdict = self.journal.report(trial, step, self._score(trial, step))
        if self.repeats:
            scheduler = self.journal.scheduler
            assert scheduler.on_report(trial, step, 2.0) == verdict
            for older in self.reported[trial] if verdict.decision is Decision.CONTINUE else ():
                assert scheduler.on_report(trial, older, -2.0).decision is Decision.CONTINUE
        self.reported[trial].append(step)
        return verdict

    def _score(self, trial: str, step: int) -> float:
        # From a generator of its own, so that a repeat or an earlier stop does not change the other scores.
        return round(random.Random(f"{self.seed}/{trial}/{step}").random(), 1)


def params_of(trial: str) -> dict[str, Any]:
    """What a trial tries."""
    return {"optimizer.lr": random.Random(trial).uniform(1e-4, 1e-1)}
