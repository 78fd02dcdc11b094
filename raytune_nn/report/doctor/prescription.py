"""The one next thing to type, as a whole command: what was typed before, with what the doctor advises."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from raytune_nn.report.commands import another_command, training_command
from raytune_nn.report.doctor.examination import Examination
from raytune_nn.report.doctor.finding import Finding
from raytune_nn.report.study import Study
from raytune_nn.store.trial import TrialRecord


def after_study(study: Study, seen: Examination) -> str:
    """The study again where the space ends too early, or its most common kind is to be mended; empty: nothing is to be.

    What the space samples cannot be set for all of its trials, so such advice stays with the trials.
    """
    actions = [finding.action for finding in seen.found.study]
    actions += [count.action for count in seen.found.counts[:1] if not actions and not _tunes(study, count.action)]
    overrides = _words(actions)
    probes = _words(one.action for one, _ in seen.unseen())
    return another_command(study.folder, _typed(study), *overrides, *probes) if overrides or probes else ""


def after_trial(study: Study, trial: TrialRecord, findings: Sequence[Finding]) -> str:
    """The trial trained alone, with what its first finding advises; empty where there is none.

    Where the advice is of the search space, the study again: its other trials would meet the same.
    """
    overrides = _words(finding.action for finding in findings[:1])
    if not overrides:
        return ""
    if any(word.startswith("search_space.") for word in overrides):
        return another_command(study.folder, _typed(study), *overrides)
    return training_command(study.folder, _typed(study), trial.params, *overrides)


def _typed(study: Study) -> str:
    return str(study.record.study.get("command", ""))


def _words(actions: Iterable[str]) -> list[str]:
    """The overrides, each once."""
    return list(dict.fromkeys(word for action in actions for word in shlex.split(action)))


def _tunes(study: Study, action: str) -> bool:
    """Whether the space samples what would be set."""
    paths = {path for trial in study.record.trials.values() for path in trial.params}
    return any(word.lstrip("+").partition("=")[0] in paths for word in shlex.split(action))
