"""What several figures need and is worked out once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from raytune_nn.report.study import Study

T = TypeVar("T")


def once_a_study(function: Callable[[Study], T]) -> Callable[[Study], T]:
    """Remembers what the function said of the study that it was asked about last, as long as there is that study."""
    answers: weakref.WeakValueDictionary[int, Study] = weakref.WeakValueDictionary()
    latest: dict[int, T] = {}

    @wraps(function)
    def ask(study: Study) -> T:
        if answers.get(id(study)) is not study:
            latest.clear()
            latest[id(study)] = function(study)
            answers[id(study)] = study
        return latest[id(study)]

    return ask
