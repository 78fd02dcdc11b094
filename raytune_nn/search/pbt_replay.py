"""Replays the schedule that a study of PBT or PB2 found, as one training from its beginning.

With the schedule of the best member, another seed or more data need no population.
"""

from __future__ import annotations

from bisect import bisect_right
from copy import deepcopy
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.search.pbt_schedule import Schedule, read_schedule
from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.space.space import Space

NOTHING = Space()


class PBTReplay(Scheduler):
    """Pauses the one trial where its parameters changed, and lets it go on with the next ones.

    Args:
        study: The folder of the study whose best trial is replayed.
        trials: Of this study: 1.
        max_epochs: Epochs of the training.
        space: What this study searches: the same.

    Raises:
        ConfigError: There is more than one trial, there is no such study, or the training ends before a change.
    """

    def __init__(self, study: str, trials: int, max_epochs: int, space: Space = NOTHING) -> None:
        if trials != 1:
            raise ConfigError("the replay of a schedule is one training", f"{trials} trials", "budget.num_trials=1")
        self.schedule = read_schedule(study, space)
        self._stages = self.schedule[1:]
        if self._stages and self._stages[-1].epoch >= max_epochs:
            raise ConfigError(
                "the replay of a schedule must train past its last change",
                f"changed at epoch {self._stages[-1].epoch}, max_epochs={max_epochs}",
                f"budget.max_epochs={self._stages[-1].epoch + 1}",
            )
        self._epochs = [stage.epoch for stage in self._stages]
        self._done, self._last = 0, 0  # changes, and epochs at the last report
        self._paused: str | None = None

    @property
    def decision_steps(self) -> frozenset[int]:
        """The epochs at which parameters changed."""
        return frozenset(self._epochs)

    @property
    def pauses(self) -> bool:
        """At each change."""
        return True

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Pause where the next change is due."""
        if step > self._last:
            self._last = step
            if bisect_right(self._epochs, step) > self._done:
                self._paused = trial
        if self._paused is not None and step == self._last:
            return Verdict(Decision.PAUSE, f"paused at epoch {step}: the schedule changes")
        return GO_ON

    def on_end(self, trial: str, complete: bool) -> None:
        """It does not go on."""
        self._paused = None

    def on_fall_back(self, trial: str, epochs: int) -> dict[str, Any] | None:
        """The changes after that state are still to come."""
        self._last, self._done = epochs, bisect_right(self._epochs, epochs)
        return deepcopy(self.schedule[self._done].params)

    def next_to_run(self, new_available: bool) -> Resumption | None:
        """The trial, with the parameters that are due."""
        if self._paused is None:
            return None
        trial, self._paused = self._paused, None
        self._done = bisect_right(self._epochs, self._last)
        return Resumption(trial, params=deepcopy(self._stages[self._done - 1].params))

    def describe(self) -> str:
        """One line for the plan."""
        return f"replay of PBT: parameters change at {', '.join(map(str, self._epochs)) or 'no epoch'}"


class FirstOfSchedule(Searcher):
    """Suggests one trial: what the schedule begins with.

    Args:
        space: Unused, as the seed: nothing is drawn.
        seed: See above.
        schedule: What the scheduler, a `PBTReplay`, has read; without it nothing is suggested.
    """

    def __init__(self, space: Space, seed: int, schedule: Schedule = ()) -> None:
        self._schedule = schedule

    def suggest(self, number: int) -> dict[str, Any] | None:
        """The beginning of the schedule, then nothing."""
        return deepcopy(self._schedule[0].params) if number == 0 and self._schedule else None
