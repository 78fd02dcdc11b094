"""What happens around the results in Tune's loop: the clock, the screen, and how the loop ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial

from raytune_nn.study.conductor import Conductor
from raytune_nn.study.watch import Watch
from raytune_nn.trial.wind_down import Notice

Refresh = Callable[[], None]


class OfDriver:
    """Has the conductor, and pickles without it: Tune saves its parts for a restore that the journal replaces."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Events(OfDriver, Callback):
    """What Tune tells besides results.

    Args:
        notice: Posted once the study winds down.
        watch: Hears that a trial starts.
        refresh: Called a few times a second.
    """

    def __init__(self, conductor: Conductor, notice: Notice, watch: Watch, refresh: Refresh) -> None:
        super().__init__(conductor)
        self._notice, self._watch, self._refresh = notice, watch, refresh
        self._slots: dict[str, Any] = {}  # by trial, the process where it runs or ran last
        self._numbered: list[Any] = []  # by slot, the process that trained there last

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._watch.heard(trial)
        task = trial.config["task"]
        self._slots[task.id] = process = trial.temporary_state.ray_actor
        self._conductor.started(task.id, slot=self._slot(process))

    def _slot(self, process: Any) -> int:
        """Number of a slot, from 0: a process keeps it, but for one that did not train when another needed a number."""
        if process not in self._numbered:
            at_work = [self._slots[id] for id in self._running()]
            idle = (slot for slot, other in enumerate(self._numbered) if other not in at_work)
            slot = next(idle, len(self._numbered))
            self._numbered[slot : slot + 1] = [process]
        return self._numbered.index(process)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if self._conductor.winds_down:
            self._notice.post()
        self._conductor.tick()
        self._refresh()

    def cut_off(self) -> None:
        """Ends the processes of trials that still train: Tune would wait for their reports."""
        for id in self._running():
            ray.kill(self._slots[id])

    def _running(self) -> list[str]:
        trials = self._conductor.record.trials
        return [id for id in self._slots if id in trials and trials[id].state == "running"]


class Ending(OfDriver, Stopper):
    """Ends the whole experiment once the conductor wants to."""

    def __init__(self, conductor: Conductor, events: Events) -> None:
        super().__init__(conductor)
        self._events, self._ends = events, False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if self._conductor.ending and not self._ends:
            self._ends = True
            if self._conductor.winds_down:
                self._events.cut_off()
        return self._ends
