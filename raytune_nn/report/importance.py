"""How much each parameter mattered, and how sure that is.

Optuna's PED-ANOVA (Watanabe et al. 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces") compares where the best trials lie with where all lie. It needs but the order of the values, so it bears
trials that were stopped early, and diverged ones, which are the worst; and it knows parameters that not every trial
has. It is asked about the study drawn anew from its own trials, with replacement, several times: how far the answers
differ is what so few trials leave open (Efron 1979, the bootstrap).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raytune_nn.report.once import once_a_study
from raytune_nn.report.study import Study
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, RandInt, Uniform
from raytune_nn.space.values import identity
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Importance = tuple[str, float, float]  # path; mean and standard deviation of its share of 1

LEAST = 10  # trials, below which nothing can be said
DRAWS = 20
AMONG_BEST = 5  # trials at least, for Optuna's default of a tenth is too few of a small study


def important(study: Study) -> list[Importance]:
    """The parameters by their importance for the leading metric, the greatest first; empty where ``unclear`` says why.

    The shares of all parameters add up to 1.
    """
    return importances(study)[0]


def unclear(study: Study) -> str:
    """Why nothing can be said of what mattered; empty where it can."""
    if important(study):
        return ""
    trials = [trial for trial in study.record.trials.values() if trial.value_params]
    count = len(_ranked(study, 0))
    if not trials:
        return "Nothing was tuned, so no parameter can matter."
    if count < LEAST:
        have = "1 trial has a value" if count == 1 else f"{count} trials have a value"
        return f"What mattered can be said from {LEAST} trials with a value on; {have}."
    return "The trials do not differ enough to say which parameter mattered."


@once_a_study
def importances(study: Study) -> list[list[Importance]]:
    """The same for each metric of the objective."""
    return [_importance(study, number) for number in range(len(study.record.objective.goals))]


def _importance(study: Study, number: int) -> list[Importance]:
    trials = _ranked(study, number)
    if len(trials) < LEAST or len({score for _, score in trials}) == 1:
        return []
    told = _told(study, trials)
    if not any(trial.params for trial in told):
        return []
    rng = np.random.default_rng(0)
    draws = [[told[place] for place in rng.integers(len(told), size=len(told))] for _ in range(DRAWS)]
    shares = [share for draw in draws if (share := _evaluate(draw))]
    paths = sorted({path for share in shares for path in share})
    table = {path: np.array([share.get(path, 0.0) for share in shares]) for path in paths}
    found = [(path, float(column.mean()), float(column.std(ddof=1))) for path, column in table.items()]
    return sorted(found, key=lambda entry: (-entry[1], entry[0])) if len(shares) > 1 else []


def _ranked(study: Study, number: int) -> list[tuple[TrialRecord, float]]:
    """Trials with their scores by one metric, higher for better; a diverged one is as bad as the worst."""
    record = study.record
    scores: list[tuple[TrialRecord, float | None]] = []
    for trial in record.trials.values():
        values = record.values(trial)
        if trial.state == "diverged":
            scores.append((trial, None))
        elif trial.state != "failed" and values is not None and np.isfinite(values[number]):
            scores.append((trial, record.objective.scores(values)[number]))
    known = [score for _, score in scores if score is not None]
    if not known:
        return []
    return [(trial, min(known) if score is None else score) for trial, score in scores]


def _told(study: Study, trials: Sequence[tuple[TrialRecord, float]]) -> list[FrozenTrial]:
    """The trials as Optuna knows them."""
    from optuna.trial import FrozenTrial, TrialState

    from raytune_nn.space.to_optuna import distribution_of, drawn_for

    seen = _seen([trial for trial, _ in trials])
    times: dict[str, Any] = {"datetime_start": None, "datetime_complete": None}
    empty: dict[str, Any] = {"user_attrs": {}, "system_attrs": {}, "intermediate_values": {}}
    told = []
    for number, (trial, score) in enumerate(trials):
        params = trial.value_params
        active = seen if study.space is None else study.space.active(params)
        known = {path: active[path] for path in params if path in active and active[path].contains(params[path])}
        content: dict[str, Any] = {
            "params": {path: drawn_for(domain, params[path]) for path, domain in known.items()},
            "distributions": {path: distribution_of(domain) for path, domain in known.items()},
        }
        told.append(FrozenTrial(number, TrialState.COMPLETE, score, **times, **content, **empty, trial_id=number))
    return told


def _seen(trials: Sequence[TrialRecord]) -> dict[str, Domain]:
    """Domains that hold what was tried, for a space that cannot be read."""
    values: dict[str, list[Any]] = {}
    for trial in trials:
        for path, value in trial.value_params.items():
            values.setdefault(path, []).append(value)
    return {path: _around(found) for path, found in values.items()}


def _around(values: Sequence[Any]) -> Domain:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        kind = RandInt if all(isinstance(value, int) for value in values) else Uniform
        return kind(min(values), max(values))
    return Choice(tuple({identity(value): value for value in values}.values()))


def _evaluate(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """The share of each parameter that these trials have; empty where there is no difference to explain."""
    from optuna.importance import PedAnovaImportanceEvaluator

    from raytune_nn.report.resampled import resampled

    share = min(0.5, max(0.1, AMONG_BEST / len(trials)))
    names = sorted({name for trial in trials for name in trial.params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a draw has too few of; the spread says it
        found = PedAnovaImportanceEvaluator(target_quantile=share).evaluate(resampled(trials), params=names)
    total = sum(found[name] for name in names)
    return {name: found[name] / total for name in names} if total > 0 else {}
