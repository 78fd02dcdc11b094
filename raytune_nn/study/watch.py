"""Gives up trials of which nothing is heard any more, so that their slots are free again.

A slot answers while its training finishes batches (``trial/training.py``), however long an epoch is. What hangs does
not answer: a process that was stopped, a deadlock, workers that wait for each other.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.tune.experiment import Trial

START_SECONDS = 600.0  # at least for a new slot, which imports and builds before it answers
LISTENING = 1.0  # seconds between two calls that count at most: what is said while the driver is busy is heard later
LOOK_SECONDS = 0.1


class Watch:
    """Keeps the time since each trial was heard of.

    Args:
        timeout: Seconds (``failures.no_report_timeout``); None: no trial is given up.
    """

    def __init__(self, timeout: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout, self._clock = timeout, clock
        self._before, self._now = clock(), 0.0  # the second counts listening only
        self._looked = 0.0
        self._heard: dict[tuple[str, int], float] = {}  # by trial and actor
        self._silences: dict[str, str] = {}  # of trials that were given up

    def heard(self, trial: Trial) -> None:
        """The trial began, or answered."""
        self._advance()
        for key in self._heard:
            if key[0] == trial.trial_id:
                self._heard[key] = self._now

    def silence(self, trial: Trial) -> str:
        """Why a trial was given up; empty where it was not."""
        return self._silences.pop(trial.trial_id, "")

    def look(self, controller: Any) -> None:
        """Called often; ends the process of each trial that is silent for too long.

        Args:
            controller: Tune's own, which has no public way to its actors.
        """
        self._advance()
        if self._timeout is None or self._now - self._looked < LOOK_SECONDS:
            return
        self._looked = self._now
        live = controller._actor_manager._live_actors_to_ray_actors_resources
        heard: dict[tuple[str, int], float] = {}
        for trial, tracked in controller._trial_to_actor.items():
            if tracked not in live:
                continue  # it waits for room
            key = trial.trial_id, tracked.actor_id
            heard[key] = self._heard.get(key, self._now)
            starts = tracked not in controller._started_actors
            if self._now - heard[key] > (max(self._timeout, START_SECONDS) if starts else self._timeout):
                heard[key] = self._now  # it takes a while until Tune knows
                self._give_up(trial, live[tracked][0], starts)
        self._heard = heard

    def _advance(self) -> None:
        before, self._before = self._before, self._clock()
        self._now += min(self._before - before, LISTENING)

    def _give_up(self, trial: Trial, actor: Any, starts: bool) -> None:
        seconds = max(self._timeout or 0.0, START_SECONDS if starts else 0.0)
        what = "did not start within" if starts else "finished no batch for"
        self._silences[trial.trial_id] = (
            f"the trial {what} {seconds:g} s (failures.no_report_timeout), and was given up"
        )
        with contextlib.suppress(Exception):  # it died meanwhile
            ray.kill(actor)
