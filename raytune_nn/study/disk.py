"""What a study needs of the disk at most, known before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from raytune_nn.config.schema import KeepStates
from raytune_nn.study.session import StudyPlan
from raytune_nn.trial.task import Size

REPORT, TRIAL = 1_000, 10_000  # bytes of journal and TensorBoard: a line and a few scalars; parameters and the file


@dataclass(frozen=True)
class Disk:
    """The peak of a study.

    Args:
        models: Files of a model, those being written counted.
        states: The same of training states.
        other: Bytes of journal and TensorBoard.
    """

    size: Size
    models: int
    states: int
    other: int

    @property
    def total(self) -> int:
        """In bytes."""
        return self.models * self.size.model + self.states * self.size.state + self.other


def peak(plan: StudyPlan, slots: int, size: Size) -> Disk:
    """What is on the disk at most: what stays, what each slot has and is writing, and a copy of the best model.

    Modules that log each step, or save more than their weights, need more.

    Args:
        size: Of a trial's checkpoints.
    """
    trials, checkpoints = plan.num_trials, plan.settings.checkpoints
    slots, folds = min(slots, trials), plan.objective.folds
    all_kept = plan.objective.further or plan.scheduler.pauses  # what pauses keeps its model until it ends
    kept = trials if all_kept else min(trials, checkpoints.keep_best + slots)
    epochs = plan.settings.budget.max_epochs * (folds or 1)
    reports = trials * epochs
    fold_size = Size(size.model, REPORT * (folds or 1)) if folds else size  # between folds no weights are saved
    return Disk(fold_size, kept + slots + 1, _states(plan, slots, epochs), reports * REPORT + trials * TRIAL)


def _states(plan: StudyPlan, slots: int, epochs: int) -> int:
    """Those from which trials can go on: the last and the one before; those that stay, and those being written."""
    trials, checkpoints, pauses = plan.num_trials, plan.settings.checkpoints, plan.scheduler.pauses
    for_safety = checkpoints.every_minutes is not None or plan.settings.cluster.grace_seconds > 0
    copies = for_safety and plan.objective.folds is None and not plan.scheduler.copies
    if not (pauses or copies):
        return 0
    steps = plan.scheduler.decision_steps
    at_rungs = epochs if steps is None else min(len(steps), epochs)
    of_one = 2 if copies or plan.scheduler.copies else min(2, at_rungs)
    going_on = of_one * (trials if pauses else slots)
    if checkpoints.keep_states is KeepStates.rungs:  # a second name of a state takes no room
        return trials * at_rungs + (trials + slots if copies else 0) + slots
    ended = trials if checkpoints.keep_states is KeepStates.last and not pauses else 0
    return going_on + ended + slots
