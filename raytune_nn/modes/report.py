"""Shows an existing study again, and writes its tables anew from the journal."""

from __future__ import annotations

from raytune_nn.config.compose import Composed
from raytune_nn.modes.existing import open_existing
from raytune_nn.report.exports import leave_exports
from raytune_nn.report.failures import failures
from raytune_nn.report.tables import commands, trials_table, winner
from raytune_nn.study.results import write_results


def report(composed: Composed) -> None:
    """Reads the study named by ``study.name`` under ``study.storage``; nothing is trained.

    Raises:
        ConfigError: There is no such study.
    """
    folder, record = open_existing(composed)
    if record.status != "running":
        write_results(folder, record)
        leave_exports(folder, record)
    print(trials_table(record))
    if wrong := failures(record):
        print(wrong)
    if record.best is not None:
        print(winner(record, folder))
    print(commands(folder, str(record.study.get("command", "")))[1])
