"""The head of the page: who leads, how far ahead, at what cost, and what to type to have it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from raytune_nn import __version__
from raytune_nn.report.commands import commands, reproduce_command, tensorboard
from raytune_nn.report.page.costs import gpus_of_trial, saved_epochs, states
from raytune_nn.report.page.durations import format_seconds
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, format_results, rank
from raytune_nn.store.trial import TrialRecord

ENDS = ("complete", "failed")  # a study's states in which nothing more comes of itself


class Card(NamedTuple):
    """A key number."""

    title: str
    number: str
    detail: str


def is_over(study: Study) -> bool:
    """Whether the study has ended, so that who leads has won."""
    return study.record.status in ENDS


def leaders(study: Study) -> list[TrialRecord]:
    """Best first: of a study that ended those that may win, of another one all with a value.

    Of several metrics the Pareto front comes first.
    """
    record = study.record
    if is_over(study):
        may_lead = [trial for trial in rank(record) if record.may_win(trial)]
        if record.best is not None:  # among equals the one that ended first
            may_lead.sort(key=lambda trial: trial is not record.best)
        return may_lead
    return [trial for trial in rank(record) if trial.value is not None and trial.state not in ("failed", "diverged")]


def cards(study: Study) -> list[Card]:
    """The numbers that people look for first."""
    return [*_leading(study), *_spent(study)]


def verdict(study: Study) -> str:
    """Who won, and by how much, in a sentence."""
    record, leading = study.record, leaders(study)
    if not leading:
        return "No trial has a value."
    first = leading[0]
    metric, value = record.objective.metric, format_results(first, record)[0]
    verb = "won" if is_over(study) else "leads so far"
    told = f"Trial {first.id} {verb} with {metric} = {value}{_where(first, study)}"
    if record.objective.further:
        return f"{told}; {counted(len(record.front), 'trial')} on the Pareto front, of which no other is better by all."
    if len(leading) == 1:
        return f"{told}; no other trial has a value."
    return f"{told}, {_behind(first, leading[1])} ahead of trial {leading[1].id}."


def to_type(study: Study) -> list[tuple[str, str]]:
    """What each command does, and the command."""
    leading = leaders(study)
    rows = []
    if leading:
        which = "the winner" if is_over(study) else "the leading trial"
        rows.append((f"Train {which} again and compare", reproduce_command(study.folder, leading[0].id)))
    resume = commands(study.folder, str(study.record.study.get("command", "")))[0]
    rows.append(("Show the study again" if is_over(study) else "Go on with the study", resume))
    rows.append(("Open the runs in TensorBoard", tensorboard(study.folder)))
    return rows


def notices(study: Study) -> Iterator[str]:
    """What a reader has to know before anything else."""
    record = study.record
    if record.status == "running":
        last = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(study.events[-1]["time"])) if study.events else "-"
        yield f"This study had not ended when the page was made; its last event is of {last}."
    elif record.status == "interrupted":
        yield "This study was interrupted, and can go on: the command stands below."
    elif not leaders(study):
        yield "No trial of this study has a value: what went wrong stands below."
    if record.reason and record.reason != record.status:
        begins = "No trial begins for now" if record.status == "running" else "It ended since"
        yield f"{begins}: {record.reason}."
    by = record.study.get("versions", {}).get("raytune_nn", __version__)
    if by != __version__:
        yield f"The study is of raytune_nn {by}, this page of {__version__}."
    if study.settings is None:
        yield "Its config.yaml is of another version: what follows from the settings is left out."


def _leading(study: Study) -> Iterator[Card]:
    record, leading = study.record, leaders(study)
    goal = "higher is better" if record.objective.maximise else "lower is better"
    title = "Best" if is_over(study) else "Best so far"
    if not leading:
        yield Card(f"{title} {record.objective.metric}", "-", goal)
        return
    first, *others = leading
    value = format_results(first, record, digits=5)[0]
    yield Card(f"{title} {record.objective.metric}", value, f"trial {first.id}{_where(first, study)}; {goal}")
    if record.objective.further:
        yield Card("Pareto front", str(len(record.front)), "trials that no other beats by all metrics")
    elif others:
        behind = f"trial {others[0].id}, {_behind(first, others[0])} behind"
        yield Card("Runner-up", format_results(others[0], record, digits=5)[0], behind)


def _spent(study: Study) -> Iterator[Card]:
    record, saved = study.record, saved_epochs(study)
    yield Card("Trials", f"{len(record.trials):,}", states(study))
    part = f"early stopping saved {saved.epochs / saved.of:.0%}" if saved and saved.epochs else "of all trials"
    yield Card("Epochs trained", f"{record.epochs:,}", part)
    busy = f"{format_seconds(record.busy_seconds)} of training"
    if gpus := gpus_of_trial(study):
        busy += f", {record.gpu_hours(gpus):.3g} GPU-hours"
    yield Card("Time", format_seconds(record.wall_seconds), busy)


def _where(trial: TrialRecord, study: Study) -> str:
    folds = study.record.objective.folds
    return f" at epoch {trial.value_epoch}" if folds is None else f" over {counted(trial.folds, 'fold')}"


def _behind(first: TrialRecord, second: TrialRecord) -> str:
    if first.value is None or second.value is None:
        return "nothing"
    return f"{abs(first.value - second.value):.3g}"
