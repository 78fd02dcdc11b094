"""A study of Optuna's that holds just the trials it was given, the same one perhaps several times."""

from __future__ import annotations

from collections.abc import Container, Sequence

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


class _Given(InMemoryStorage):
    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._given = list(trials)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._given


def resampled(trials: Sequence[FrozenTrial]) -> optuna.Study:
    """The study; a higher value is better. Its trials are complete, and are not to be changed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(storage=_Given(trials), direction="maximize")
