"""What a running study shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from raytune_nn.config.schema import Config
from raytune_nn.report.live_doctor import LiveDoctor
from raytune_nn.report.live_table import NARROW, WIDE, LiveTable
from raytune_nn.report.shown_trials import ShownTrials
from raytune_nn.report.tables import counted, damage_line, named_results
from raytune_nn.report.time_left import Extent, in_words, seconds_left
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.store.causes import Diagnosis
from raytune_nn.store.journal import Event
from raytune_nn.store.limits import limits
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import ENDED

REFRESH_SECONDS = 0.25
LINE_SECONDS = 10.0  # between plain lines, but for a new best; where a study takes long,
LINE_SHARE = 0.01  # so much of what it took so far: the log of a day has some hundred lines
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
        slots: How many of them run at a time.
        scheduler: Says how far trials have come, in its own terms; None: none cuts them short.
        doctor: Warns of what is wrong with trainings; None: nobody does.
    """

    def __init__(
        self,
        settings: Config,
        num_trials: int,
        console: Console | None = None,
        slots: int = 1,
        scheduler: Scheduler | None = None,
        doctor: LiveDoctor | None = None,
    ) -> None:
        self._settings, self._num_trials, self._slots = settings, num_trials, slots
        self._scheduler, self._doctor = scheduler or NoScheduler(), doctor
        self._console = console or Console(file=sys.stdout)
        self._record: StudyRecord | None = None
        self._trials = ShownTrials()
        self._shown = 0.0
        self._best_value: float | None = None  # shown last
        self._told_unsaved = self._told_unlogged = False
        self._told_storage = -LINE_SECONDS  # when something was said of it
        self._told_causes = set[Diagnosis]()
        self._bar = Progress(
            TextColumn("{task.description}"), *([BarColumn(bar_width=30)] if self._console.width >= WIDE else []),
            TextColumn(f"{{task.completed:.0f}}/{counted(num_trials, 'trial')}"),
            TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
            console=self._console,
        )  # fmt: skip
        start = "starting Ray and its workers" if num_trials > 1 else "starting"
        self._task = self._bar.add_task(start, total=num_trials, left="")
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._settings.verbose == 1 and self._console.is_terminal and not self._console.is_dumb_terminal:
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
            self._trials.heard(event, trial, record)
            if event.get("alone") and self._settings.verbose:
                self._print(f"trial {trial.id}: {trial.reason}")
        if event["type"] == "retried" or event.get("state") == "failed":
            self._tell_failure(event)
        if event["type"] in ("fell_back", "damaged") and self._settings.verbose:
            self._print(damage_line(event))
        if event.get("unsaved") and not self._told_unsaved and self._settings.verbose:
            self._told_unsaved = True
            self._print(f"no safety copies (checkpoints.every_minutes) of trial {event['trial']}: {event['unsaved']}")
        if event.get("unlogged") and not self._told_unlogged and self._settings.verbose:
            self._told_unlogged = True
            self._print(f"logger, of trial {event['trial']}: {event['unlogged']}")
        warnings = self._doctor.heard(event) if self._doctor is not None and self._settings.verbose else []
        if self._live is None:  # else they stand in the table
            for warning in warnings:
                self._print(warning)
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
        self._trials.opened(record)
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

    def _line(self, record: StudyRecord) -> None:
        """One line for a new best, and one now and then."""
        best = self._trials.best[0] if self._trials.best else None
        value = best.value if best is not None else None
        new_best = value is not None and record.objective.better(value, self._best_value)
        if not new_best and time.monotonic() - self._shown < max(LINE_SECONDS, LINE_SHARE * record.wall_seconds):
            return
        self._shown, self._best_value = time.monotonic(), value
        text = f"{record.wall_seconds:7.1f} s  {self._done(record)}/{counted(self._num_trials, 'trial')}"
        if best is not None:
            text += f"  best {named_results(best, record)} (trial {best.id})"
        if record.objective.further:
            text += f", {len(record.front)} on the Pareto front"
        if left := self._left(record):
            text += f", {left}"
        self._print(text)

    def _draw(self) -> None:
        if self._live is None:
            return
        self._shown = time.monotonic()
        with _terminal_may_go():
            self._live.update(self._all(self._record) if self._record else self._bar, refresh=True)

    def _all(self, record: StudyRecord) -> Group:
        """Trials, facts and the bar."""
        width, ascii_only = self._console.width, self._console.options.ascii_only
        table = LiveTable(record, self._trials, self._settings.budget.max_epochs, width, ascii_only)
        running = [trial.epochs for trial in self._trials.running.values()]
        part = sum(min(1.0, epochs / self._epochs(record)) for epochs in running)
        state = "searching" if self._num_trials > 1 else "training"
        self._bar.update(self._task, completed=self._done(record) + part, description=state, left=self._left(record))
        if width < NARROW:
            return Group(table.trials(), self._bar)
        warnings = [] if self._doctor is None else self._doctor.lines
        limit = self._nearest_limit(record)
        facts = table.facts(self._slots, self._num_trials, self._scheduler.standing(), limit, warnings)
        return Group(table.trials(), facts, self._bar)

    def _nearest_limit(self, record: StudyRecord) -> str:
        """Which of those that are set will end the study first, if it goes on as before."""
        held = self._settings.resources if self._settings.budget.max_gpu_hours is not None else None
        gpus = 0.0 if held is None else held.gpus * held.workers
        found = limits(self._settings.budget, record, gpus, record.wall_seconds)
        nearest = max(found, key=lambda limit: limit.share, default=None)
        return "" if nearest is None else f"{min(1.0, nearest.share):.0%} of {nearest}"

    def _done(self, record: StudyRecord) -> int:
        """Trials that ended or paused: most of these will not go on."""
        return sum(record.counts[state] for state in (*ENDED, "paused"))

    def _epochs(self, record: StudyRecord) -> int:
        """Of a whole trial."""
        return self._settings.budget.max_epochs * (record.objective.folds or 1)

    def _left(self, record: StudyRecord) -> str:
        """An estimate of the time left, or nothing."""
        shortens = not self._scheduler.copies and self._scheduler.decision_steps != frozenset()
        budget = self._settings.budget
        extent = Extent(
            self._num_trials, self._epochs(record), shortens, budget.max_hours, max_total_epochs=budget.max_total_epochs
        )
        running = [trial.epochs for trial in self._trials.running.values()]
        seconds = seconds_left(record, extent, running, self._trials.ended_epochs)
        return "" if seconds is None else f"~{in_words(seconds)} left"


@contextmanager
def _terminal_may_go() -> Iterator[None]:
    """What is written at the moment when a terminal is closed fails before the signal that tells of it is heard."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
