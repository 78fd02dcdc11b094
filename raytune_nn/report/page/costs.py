"""What a study has cost, and what ending trials early has saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from raytune_nn.report.page.durations import format_seconds
from raytune_nn.report.page.slots import pieces_of
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted


class Cost(NamedTuple):
    """A line of the table."""

    what: str
    amount: str
    meaning: str


class Saved(NamedTuple):
    """Epochs that trials which were cut short did not train."""

    epochs: int
    of: int  # that all trials would have trained, each with the whole budget


def costs(study: Study) -> list[Cost]:
    """Epochs, hours, GPU-hours, and what early stopping saved."""
    return [*_epochs(study), *_hours(study)]


def saved_epochs(study: Study) -> Saved | None:
    """Against every trial at full budget; None where that is not known.

    Counted are trials that were stopped, or are paused; what others did not train was not saved, but is missing.
    """
    whole = epochs_of_whole_trial(study)
    if whole is None:
        return None
    trials = study.record.trials.values()
    saved = sum(max(0, whole - trial.epochs) for trial in trials if trial.state in ("stopped", "paused"))
    return Saved(saved, whole * len(trials))


def epochs_of_whole_trial(study: Study) -> int | None:
    """What a trial trains that nothing ends early; None where the settings cannot be read."""
    if study.settings is None:
        return None
    return study.settings.budget.max_epochs * (study.record.objective.folds or 1)


def gpus_of_trial(study: Study) -> float:
    """GPUs that a trial holds."""
    resources = study.settings.resources if study.settings is not None else None
    return 0.0 if resources is None else resources.gpus * resources.workers


def states(study: Study) -> str:
    """How many trials are in each state, in words."""
    counts = study.record.counts
    return ", ".join(f"{counts[state]:,} {state}" for state in counts if counts[state])


def _epochs(study: Study) -> Iterator[Cost]:
    record = study.record
    yield Cost("Trials", f"{len(record.trials):,}", states(study))
    again = _trained_again(study)
    lost = f"{again:,} of them a second time, after a fault" if again else "all trials together"
    yield Cost("Epochs trained", f"{record.epochs:,}", lost)
    whole, saved = epochs_of_whole_trial(study), saved_epochs(study)
    if saved is None or whole is None:
        return
    yield Cost(
        "At full budget",
        f"{saved.of:,} epochs",
        f"{counted(len(record.trials), 'trial')} of {counted(whole, 'epoch')} each",
    )
    if saved.epochs:
        each = record.busy_seconds / record.epochs if record.epochs else 0.0
        yield Cost(
            "Saved by early stopping",
            f"{saved.epochs:,} epochs",
            f"{saved.epochs / saved.of:.0%} of the full budget, about {format_seconds(saved.epochs * each)}",
        )


def _hours(study: Study) -> Iterator[Cost]:
    record = study.record
    yield Cost("Time from start to end", format_seconds(record.wall_seconds), "while a driver ran")
    yield Cost("Time in training", format_seconds(record.busy_seconds), "summed over all slots")
    slots = len({piece.slot for piece in pieces_of(study.events)})
    if slots and record.wall_seconds:
        share = min(1.0, record.busy_seconds / (slots * record.wall_seconds))
        yield Cost("Slots", str(slots), f"in training for {share:.0%} of the time")
    if record.epochs:
        yield Cost("One epoch", format_seconds(record.busy_seconds / record.epochs), "mean of all trials")
    gpus = gpus_of_trial(study)
    if gpus or record.alone_seconds:
        yield Cost("GPU-hours", f"{record.gpu_hours(gpus):.3g}", f"{gpus:g} GPU for each trial")
    if lost := _lost_seconds(study):
        yield Cost("Spent on trials that failed or diverged", format_seconds(lost), "part of the time in training")


def _lost_seconds(study: Study) -> float:
    return sum(trial.seconds for trial in study.record.trials.values() if trial.state in ("failed", "diverged"))


def _trained_again(study: Study) -> int:
    """Epochs reported by a trial that had reported them before; one that copies another's state repeats nothing."""
    furthest: dict[str, int] = {}
    reached: dict[str, int] = {}
    again = 0
    for event in study.events:
        id = event.get("trial", "")
        if event["type"] == "started":
            reached[id] = event.get("epoch", 0)
        elif event["type"] == "resumed" and event["source"] is not None:
            furthest[id] = 0
        elif event["type"] == "reported":
            before = reached.get(id, 0)
            again += max(0, min(event["epoch"], furthest.get(id, 0)) - before)
            reached[id] = event["epoch"]
            furthest[id] = max(furthest.get(id, 0), event["epoch"])
    return again
