"""Keeps what is derived of a running study up to date: checkpoints that nobody needs go, the summary is refreshed."""

from __future__ import annotations

import time
from functools import partial

from raytune_nn.store.checkpoints import Retention
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.retry import Retry
from raytune_nn.study.conductor import Listener
from raytune_nn.study.results import write_summary

SUMMARY_SECONDS = 10.0  # how old summary.json may be while a study runs


class Keeper:
    """Hears every event: drops checkpoints that nobody needs, refreshes the summary, and passes the event on."""

    def __init__(
        self, folder: StudyFolder, retention: Retention, retry: Retry, listener: Listener, journal: Journal
    ) -> None:
        self._folder, self._retention, self._retry, self._listener = folder, retention, retry, listener
        self._journal = journal
        self._written = time.monotonic()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if event["type"] in ("ended", "closed", "fell_back", "resumed") or event.get("saved"):
            if self._folder.url:  # what a driver elsewhere would go on from must not go before it knows of this
                self._journal.sync(force=True)
            self._retry.run(partial(self._drop, event, record), self._folder.checkpoints)
        if event["type"] in ("held", "freed") or time.monotonic() - self._written > SUMMARY_SECONDS:
            self._retry.run(partial(write_summary, self._folder, record))
            self._written = time.monotonic()
        self._listener(event, record)

    def _drop(self, event: Event, record: StudyRecord) -> None:
        if event["type"] == "ended":
            self._retention.trial_ended(record.trials[event["trial"]], record)
        elif event.get("saved") or event.get("source") is not None:
            self._retention.state_saved(record.trials[event["trial"]])
        elif event["type"] == "fell_back":
            self._retention.state_given_up(record.trials[event["trial"]])
        elif event["type"] == "closed" and event["status"] != "interrupted":
            self._retention.study_ended()
