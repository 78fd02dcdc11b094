"""The studies of a storage as plain text: for a terminal of 80 columns, and for a pipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from raytune_nn.store.listing import ListedStudy

_ENDS = ("complete", "stopped", "diverged", "failed")
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_WIDEST = 15  # characters of a best value and its metric
_WORDS = {
    "dead": "its driver is gone without a word; the command that began it goes on with it",
    "invalid": "damaged, or it could not begin",
}


def study_list(studies: Sequence[ListedStudy], now: float) -> str:
    """A line a study: status, trials that ended, best value, time since it began, and name, which may be long.

    Args:
        now: Seconds since the epoch.
    """
    rows = [("status", "done", "best", "age", "study")]
    rows += [(study.status, _trials(study), _best(study), _age(study, now), _name(study)) for study in studies]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{status:<{widths[0]}}  {trials:>{widths[1]}}  {best:<{widths[2]}}  {age:>{widths[3]}}  {name}"
        for status, trials, best, age, name in rows
    ]
    seen = {study.status for study in studies}
    notes = [f"{status}: {words}" for status, words in _WORDS.items() if status in seen]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _trials(study: ListedStudy) -> str:
    counts = study.summary.get("counts")
    if not isinstance(counts, dict):
        return ""
    return str(sum(number for state in _ENDS if isinstance(number := counts.get(state), int)))


def _best(study: ListedStudy) -> str:
    best, objective = study.summary.get("best"), study.summary.get("objective")
    if not isinstance(best, dict) or not isinstance(value := best.get("value"), int | float):
        return ""
    metric: Any = objective.get("metric") if isinstance(objective, dict) else None
    name = str(metric[0] if isinstance(metric, list) and metric else metric or "")
    text = f"{value:.5g} {name}".rstrip()
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _age(study: ListedStudy, now: float) -> str:
    if not study.began:
        return ""
    seconds = max(0.0, now - study.began)
    unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length), _UNITS[-1])
    return f"{math.floor(seconds / length)} {unit}"


def _name(study: ListedStudy) -> str:
    return study.name if study.name.isprintable() else ascii(study.name)
