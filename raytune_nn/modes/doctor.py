"""Says what is wrong with the trainings of a study, and what to try next; nothing is trained or written."""

from __future__ import annotations

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError
from raytune_nn.modes.existing import find_existing, find_trial, read_existing
from raytune_nn.report.collector import no_collector
from raytune_nn.report.commands import commands
from raytune_nn.report.doctor.examination import WHY_NOT, Examination, examine
from raytune_nn.report.doctor.texts import study_text, trial_text
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted


def doctor(composed: Composed) -> None:
    """Examines the study named by ``study.name``, or of it the one trial that ``study.trial`` names.

    Raises:
        ConfigError: There is no such study or trial, it has not reported, or its configuration cannot be read.
        UnusableError: Its journal is damaged, or the storage cannot be read.
    """
    with no_collector():
        study = read_existing(find_existing(composed))
        seen = _examined(study)
        wanted = composed.settings.study.trial
        if wanted is None:
            print(study_text(study, seen))
            return
        trial = find_trial(study.record, wanted)
        if trial.id not in seen.order:
            found = f"trial {trial.id} is {trial.state}{f': {trial.reason}' if trial.reason else ''}"
            raise ConfigError("study.trial must be a trial that has reported", found, f"study.trial={seen.order[0]}")
        print(trial_text(study, seen, trial.id))


def _examined(study: Study) -> Examination:
    seen = examine(study)
    if seen is None:
        rule = "a study must be of a version whose configuration this one can read, to be examined"
        raise ConfigError(rule, f"{study.folder.place}: {WHY_NOT}", "mode=report, or its own version")
    if not seen.order:
        rule = "a study must have a report before it can be examined"
        found = f"{counted(len(study.record.trials), 'trial')} in {study.folder.place}, and no report of any"
        raise ConfigError(rule, found, commands(study.folder, str(study.record.study.get("command", "")))[0])
    return seen
