"""What Optuna remembers of trials, where one that goes on after a pause is not to count twice."""

from __future__ import annotations

from collections.abc import Container

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


class Records(InMemoryStorage):
    """Optuna's own storage, less what was dropped: it takes no end of a trial back."""

    def __init__(self) -> None:
        super().__init__()
        self._dropped: set[int] = set()

    def drop(self, number: int) -> None:
        """Let no sampler see this trial any more."""
        self._dropped.add(number)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials that were not dropped, in the order of their numbers."""
        trials = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in trials if trial.number not in self._dropped] if self._dropped else trials
