"""The course of one trial, as the doctor reads it, and how it is gathered from a journal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.space.merge import Branches, merge_params
from raytune_nn.store.journal import Event

READ = ("budget", "callbacks", "data", "init", "lr_scheduler", "model", "objective", "optimizer", "trainer")
PROBE = "probe/"  # before the names of what `raytune_nn.trial.callbacks.Probes` logs


@dataclass(frozen=True)
class History:
    """One trial: its configuration, and every metric of every report that led to its present weights."""

    id: str
    objective: Objective
    config: Mapping[str, Any]  # `READ`, the sampled values in it, and `search_space`; interpolations unresolved
    params: Mapping[str, Any]  # dotted path -> sampled value
    state: str  # as `TrialRecord.state`
    epochs: tuple[int, ...]  # of the reports, ascending
    series: Mapping[str, tuple[float, ...]]  # metric -> a value for each report, NaN where it was not logged

    @property
    def max_epochs(self) -> int:
        """Epochs of a training that is not cut short."""
        return int(self.config["budget"]["max_epochs"])

    @property
    def curve(self) -> tuple[float, ...]:
        """The leading metric of the objective."""
        return self.series.get(self.objective.metric, ())

    @property
    def value(self) -> float | None:
        """The trial's value by ``objective.take``, of reports whose value is finite; None where there is none."""
        finite = list(filter(math.isfinite, self.curve))
        if not finite:
            return None
        if self.objective.take is Take.last or self.objective.folds is not None:
            return finite[-1]
        return max(finite, key=self.objective.score)

    @property
    def probed(self) -> bool:
        """Whether probes were in the training."""
        return any(name.startswith(PROBE) for name in self.series)

    @property
    def cut_short(self) -> bool:
        """Whether less than half of the training is known: what it has not learnt yet, it may still have."""
        last = self.epochs[-1] if self.epochs else 0
        return self.state not in ("complete", "diverged") and 2 * last < self.max_epochs

    def setting(self, path: str) -> Any:
        """What the trial was configured with; None where there is no such key."""
        node: Any = self.config
        for part in path.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return None
            node = node[part]
        return node


@dataclass
class _Course:
    """What is known of a trial so far."""

    params: Mapping[str, Any]
    state: str = "waiting"
    epochs: list[int] = field(default_factory=list)
    metrics: list[Mapping[str, float]] = field(default_factory=list)
    saved: int = 0  # epoch of its last state

    def report(self, event: Event) -> None:
        """Adds a report; of an epoch that was reported before, it takes the place of what came from there on."""
        epoch = event["epoch"]
        if self.epochs and self.epochs[-1] >= epoch:
            self.forget(epoch - 1)
        self.epochs.append(epoch)
        self.metrics.append(event["metrics"])
        if event.get("saved"):
            self.saved = epoch

    def forget(self, epoch: int) -> None:
        """Drops the reports after an epoch: the training went on from there."""
        while self.epochs and self.epochs[-1] > epoch:
            self.epochs.pop()
            self.metrics.pop()


class Histories:
    """Gathers the histories of a study's trials, event by event; an event costs a constant time.

    Of a trial that took over another one's weights (population based training) the history is the other one's up to
    there: it tells how the present weights came about.

    Args:
        config: The study's composed configuration.
        branches: What each option of a chosen group composes to; the event ``opened`` has them, too.
    """

    def __init__(self, objective: Objective, config: Mapping[str, Any], branches: Branches | None = None) -> None:
        self._objective = objective
        self._config = config
        self._branches: Branches = branches or {}
        self._courses: dict[str, _Course] = {}
        self._configs: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}  # of these parameters

    @classmethod
    def of(cls, objective: Objective, config: Mapping[str, Any], events: Iterable[Event]) -> Histories:
        """Those of a whole journal."""
        histories = cls(objective, config)
        for event in events:
            histories.heard(event)
        return histories

    def __iter__(self) -> Iterator[str]:
        """The ids of the trials."""
        return iter(self._courses)

    def __contains__(self, trial: str) -> bool:
        """Whether it is known."""
        return trial in self._courses

    def drop(self, trial: str) -> None:
        """Forgets a trial, so that those of a long study do not add up."""
        self._courses.pop(trial, None)
        self._configs.pop(trial, None)

    def heard(self, event: Event) -> None:
        """Takes an event in."""
        kind = event["type"]
        if kind == "reported":  # most are
            course = self._courses.get(event["trial"])
            if course is not None:
                course.report(event)
        elif kind == "opened":
            self._branches = event.get("branches", self._branches)
        elif kind == "suggested":
            self._courses[event["trial"]] = _Course(event["params"])
        elif event.get("trial") in self._courses:
            self._of_trial(kind, self._courses[event["trial"]], event)

    def history(self, trial: str) -> History:
        """A trial's history until now; its time grows with the trial's reports.

        Raises:
            KeyError: There is no such trial.
        """
        course = self._courses[trial]
        series = _series(course.metrics)
        config = self._config_of(trial, course.params)
        return History(trial, self._objective, config, course.params, course.state, tuple(course.epochs), series)

    def _config_of(self, trial: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._configs.get(trial)
        if known is None or known[0] is not params:
            known = self._configs[trial] = params, _merged(self._config, self._branches, params)
        return known[1]

    def _of_trial(self, kind: str, course: _Course, event: Event) -> None:
        if kind == "started":
            course.state = "running"
            course.forget(event.get("epoch", 0))
        elif kind == "resumed":
            self._resumed(course, event)
        elif kind == "fell_back" and event["params"] is not None:
            course.params = event["params"]
        elif kind == "decided" and event["decision"] == "pause":
            course.state = "paused"
        elif kind == "ended":
            course.state = event["state"]

    def _resumed(self, course: _Course, event: Event) -> None:
        course.state = "waiting"
        if event["params"] is not None:
            course.params = event["params"]
        source = self._courses.get(event["source"] or "")
        if source is not None:
            count = sum(epoch <= source.saved for epoch in source.epochs)
            course.epochs, course.metrics = source.epochs[:count], source.metrics[:count]
            course.saved = source.saved


def _series(reports: list[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Metric -> its values. Mostly all reports have the same ones, in the same order."""
    orders = set(map(tuple, reports))
    if len(orders) == 1:
        columns = zip(*(metrics.values() for metrics in reports), strict=True)
        return dict(zip(orders.pop(), columns, strict=True))
    known = dict.fromkeys(name for metrics in reports for name in metrics)
    return {name: tuple(metrics.get(name, math.nan) for metrics in reports) for name in known}


def _merged(config: Mapping[str, Any], branches: Branches, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with these values; those of groups that are not read are left out.

    Groups in which nothing is sampled are the study's own: no copy a trial.
    """
    read = {name: config[name] for name in READ if name in config}
    sampled = {path: value for path, value in params.items() if _group(path) in read}
    groups = {name: read[name] for name in dict.fromkeys(map(_group, sampled))}
    return {**read, **merge_params(groups, branches, sampled), "search_space": config.get("search_space", {})}


def _group(path: str) -> str:
    return path.partition(".")[0]
