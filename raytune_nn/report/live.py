"""What a running study shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from raytune_nn.config.schema import Config
from raytune_nn.report.tables import counted, damage_line, format_results, format_value, named_results
from raytune_nn.store.causes import Diagnosis
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import ENDED, TrialRecord

REFRESH_SECONDS = 0.25
LINE_SECONDS = 10.0  # between plain lines, but for a new best
SHOWN_RUNNING, SHOWN_BEST = 8, 5
_STORAGE = {  # what is said of it, by the type of an event
    "waits": "waiting for the storage: {reason}",
    "waited": "the storage is back after {seconds:.1f} s",
    "held": "no other trial begins for now: {reason}",
    "freed": "there is room again, and trials begin",
}
TOLD_CAUSES = 10  # of failures, at once; all are told at the end


class LiveView:
    """Shows a study while it runs; enter it before the slow start, so that the wait is explained.

    Args:
        settings: ``verbose`` 0 shows nothing, 2 shows plain lines that do not fight with the libraries' own output.
        num_trials: How many trials the progress bar stands for.
    """

    def __init__(self, settings: Config, num_trials: int, console: Console | None = None) -> None:
        self._settings, self._num_trials = settings, num_trials
        self._console = console or Console(file=sys.stdout)
        self._record: StudyRecord | None = None
        self._best: list[TrialRecord] = []
        self._running: dict[str, TrialRecord] = {}
        self._shown = 0.0
        self._best_value: float | None = None  # shown last
        self._told_unsaved = False
        self._told_storage = -LINE_SECONDS  # when something was said of it
        self._told_causes = set[Diagnosis]()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30),
            TextColumn(f"{{task.completed:.0f}}/{counted(num_trials, 'trial')}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=self._console,
        )  # fmt: skip
        start = "starting Ray and its workers" if num_trials > 1 else "starting"
        self._task = self._bar.add_task(start, total=num_trials)
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._settings.verbose == 1 and self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            with _terminal_may_go():
                self._live.start()
            self._draw()
        elif self._settings.verbose:
            self._print("starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with _terminal_may_go():
                self._live.stop()

    def heard(self, event: Event, record: StudyRecord) -> None:
        """Takes an event in; draws now and then."""
        if event["type"] == "opened":
            self._opened(event["torn"], record)
            return
        self._record = record
        if event["type"] in _STORAGE and self._settings.verbose:
            self._say_of_storage(event)
        trial = record.trials.get(event.get("trial", ""))
        if trial is not None:
            self._note(event["type"], trial, record)
            if event.get("alone") and self._settings.verbose:
                self._print(f"trial {trial.id}: {trial.reason}")
        if event["type"] == "retried" or event.get("state") == "failed":
            self._tell_failure(event)
        if event["type"] in ("fell_back", "damaged") and self._settings.verbose:
            self._print(damage_line(event))
        if event.get("unsaved") and not self._told_unsaved and self._settings.verbose:
            self._told_unsaved = True
            self._print(f"no safety copies (checkpoints.every_minutes) of trial {event['trial']}: {event['unsaved']}")
        pauses = event["type"] == "decided" and event["decision"] == "pause"
        if (event["type"] == "ended" or pauses) and self._live is None and self._settings.verbose:
            self._line(record)
        self.refresh()

    def refresh(self) -> None:
        """Draws the terminal's table if the last drawing is old enough."""
        if self._live is not None and time.monotonic() - self._shown > REFRESH_SECONDS:
            self._draw()

    def say(self, text: str) -> None:
        """Prints a line, also from another thread."""
        if self._settings.verbose:
            self._print(text)

    def _opened(self, torn: int, record: StudyRecord) -> None:
        """What earlier drivers left: their best trials, and lines of the journal that they did not finish."""
        self._best = self._leaders(record.trials.values(), record)
        if torn and self._settings.verbose:
            lines = "1 half-written line" if torn == 1 else f"{torn} half-written lines"
            self._print(f"dropped {lines} of the journal: the driver before was killed, or its disk was full")

    def _say_of_storage(self, event: Event) -> None:
        """A trial that waits is one of many: one is named, and none where the driver has just waited itself."""
        before, whose = self._told_storage, f"trial {event['trial']}: " if "trial" in event else ""
        self._told_storage = time.monotonic()
        if not whose or self._told_storage - before > LINE_SECONDS:
            self._print(whose + _STORAGE[event["type"]].format(**event))

    def _tell_failure(self, event: Event) -> None:
        """At once, but each cause only once; how often it came is said at the end."""
        diagnosis = Diagnosis.of(event)
        if event.get("alone") or diagnosis.cause in self._told_causes or len(self._told_causes) >= TOLD_CAUSES:
            return
        self._told_causes.add(diagnosis.cause)
        if self._settings.verbose:
            what = "failed" if event["type"] == "ended" else "is tried again"
            self._print(f"trial {event['trial']} {what}: {diagnosis}")

    def _print(self, text: str) -> None:
        with _terminal_may_go():
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _note(self, kind: str, trial: TrialRecord, record: StudyRecord) -> None:
        """Keeps the running and the best few by hand: no look at all trials per event."""
        if kind == "started":
            self._running[trial.id] = trial
        elif kind in ("ended", "retried", "fell_back") or trial.state == "paused":
            self._running.pop(trial.id, None)
            others = [other for other in self._best if other is not trial]
            self._best = self._leaders((*others, trial), record)

    def _leaders(self, trials: Iterable[TrialRecord], record: StudyRecord) -> list[TrialRecord]:
        """The best few of these trials; of several metrics the first few of the whole Pareto front."""
        if record.objective.further:
            return record.front[:SHOWN_BEST]
        leading = [trial for trial in trials if self._leads(trial, record)]
        return sorted(leading, key=lambda trial: -record.objective.score(trial.value or 0.0))[:SHOWN_BEST]

    def _leads(self, trial: TrialRecord, record: StudyRecord) -> bool:
        """Whether a trial may be among the best shown: one that paused counts, and goes on to do so when it runs."""
        if trial.ended:
            return record.may_win(trial)
        return trial.saves > 0 and trial.value is not None and record.has_all_folds(trial)

    def _line(self, record: StudyRecord) -> None:
        """One line for a new best, and one every few seconds."""
        best = self._best[0] if self._best else None
        value = best.value if best is not None else None
        new_best = value is not None and record.objective.better(value, self._best_value)
        if not new_best and time.monotonic() - self._shown < LINE_SECONDS:
            return
        self._shown, self._best_value = time.monotonic(), value
        text = f"{record.wall_seconds:7.1f} s  {self._done(record)}/{counted(self._num_trials, 'trial')}"
        if best is not None:
            text += f"  best {named_results(best, record)} (trial {best.id})"
        if record.objective.further:
            text += f", {len(record.front)} on the Pareto front"
        self._print(text)

    def _draw(self) -> None:
        if self._live is None:
            return
        self._shown = time.monotonic()
        with _terminal_may_go():
            self._live.update(Group(self._table(), self._bar) if self._record else self._bar, refresh=True)

    def _table(self) -> Table:
        record = self._record
        table = Table(box=None, pad_edge=False, expand=True)
        if record is None:
            return table
        metrics = [(goal.metric, 9) for goal in record.objective.goals]
        for column, width in (("", 7), ("trial", 5), *metrics, ("epoch", 7)):
            table.add_column(Text(column), no_wrap=True, min_width=width)
        table.add_column("parameters", no_wrap=True, overflow="ellipsis", ratio=1)  # the rest, and cut first
        running = list(self._running.values())
        best = "front" if record.objective.further else "best"
        for title, trials in (("running", running[:SHOWN_RUNNING]), (best, self._best)):
            for index, trial in enumerate(trials):
                table.add_row(
                    title if index == 0 else "",
                    *self._row(trial, trial.value_params if title == best else trial.params, record),
                    style="bold" if title == best and index == 0 else "",
                )
        if len(running) > SHOWN_RUNNING:
            table.add_row("", "", *("" for _ in metrics), "", f"and {len(running) - SHOWN_RUNNING} more running")
        part = sum(min(1.0, trial.epochs / self._epochs(record)) for trial in running)
        state = "searching" if self._num_trials > 1 else "training"
        self._bar.update(self._task, completed=self._done(record) + part, description=state)
        return table

    def _done(self, record: StudyRecord) -> int:
        """Trials that ended or paused: most of these will not go on."""
        return sum(record.counts[state] for state in (*ENDED, "paused"))

    def _epochs(self, record: StudyRecord) -> int:
        """Of a whole trial."""
        return self._settings.budget.max_epochs * (record.objective.folds or 1)

    def _row(self, trial: TrialRecord, params: Mapping[str, Any], record: StudyRecord) -> tuple[str | Text, ...]:
        values = format_results(trial, record, digits=5)
        named = " ".join(f"{path.rpartition('.')[2]}={format_value(item)}" for path, item in params.items())
        shown = Text(named)  # no markup: [/relu] is a value
        return trial.id, *values, f"{trial.epochs}/{self._epochs(record)}", shown


@contextmanager
def _terminal_may_go() -> Iterator[None]:
    """What is written at the moment when a terminal is closed fails before the signal that tells of it is heard."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
