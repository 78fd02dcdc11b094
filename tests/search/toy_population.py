"""The toy problem of PBT's paper (Jaderberg et al. 2017, Figure 2), trained in virtual time.

Members maximise 1.2 - x² - y² by gradient steps on 1.2 - a x² - b y², whose a and b are their parameters.
"""

from __future__ import annotations

from typing import Any

from raytune_nn.search.scheduler import Decision, Resumption, Scheduler
from raytune_nn.space.domains import Uniform
from raytune_nn.space.space import Space

SPACE = Space({"optimizer.a": Uniform(0, 1), "optimizer.b": Uniform(0, 1)})
BEST = 1.2

Weights = tuple[float, float]


class Toy:
    """One study.

    Args:
        population: The members' first parameters.
        slots: Members that train at a time.
    """

    def __init__(self, scheduler: Scheduler, population: list[dict[str, Any]], epochs: int, slots: int = 2) -> None:
        self.scheduler, self.epochs, self.slots = scheduler, epochs, slots
        self.params = {str(number): params for number, params in enumerate(population)}
        self.at: dict[str, tuple[int, Weights]] = dict.fromkeys(self.params, (0, (0.9, 0.9)))
        self.saved: dict[str, tuple[int, Weights]] = {}
        self.trained = 0  # epochs, all members
        self.resumptions: list[Resumption] = []

    def run(self) -> float:
        """The best score that any member ends with."""
        new, running = list(self.params), list[str]()
        while True:
            while len(running) < self.slots and (trial := self._next(new)) is not None:
                running.append(trial)
            if not running:
                return max(score(weights) for _, weights in self.at.values())
            trial = running.pop(0)
            verdict = self._train(trial)
            if self.at[trial][0] == self.epochs:
                self.scheduler.on_end(trial, complete=True)
            elif verdict is Decision.PAUSE:
                self.saved[trial] = self.at[trial]
            else:
                running.append(trial)

    def _next(self, new: list[str]) -> str | None:
        resumption = self.scheduler.next_to_run(bool(new))
        if resumption is not None:
            self.resumptions.append(resumption)
            if resumption.source is not None:
                self.saved[resumption.trial] = self.saved[resumption.source]
            self.at[resumption.trial] = self.saved[resumption.trial]
            self.params[resumption.trial] = resumption.params or self.params[resumption.trial]
            return resumption.trial
        if not new:
            return None
        self.scheduler.on_start(new[0], self.params[new[0]])
        return new.pop(0)

    def _train(self, trial: str) -> Decision:
        epoch, (x, y) = self.at[trial]
        a, b = self.params[trial]["optimizer.a"], self.params[trial]["optimizer.b"]
        self.at[trial] = (epoch + 1, (x - 0.02 * a * x, y - 0.02 * b * y))
        self.trained += 1
        return self.scheduler.on_report(trial, epoch + 1, score(self.at[trial][1])).decision


def score(weights: Weights) -> float:
    return BEST - sum(weight**2 for weight in weights)
