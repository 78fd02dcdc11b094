"""Shows an existing study again, and writes its page and its tables anew from the journal."""

from __future__ import annotations

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError
from raytune_nn.modes.existing import find_existing, read_existing
from raytune_nn.report.collector import no_collector
from raytune_nn.report.commands import commands, report_line
from raytune_nn.report.exports import leave_exports
from raytune_nn.report.failures import failures
from raytune_nn.report.page.render import write_report
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, trials_table, winner
from raytune_nn.study.results import write_results


def report(composed: Composed) -> None:
    """Reads the study named by ``study.name`` under ``study.storage``; nothing is trained.

    Raises:
        ConfigError: There is no such study, or nothing is known of any trial; what is there is written all the same.
        UnusableError: Its journal is damaged, or its folder cannot be written.
    """
    with no_collector():
        _report(read_existing(find_existing(composed)))


def _report(study: Study) -> None:
    folder, record = study.folder, study.record
    if record.status != "running":
        write_results(folder, record)
        leave_exports(folder, record, study.events)
    print(trials_table(record))
    if wrong := failures(record):
        print(wrong)
    if record.best is not None:
        print(winner(record, folder))
    typed = str(record.study.get("command", ""))
    print(commands(folder, typed, winner=record.best is not None)[1], flush=True)
    write_report(study)
    print(report_line(folder))
    _check_results(study)


def _check_results(study: Study) -> None:
    trials = study.record.trials.values()
    if not any(trial.ended or trial.epochs for trial in trials):
        rule = "a study must have a result before it can be shown"
        found = f"{counted(len(trials), 'trial')} in {study.folder.place}, and no report of any"
        raise ConfigError(rule, found, commands(study.folder, str(study.record.study.get("command", "")))[0])
