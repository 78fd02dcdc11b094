"""What counts as an improvement, and whose failure to be one counts."""

from __future__ import annotations

import math

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.stagnation import Stagnation

ONE = Objective("loss", False, Take.best)
TWO = Objective("val_acc", True, Take.best, further=(Goal("loss", False),))


def test_each_trial_counts_once_until_a_better_value_comes() -> None:
    found = Stagnation(ONE)
    counts = []
    for trial, loss in [("0", 0.5), ("1", 0.6), ("1", 0.55), ("2", 0.5), ("3", None), ("1", 0.4), ("0", 0.4)]:
        found.left(trial, None if loss is None else (loss,))
        counts.append(found.trials)
    assert counts == [0, 1, 1, 2, 3, 0, 1], "an equal value is no improvement"


def test_nothing_counts_before_there_is_a_winner() -> None:
    found = Stagnation(ONE)
    for trial in "012":
        found.left(trial, None)
    found.left("3", (math.nan,))
    assert found.trials == 0


def test_of_several_metrics_the_front_improves() -> None:
    found = Stagnation(TWO)
    counts = []
    for trial, values in enumerate([(0.5, 0.5), (0.6, 0.6), (0.5, 0.7), (0.6, 0.4), (0.5, 0.5)]):
        found.left(str(trial), values)
        counts.append(found.trials)
    assert counts == [0, 0, 1, 0, 1], "the last was on the front until the one before"
