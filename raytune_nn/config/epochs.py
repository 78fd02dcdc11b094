"""`${epochs:…}`: how long a trial is, for schedulers: it follows from the budget and the folds together."""

from __future__ import annotations

from typing import Any

EPOCHS = "epochs"
NAMES = ("trial", "first_report")


def epochs(name: str, *, _root_: Any) -> int:
    """Epochs of a whole trial, or those that it has trained at its first report.

    ``${epochs:trial}`` is ``budget.max_epochs``; with ``objective.folds``, times these.
    ``${epochs:first_report}`` is 1; with ``objective.folds`` a whole fold, since a trial then reports after each.

    Args:
        _root_: The whole configuration, given by OmegaConf.

    Raises:
        ValueError: An unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"epochs knows {' and '.join(NAMES)}, but not {name!r}")
    training, folds = int(_root_.budget.max_epochs), _root_.objective.folds
    if name == "first_report":
        return 1 if folds is None else training
    return training if folds is None else training * int(folds)
