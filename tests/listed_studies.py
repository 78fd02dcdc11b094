"""Studies of a command on a Ray that runs already, with the trials of a list where one is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from command_line import inside

from raytune_nn.config.compose import Composed
from raytune_nn.errors import RaytuneError
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.session import open_study


class Listed(Searcher):
    """Suggests a fixed list."""

    def __init__(self, params: list[dict[str, Any]]) -> None:
        self._params = params

    def suggest(self, number: int) -> dict[str, Any] | None:
        return self._params[number] if number < len(self._params) else None


@dataclass(frozen=True)
class Ended:
    """A study after its end."""

    record: StudyRecord
    fault: RaytuneError | None
    events: list[Event]
    folder: StudyFolder

    @property
    def trials(self) -> Mapping[str, TrialRecord]:
        return self.record.trials

    @property
    def states(self) -> list[str]:
        return [trial.state for trial in self.trials.values()]

    def of(self, kind: str, trial: str | None = None) -> list[Event]:
        """The events of a kind, all of them or a trial's."""
        return [event for event in self.events if event["type"] == kind and trial in (None, event["trial"])]

    def metrics(self, trial: str) -> list[Mapping[str, float]]:
        """Of each report of a trial."""
        return [event["metrics"] for event in self.of("reported", trial)]


def run_on(
    scratch: str, overrides: Sequence[str], does: Mapping[float, str] | None, cpus: float | None = None
) -> Ended:
    """Runs a study to its end.

    Args:
        scratch: Of the Ray that runs.
        does: What each trial does (``model.does``), by its value (``model.value``); None: what the search says.
        cpus: Of a trial, in place of the configuration's: fewer at once, each with the threads that it has there.
    """
    from raytune_nn.study.tuner import run_study

    checked = inside(lambda composed: preflight(_on_two_cores(composed)), *overrides)
    plan, resources = checked.plan, checked.plan.settings.resources
    if does is not None:
        params = [{"model.value": value, "model.does": what} for value, what in does.items()]
        plan = replace(plan, searcher=Listed(params), num_trials=len(params))
    if cpus is not None:
        resources = replace(resources, cpus=cpus)
    with open_study(plan, checked.folder, lambda event, record: None) as conductor:
        run_study(conductor, checked.plan.context(checked.folder), checked.targets, resources, scratch, lambda: None)
        conductor.close(interrupted=False)
    return Ended(conductor.record, conductor.fault, list(read_journal(checked.folder.journal)), checked.folder)


def _on_two_cores(composed: Composed) -> Composed:
    composed.settings.cluster.cpus = 2.0
    return composed
