"""One driver's time with a study: opens the folder, keeps what is derived up to date, closes it whatever happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from raytune_nn.config.fidelity import EPOCHS, Fidelity
from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Config, KeepStates
from raytune_nn.config.secrets import Secrets
from raytune_nn.errors import ConfigError
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.space.space import Space
from raytune_nn.store.bucket_lease import hold
from raytune_nn.store.checkpoints import Retention, States
from raytune_nn.store.folder import StudyFolder, write_yaml
from raytune_nn.store.journal import Event, Journal, read_journal, torn_lines
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.retry import Retry
from raytune_nn.study.budget import Budget
from raytune_nn.study.cache import Cache
from raytune_nn.study.conductor import Conductor, Listener
from raytune_nn.study.failures import Failures
from raytune_nn.study.keeper import Keeper
from raytune_nn.study.results import versions, write_results, write_summary
from raytune_nn.study.resume import check_branches, is_finished, replay
from raytune_nn.study.room import Room
from raytune_nn.trial.task import StudyContext


@dataclass(frozen=True)
class StudyPlan:
    """Everything a study is made of, checked."""

    settings: Config
    config: dict[str, Any]  # plain, interpolations unresolved
    branches: dict[str, dict[str, dict[str, Any]]]
    space: Space
    objective: Objective
    searcher: Searcher
    scheduler: Scheduler
    num_trials: int
    command: str  # what was typed
    fidelity: Fidelity = EPOCHS
    cache: Cache | None = None  # None: every trial is trained

    @property
    def gpus(self) -> float:
        """That a trial holds, with all its workers."""
        return self.settings.resources.gpus * self.settings.resources.workers

    def context(self, folder: StudyFolder) -> StudyContext:
        """What the slots need to know."""
        steps = self.scheduler.decision_steps
        waits_at = None if steps is None else tuple(sorted(steps))
        return StudyContext(
            config=self.config,
            branches=self.branches,
            objective=self.objective,
            space=self.space,
            name=folder.name,
            folder=str(folder.path),
            url=folder.url,
            waits_at=waits_at,
            pauses=self.scheduler.pauses,
            fidelity=self.fidelity,
            copy_seconds=self._copy_seconds,
            report_every=self.settings.cluster.report_every,
            no_report_timeout=self.settings.failures.no_report_timeout,
            keeps_rungs=self.settings.checkpoints.keep_states is KeepStates.rungs,
            saves_to_leave=self.settings.cluster.grace_seconds > 0 and not self.scheduler.copies,
            storage_timeout=self.settings.failures.storage_timeout,
            min_free=0.0 if folder.url else self.settings.checkpoints.min_free,
        )

    @property
    def _copy_seconds(self) -> float | None:
        """None also where a trial may go on from another one's state: that has to be one of a decision step."""
        minutes = self.settings.checkpoints.every_minutes
        return None if minutes is None or self.scheduler.copies else 60 * minutes


