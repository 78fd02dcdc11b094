"""The texts at the end of a study: winner and table of trials."""

from __future__ import annotations

from raytune_nn.report.commands import place
from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import BY_HAND, StudyRecord
from raytune_nn.store.trial import TrialRecord

SHOWN_TRIALS = 10


def winner(record: StudyRecord, folder: StudyFolder) -> str:
    """The best trial or the Pareto front: values, parameters, and what the study took."""
    best = record.best
    if best is None:
        return "no trial has a value"
    lines = _front_lines(record) if record.objective.further else _best_lines(best, record)
    states = ", ".join(f"{record.counts[state]} {state}" for state in record.counts if record.counts[state])
    took = f"{counted(record.epochs, 'epoch')}, {record.wall_seconds:.1f} s"
    since = f"; ended since {record.reason}" if record.reason else ""
    lines.append(f"\n{counted(len(record.trials), 'trial')} ({states}), {took}{since}")
    alone = [trial.id for trial in record.trials.values() if trial.alone]
    if alone:
        lines.append(f"out of memory on a shared GPU, so tried again with one to themselves: {_listed(alone)}")
    if cached := sum(trial.cached != "" for trial in record.trials.values()):
        lines.append(f"taken over from earlier trials, not trained: {counted(cached, 'trial')}")
    by_hand = [trial.id for trial in record.trials.values() if trial.state == "stopped" and trial.reason == BY_HAND]
    if by_hand:
        lines.append(f"stopped by hand: {_listed(by_hand)}")
    lost = best.model_damage and not (folder.best / MODEL).is_file()
    lines += _fallen(record)
    if lost:
        why = f"checkpoints/{best.checkpoint}/{MODEL}: {best.model_damage}"
        lines.append(f"no model in best/, since it is damaged ({why}); its configuration is there, to train it again")
    elif folder.best.is_dir():
        which = f" of trial {best.id}, the best by {record.objective.metric}," if record.objective.further else ""
        lines.append(f"model{which} in {place(folder, folder.best)}")
    return "\n".join(lines)


def damage_line(event: Event) -> str:
    """A file of checkpoints that could not be used, and what becomes of its trial."""
    where = f"{event['file']}: {event['why']}"
    if event["type"] == "damaged":
        return f"the model of trial {event['trial']} is damaged, {where}"
    then = f"goes on from epoch {event['epoch']}" if event["epoch"] else "begins anew"
    return f"trial {event['trial']} cannot go on from {where}; it {then}"


def _fallen(record: StudyRecord) -> list[str]:
    """How often trials went on from an earlier state than their last."""
    trials = [event["trial"] for event in record.damages if event["type"] == "fell_back"]
    if not trials:
        return []
    states = counted(len(trials), "training state")
    return [f"{states} could not be used, so epochs were trained again: {_listed(list(dict.fromkeys(trials)))}"]


def _best_lines(best: TrialRecord, record: StudyRecord) -> list[str]:
    where = f"at epoch {best.value_epoch}" if record.objective.folds is None else f"over {best.folds} folds"
    lines = [f"\nbest  trial {best.id}: {named_results(best, record)} {where}"]
    return lines + [f"      {path} = {format_value(value)}" for path, value in best.value_params.items()]


def _front_lines(record: StudyRecord) -> list[str]:
    """What no other trial beats by all metrics, best first by the first one."""
    front = record.front
    lines = [f"\nPareto front of {counted(len(front), 'trial')}, best first by {record.objective.metric}"]
    for trial in front[:SHOWN_TRIALS]:
        lines.append(f"  trial {trial.id}: {named_results(trial, record)} at epoch {trial.value_epoch}")
        lines += [f"      {_params(trial)}"] if trial.value_params else []
    if len(front) > SHOWN_TRIALS:
        lines.append(f"  … and {len(front) - SHOWN_TRIALS} more in summary.json")
    return lines


def trials_table(record: StudyRecord) -> str:
    """The best trials, a line each, best first; a star marks the Pareto front of several metrics."""
    ranked = rank(record)[:SHOWN_TRIALS]
    stars = {trial.id for trial in record.front} if record.objective.further else set()
    wide = 14 if record.objective.folds is None else 22
    widths = [max(wide - 1, len(goal.metric)) for goal in record.objective.goals]
    marks = {trial.id: " (cached)" if trial.cached else "" for trial in ranked}
    wide_state = 10 + max(map(len, marks.values()), default=0)
    names = "".join(f" {goal.metric:>{width}}" for goal, width in zip(record.objective.goals, widths, strict=True))
    lines = [f"{'trial':>6}  {'state':<{wide_state}}{names}{'epochs':>8}{'seconds':>9}  parameters"]
    for trial in ranked:
        values = "".join(f" {text:>{width}}" for text, width in zip(format_results(trial, record), widths, strict=True))
        name = f"{'* ' if trial.id in stars else ''}{trial.id}"
        state = f"{trial.state}{marks[trial.id]}"
        numbers = f"{trial.epochs:>8}{trial.seconds:>9.1f}"
        lines.append(f"{name:>6}  {state:<{wide_state}}{values}{numbers}  {_params(trial)}")
    if len(record.trials) > len(ranked):
        lines.append(f"… and {len(record.trials) - len(ranked)} more in trials.csv")
    if stars:
        lines.append("* on the Pareto front")
    return "\n".join(lines)


def rank(record: StudyRecord) -> list[TrialRecord]:
    """All trials, those with a value first, the best of them at the top; a mean of all folds before that of a few.

    Of several metrics the Pareto front comes first, and the first metric says what is best.
    """
    objective = record.objective
    front = {trial.id for trial in record.front}

    def key(trial: TrialRecord) -> tuple[bool, bool, bool, float]:
        has_value = trial.value is not None and trial.state != "failed"
        return (
            bool(objective.further) and trial.id not in front,
            not has_value,
            not record.has_all_folds(trial),
            -objective.score(trial.value) if has_value and trial.value is not None else 0.0,
        )

    return sorted(record.trials.values(), key=key)


def _listed(trials: list[str]) -> str:
    ids = ", ".join(trials[:5]) + (", …" if len(trials) > 5 else "")
    return f"trial{'s' if len(trials) > 1 else ''} {ids}"


def format_results(trial: TrialRecord, record: StudyRecord, digits: int = 6) -> list[str]:
    """A trial's value by each metric as a person reads it; empty texts where it has none.

    Behind it stands the standard deviation over the folds, where there are some.
    """
    values = record.values(trial)
    if values is None:
        return [""] * len(record.objective.goals)
    std = record.std(trial)
    return [f"{value:.{digits}g}" + ("" if std is None else f" ± {std:.2g}") for value in values]


def named_results(trial: TrialRecord, record: StudyRecord) -> str:
    """The same in one line, each behind its metric's name."""
    texts = format_results(trial, record)
    return ", ".join(f"{goal.metric} = {text}" for goal, text in zip(record.objective.goals, texts, strict=True))


def _params(trial: TrialRecord) -> str:
    return " ".join(f"{path}={format_value(item)}" for path, item in trial.value_params.items())


def counted(number: float, thing: str) -> str:
    """How many there are: ``1 trial``, ``0.5 CPUs``."""
    shown = str(number) if isinstance(number, int) else f"{number:g}"
    return f"{shown} {thing}{'' if number == 1 else 's'}"


def format_value(value: object) -> str:
    """A parameter as a person reads it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
