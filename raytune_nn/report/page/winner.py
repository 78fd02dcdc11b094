"""The winner beside its runner-up, or the Pareto front: what they reached, what they took, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from raytune_nn.report.page.durations import format_seconds
from raytune_nn.report.page.summary import is_over, leaders
from raytune_nn.report.study import Study
from raytune_nn.report.tables import format_results, format_value
from raytune_nn.store.trial import TrialRecord

SHOWN_OF_FRONT = 12


@dataclass(frozen=True)
class Line:
    """What is compared, and of each trial what it has there; empty where it has none."""

    name: str
    values: list[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class Comparison:
    """Trials side by side."""

    title: str
    trials: list[str]  # headings
    facts: list[Line]
    params: list[Line]


def compare_leaders(study: Study) -> Comparison | None:
    """The two best trials, or the front of several metrics; None where no trial has a value."""
    record, leading = study.record, leaders(study)
    if not leading:
        return None
    several = bool(record.objective.further)
    shown = leading[: min(max(1, len(record.front)), SHOWN_OF_FRONT)] if several else leading[:2]
    roles = [""] * len(shown) if several else [", winner" if is_over(study) else ", leads", ", runner-up"]
    paths = sorted({path for trial in shown for path in trial.value_params})
    return Comparison(
        "The Pareto front" if several else "Winner and runner-up" if is_over(study) else "In the lead",
        [f"trial {trial.id}{role}" for trial, role in zip(shown, roles, strict=False)],
        _facts(shown, study),
        [Line(path, [_parameter(trial, path) for trial in shown]) for path in paths],
    )


def _facts(trials: list[TrialRecord], study: Study) -> list[Line]:
    results = [format_results(trial, study.record) for trial in trials]
    goals = study.record.objective.goals
    values = [Line(goal.metric, [texts[index] for texts in results]) for index, goal in enumerate(goals)]
    trained = [f"{trial.epochs:,} {_how_long(trial)}" for trial in trials]
    at = [str(trial.value_epoch) for trial in trials]
    folds = [f"{trial.folds}" for trial in trials]
    where = Line("at epoch", at) if study.record.objective.folds is None else Line("folds", folds)
    return [*values, where, Line("epochs trained", trained), Line("state", [trial.state for trial in trials])]


def _how_long(trial: TrialRecord) -> str:
    return "taken over" if trial.cached else f"in {format_seconds(trial.seconds)}"


def _parameter(trial: TrialRecord, path: str) -> str:
    return format_value(trial.value_params[path]) if path in trial.value_params else ""
