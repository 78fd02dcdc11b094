"""Trains a trial of a study again and compares every metric of every report."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from typing import Any

from raytune_nn.config.compose import Composed, resolved, type_config
from raytune_nn.errors import ConfigError, NotReproducedError
from raytune_nn.modes.existing import best_trial, find_trial, open_existing
from raytune_nn.report.tables import counted
from raytune_nn.space.merge import merge_params
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.resume import stored_config
from raytune_nn.trial.ctrl_c import raise_if_interrupted
from raytune_nn.trial.targets import check_targets
from raytune_nn.trial.task import Report, StudyContext, TrialTask

Metrics = Mapping[str, float]


def reproduce(composed: Composed) -> None:
    """Repeats ``study.trial``, or the best, in this process; the study itself is not touched.

    Raises:
        ConfigError: There is no such study or trial, the trial failed before its first report, or it went on from
            another trial's state or with other parameters, which no training from the beginning can repeat; or
            its trials have several workers.
        NotReproducedError: A metric differs; the message names the first.
    """
    folder, record = open_existing(composed)
    trial = _chosen(composed, record)
    recorded = _reports(folder, trial)
    if not recorded:
        raise ConfigError("study.trial must be a trial that reported", f"{trial.id}: {trial.reason}", "study.trial=0")
    repeated = _train_again(folder, record, trial, len(recorded))
    for epoch, (before, now) in enumerate(zip(recorded, repeated, strict=False), start=1):
        difference = first_difference(before, now)
        if difference:
            raise NotReproducedError(
                f"trial {trial.id} must give the metrics that it gave", f"report {epoch}: {difference}"
            )
    if len(repeated) < len(recorded):
        raise NotReproducedError(
            f"trial {trial.id} must make its {counted(len(recorded), 'report')} again", f"it made {len(repeated)}"
        )
    print(f"reproduced: trial {trial.id}, {counted(len(recorded), 'report')}, every metric equal to the last bit")


def first_difference(before: Metrics, now: Metrics) -> str:
    """The first metric that differs between two reports, in words; empty where none does. NaN equals NaN."""
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        both_nan = old is not None and new is not None and math.isnan(old) and math.isnan(new)
        if old != new and not both_nan:
            return f"{name} was {old!r}, is {new!r}"
    return ""


def _chosen(composed: Composed, record: StudyRecord) -> TrialRecord:
    wanted = composed.settings.study.trial
    return best_trial(record) if wanted is None else find_trial(record, wanted)


def _reports(folder: StudyFolder, trial: TrialRecord) -> list[Metrics]:
    """The metrics of the trial's last attempt, report by report; with those before a state from which it went on."""
    reports: list[tuple[int, Metrics]] = []
    mixed = ""
    for event in read_journal(folder.journal):
        if event.get("trial") != trial.id:
            continue
        if event["type"] == "started":
            begins = event.get("epoch", 0)
            reports = [(epoch, metrics) for epoch, metrics in reports if epoch <= begins]
            mixed = mixed if begins else ""
        elif event["type"] == "reported":
            reports.append((event["epoch"], event["metrics"]))
        elif event["type"] == "resumed" and event["source"] is not None:
            mixed = f"trial {trial.id} took over the weights of trial {event['source']}"
        elif event["type"] == "resumed" and event["params"] is not None:
            mixed = f"trial {trial.id} went on with other parameters"
    if mixed:
        rule = "study.trial must be a trial with weights and parameters of its own"
        raise ConfigError(rule, mixed, "another study.trial")
    return [metrics for _, metrics in reports]


def _train_again(folder: StudyFolder, record: StudyRecord, trial: TrialRecord, count: int) -> list[Metrics]:
    """The same training, in a folder of its own, as far as the trial came."""
    from raytune_nn.trial.fit import run_trial
    from raytune_nn.trial.instantiate import locate_all
    from raytune_nn.trial.isolation import Isolation, trial_threads

    config: dict[str, Any] = {**stored_config(folder), "logger": {}}  # the trial's run there is as it was
    settings = type_config(config).settings
    branches = record.study.get("branches", {})
    if settings.resources.workers > 1:
        rule = "mode=reproduce trains with one worker, so the study's trials must have had one"
        raise ConfigError(rule, f"resources.workers={settings.resources.workers}", "another study.name")
    check_targets(resolved(merge_params(config, branches, trial.params)), settings.security.allow_targets)
    locate_all(config, branches)
    reports: list[Metrics] = []

    def send(report: Report) -> bool:
        reports.append(report.metrics)
        return len(reports) < count

    with tempfile.TemporaryDirectory(prefix="rtnn-") as scratch:
        context = StudyContext(config, branches, record.objective, scratch, None)
        isolation = Isolation(trial_threads(config))
        try:
            run_trial(context, TrialTask(trial.id, trial.params, front=()), isolation, send)
        except (Exception, SystemExit) as error:
            raise_if_interrupted(error)
            raise NotReproducedError(
                f"trial {trial.id} must make its {counted(count, 'report')} again",
                f"{type(error).__name__} after {len(reports)}: {error}",
            ) from error
    return reports
