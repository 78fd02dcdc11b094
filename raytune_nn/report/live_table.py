"""What stands on the terminal while a study runs: its trials, and how far the whole has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from raytune_nn.report.shown_trials import ShownTrials
from raytune_nn.report.sparkline import sparkline
from raytune_nn.report.tables import counted, format_results, format_value
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

SHOWN_RUNNING = 8
WIDE, NARROW = 60, 20  # columns of a terminal: from here on there are parameters; facts


class LiveTable:
    """Lays out a study for a terminal of some width.

    Args:
        epochs: Of a whole trial, a fold's each.
        width: Columns.
        ascii_only: Whether nothing else can be shown.
    """

    def __init__(self, record: StudyRecord, shown: ShownTrials, epochs: int, width: int, ascii_only: bool) -> None:
        self._record, self._shown, self._epochs = record, shown, epochs * (record.objective.folds or 1)
        self._wide, self._ascii_only = width >= WIDE, ascii_only

    def trials(self) -> Table:
        """The trials that run and the best ones, a row each."""
        table = Table(box=None, pad_edge=False, expand=True)
        metrics = [(goal.metric, 9) for goal in self._record.objective.goals]
        curve = 12 if self._wide else 6
        for column, least in (("", 7), ("trial", 5), *metrics, ("curve", curve), ("epoch", 7)):
            table.add_column(Text(column), no_wrap=True, min_width=least)
        if self._wide:  # the parameters get what is left, and are cut first
            table.add_column("parameters", no_wrap=True, overflow="ellipsis", ratio=1)
        running = list(self._shown.running.values())
        best = "front" if self._record.objective.further else "best"
        for title, trials in (("running", running[:SHOWN_RUNNING]), (best, self._shown.best)):
            for index, trial in enumerate(trials):
                params = trial.value_params if title == best else trial.params
                row = self._row(trial, params, curve)
                style = "bold" if title == best and index == 0 else ""
                table.add_row(title if index == 0 else "", *row, style=style)
        if self._wide and len(running) > SHOWN_RUNNING:
            table.add_row(*[""] * (len(metrics) + 4), Text(f"and {len(running) - SHOWN_RUNNING} more running"))
        return table

    def _row(self, trial: TrialRecord, params: Mapping[str, Any], curve: int) -> list[str | Text]:
        values = format_results(trial, self._record, digits=5)
        line = sparkline(self._shown.curve(trial), curve, self._ascii_only)
        row: list[str | Text] = [trial.id, *values, line, f"{trial.epochs}/{self._epochs}"]
        if self._wide:
            named = (f"{path.rpartition('.')[2]}={format_value(item)}" for path, item in params.items())
            row.append(Text(" ".join(named)))  # no markup: [/relu] is a value
        return row

    def facts(self, slots: int, trials: int, standing: str, limit: str = "", warnings: Sequence[str] = ()) -> Table:
        """How far the study has come, a line each.

        Args:
            slots: There are.
            trials: The study is to have.
            standing: What the scheduler says.
            limit: The nearest one, beside the number of trials.
            warnings: Of trainings in which something is wrong.
        """
        busy, most = len(self._shown.running), self._epochs * trials
        cached = sum(trial.cached != "" for trial in self._record.trials.values())
        taken = f", {counted(cached, 'trial')} taken over" if cached else ""
        epochs = f"{self._record.epochs} of at most {most} epochs"
        lines = [
            ("now", f"{busy}/{counted(max(slots, busy), 'slot')}, {epochs}{taken}"),
            ("limit", limit),
            ("search", standing),
            ("last", self._shown.decision),
            *(("doctor" if index == 0 else "", warning) for index, warning in enumerate(warnings)),
        ]
        grid = Table.grid(padding=(0, 1))
        if self._wide:
            grid.add_column(min_width=7, style="dim")
        grid.add_column(overflow="fold")
        for name, text in lines:
            if text:
                grid.add_row(*[Text(name)] * self._wide, Text(text))
        return grid