@contextmanager
def open_study(plan: StudyPlan, folder: StudyFolder, listener: Listener) -> Iterator[Conductor]:
    """Creates or reopens a study and yields its conductor, with searcher and scheduler where the journal left them.

    The caller runs the trials and calls ``Conductor.close``; leaving this block writes the results. Left by an
    exception, the study counts as interrupted; by a ConfigError before it trained anything, a new one never was.

    Args:
        listener: Told each event; the first is ``opened``, with the number of ``torn`` lines dropped from the journal.
            Also ``waits`` without a trial, which no journal has: the storage refuses what the driver writes.

    Raises:
        UnusableError: The folder cannot be written, or another driver holds it.
        StudyMismatchError: An option that the space chooses from is not what it was.
    """
    made = folder.create()
    lease = hold(folder, plan.command, _say)
    refused = False
    try:
        folder.fetch()  # since it was looked at, the driver before may have gone on
        folder.clear_invalid(lease.name)
        events = list(read_journal(folder.journal))
        record = StudyRecord.fold(plan.objective, events, plan.settings.checkpoints.keep_best)
        check_branches(folder.name, record, plan.branches)
        pending = replay(events, record, plan.searcher, plan.scheduler, plan.fidelity)
        if not record.study:  # before the journal's first line: a study that has begun has both
            write_yaml(folder.config, plan.config)
            write_yaml(folder.space, plan.space.to_mapping())
            folder.publish(folder.config, folder.space)

        def tell(reason: str, first: bool) -> None:
            if first:
                listener({"type": "waits", "time": time.time(), "reason": reason}, record)

        retry = Retry(folder.path, plan.settings.failures.storage_timeout, tell, lease.check)
        journal = Journal(folder.journal, retry, folder.files)
        try:
            listener(_write_opened(plan, folder, record, journal, len(events)), record)
            retention = retry.run(partial(_retention, plan, folder, record), folder.checkpoints)
            keeper = Keeper(folder, retention, retry, listener, journal)
            conductor = _conductor(plan, folder, record, journal, retry, keeper)
            for id, verdict in pending.items():
                conductor.endings.carry_out(record.trials[id], verdict)
            try:
                with conductor.by_hand.listening(folder):
                    yield conductor
            except ConfigError:
                refused = record.epochs == 0  # what was trained is kept: a slot may be made, and refuse, later
                raise
            finally:
                if record.status == "running":  # an error on the way: what is there can be resumed
                    conductor.close(interrupted=True)
                retry.run(partial(write_results, folder, record))
        finally:
            journal.close()
    finally:
        lease.release()
        if refused and folder.path in made and record.epochs == 0:
            folder.remove(made)


def _retention(plan: StudyPlan, folder: StudyFolder, record: StudyRecord) -> Retention:
    keep_states = plan.settings.checkpoints.keep_states
    return Retention(folder.checkpoints, record, plan.scheduler.copies, keep_states, folder.files)


def _conductor(
    plan: StudyPlan, folder: StudyFolder, record: StudyRecord, journal: Journal, retry: Retry, listener: Listener
) -> Conductor:
    settings = plan.settings
    return Conductor(
        record,
        journal,
        States(folder.checkpoints, retry, folder.files),
        plan.searcher,
        plan.scheduler,
        Budget(settings.budget, plan.objective, plan.gpus),
        plan.num_trials,
        Failures(settings.failures, record),
        listener,
        plan.fidelity,
        Secrets([plan.config, plan.branches]),
        Room(folder, 0.0 if folder.url else settings.checkpoints.min_free, settings.failures.storage_timeout, retry),
        plan.cache,
    )


def _write_opened(plan: StudyPlan, folder: StudyFolder, record: StudyRecord, journal: Journal, events: int) -> Event:
    event = journal.append(
        "opened",
        events=events,
        name=folder.name,
        command=plan.command,
        gpus=plan.gpus,
        versions=versions(),
        branches=plan.branches,
        torn=torn_lines(folder.journal),
    )
    record.apply(event)
    write_summary(folder, record)
    return event


def read_record(folder: StudyFolder, objective: Objective) -> StudyRecord:
    """The record of an existing study, as its journal has it."""
    return StudyRecord.fold(objective, read_journal(folder.journal))


def read_finished(plan: StudyPlan, folder: StudyFolder) -> StudyRecord | None:
    """The record of a study in which nothing is left to do; None where there is.

    Its driver may have been ended between its last event and the results, which are then written.

    Raises:
        UnusableError: They cannot be, or that driver is about to.
    """
    record = read_record(folder, plan.objective)
    if not is_finished(record, plan.settings):
        return None
    if folder.status() != record.status:  # the summary is written last
        lease = hold(folder, plan.command, _say)
        try:
            write_results(folder, record)
        finally:
            lease.release()
    return record


def _say(text: str) -> None:
    print(f"raytune_nn: {text}", file=sys.stderr)
