"""Which configurations of a study `mode=confirm` trains again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raytune_nn.errors import ConfigError, NoSuccessfulTrialError
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, rank
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

SEED = "seed"  # path of the seed in a configuration, which a space may search as well


def candidates(study: Study, top: int) -> list[TrialRecord]:
    """The best ended trials, best first, each configuration once; of several metrics those of the Pareto front.

    Raises:
        ConfigError: One of them changed its parameters or took over weights, so no training from the beginning is it.
        NoSuccessfulTrialError: No trial has a value.
    """
    record = study.record
    chosen: dict[str, TrialRecord] = {}
    for trial in _ranked(record):
        if len(chosen) == top:
            break
        chosen.setdefault(configuration(trial.params), trial)
    if not chosen:
        found = f"{counted(len(record.trials), 'trial')} in {study.folder.place}, none with a value"
        raise NoSuccessfulTrialError("mode=confirm needs a trial that ended with a value", found)
    _check_own(study.events, [trial.id for trial in chosen.values()])
    return list(chosen.values())


def configuration(params: Mapping[str, Any]) -> str:
    """What tells configurations apart: the parameters but for the seed."""
    return json.dumps({path: params[path] for path in sorted(params) if path != SEED}, sort_keys=True)


def _ranked(record: StudyRecord) -> Sequence[TrialRecord]:
    if record.objective.further:
        return record.front
    return [trial for trial in rank(record) if trial.ended and record.may_win(trial)]


def _check_own(events: Iterable[Event], trials: Sequence[str]) -> None:
    for event in events:
        if event["type"] != "resumed" or event["trial"] not in trials:
            continue
        if event["source"] is None and event["params"] is None:  # it was paused, and went on as it was
            continue
        took = f"took over the weights of trial {event['source']}"
        found = f"trial {event['trial']} {took if event['source'] is not None else 'went on with other parameters'}"
        raise ConfigError(
            "mode=confirm trains configurations from the beginning, so the best trials must be of one each",
            f"{found}: it is a schedule of a population",
            "+search=random 'search.points=[{…}]' with the winner's last parameters, then mode=confirm of that study",
        )
