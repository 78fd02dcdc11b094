"""Parameters whose best values press against a bound of the search space: the optimum may lie outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.report.doctor.actions import in_space, shown
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.signals import finite, number
from raytune_nn.report.doctor.thresholds import BEST_SHARE, BY_CHANCE, LEAST_BEST, NEAR_BOUND
from raytune_nn.space.domains import Domain, LogRandInt, LogUniform
from raytune_nn.space.space import Space

_SOURCE = "Bergstra & Bengio 2012, Random Search for Hyper-Parameter Optimization, section 5; Smith 2018, section 4"


def pressed(histories: Sequence[History], space: Space) -> list[Finding]:
    """A finding for each bound at which more of the best trials are than by chance (a binomial test, one-sided).

    Ranges only: the options of a choice have no order. A parameter of a branch is judged by the trials of that branch.
    Of several objectives each has its own best trials, and one is enough.
    """
    found: dict[tuple[str, str], Finding] = {}
    scores = [_scores(histories, goal) for goal in range(_goals(histories))]
    for path, domain, chosen in space.paths():
        low, high = getattr(domain, "low", None), getattr(domain, "high", None)
        if low is None or high is None or low == high:
            continue
        of_branch = [history for history in histories if _has(history, path, chosen)]
        for score in scores:
            for finding in _of(path, domain, _best(of_branch, score)):
                found.setdefault((path, finding.action), finding)
    return list(found.values())


def enough(histories: Sequence[History]) -> bool:
    """Whether there are trials enough to tell."""
    valued = (history for history in _ended(histories) if any(map(math.isfinite, history.curve)))
    return len(list(islice(valued, 2 * LEAST_BEST))) == 2 * LEAST_BEST


def _has(history: History, path: str, chosen: dict[str, str]) -> bool:
    return path in history.params and all(history.params.get(group) == name for group, name in chosen.items())


def _goals(histories: Sequence[History]) -> int:
    return len(histories[0].objective.goals) if histories else 0


def _scores(histories: Sequence[History], goal: int) -> dict[str, float | None]:
    return {history.id: _value(history, goal) for history in histories}


def _best(histories: Sequence[History], scores: Mapping[str, float | None]) -> list[History]:
    """The best quarter by one metric; a few at least."""
    valued = [(value, history) for history in _ended(histories) if (value := scores[history.id]) is not None]
    valued.sort(key=lambda pair: pair[0], reverse=True)
    if len(valued) < 2 * LEAST_BEST:
        return []
    return [history for _, history in valued[: max(LEAST_BEST, round(BEST_SHARE * len(valued)))]]


def _ended(histories: Sequence[History]) -> Iterator[History]:
    """Those that are not lost, and have begun."""
    return (history for history in histories if history.state in ("complete", "stopped", "paused", "running"))


def _value(history: History, goal: int) -> float | None:
    """The best of a metric, higher for better."""
    objective: Objective = history.objective
    metric, maximise = objective.goals[goal]
    values = finite(history.series.get(metric, ()))
    if not values:
        return None
    return max(values) if maximise else -min(values)


def _of(path: str, domain: Domain, best: Sequence[History]) -> Iterable[Finding]:
    """What is to be said of the two ends of a range."""
    if not best:
        return
    low, high = _ends(domain)
    values = [_scaled(domain, history.params[path]) for history in best]
    for side, bound, other in (("high", high, low), ("low", low, high)):
        near = [value for value in values if (value - bound) / (other - bound) <= NEAR_BOUND]
        action = _wider(path, domain, side, best[0])
        if action is not None and _by_chance(domain, len(near), len(values)) <= BY_CHANCE:
            typed = getattr(domain, side)
            listed = ", ".join(number(history.params[path]) for history in best[:5])
            evidence = f"{len(near)} of the {len(best)} best trials are near {path} {side}={typed:g}: {listed}"
            yield Finding(Kind.bound, 0, evidence, action, _SOURCE)


def _by_chance(domain: Domain, near: int, count: int) -> float:
    """How likely so many of the trials are near one end, if they were drawn from the domain."""
    from scipy.special import bdtrc  # type: ignore[import-untyped]  # not at every start; scipy.stats takes a second

    size = domain.size()
    share = NEAR_BOUND if size is None else max(NEAR_BOUND, 1 / size)  # of few numbers, one is a large share
    return float(bdtrc(near - 1, count, share)) if near else 1.0


def _ends(domain: Any) -> tuple[float, float]:
    return _scaled(domain, domain.low), _scaled(domain, domain.high)


def _scaled(domain: Domain, value: float) -> float:
    """On the scale on which the domain is even."""
    return math.log(value) if isinstance(domain, (LogUniform, LogRandInt)) else float(value)


def _wider(path: str, domain: Any, side: str, of: History) -> str | None:
    """An override that moves the bound; None where it cannot go further, or was typed as a text."""
    found = in_space(of, path)
    if found is None:
        return None
    low, high, value = domain.low, domain.high, getattr(domain, side)
    if isinstance(domain, (LogUniform, LogRandInt)):
        new = value * 10 if side == "high" else value / 10
    else:
        new = high + (high - low) if side == "high" else low - (high - low)
        if side == "low" and low >= 0 > new:  # what began positive is a size, a share, a count
            new = low / 2
        if side == "high" and 0 <= low < high < 1 <= new:  # a share, such as momentum, may not reach 1
            new = (1 + high) / 2
    if isinstance(value, int):
        new = max(1, round(new)) if low >= 1 else round(new)
    if path.endswith("dropout"):
        new = min(0.9, new)
    return None if new == value else f"{found[0]}.{side}={shown(new)}"
