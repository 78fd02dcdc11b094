"""What a study can take over from earlier ones instead of training it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Config
from raytune_nn.errors import ConfigError
from raytune_nn.search.pbt_replay import PBTReplay
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.background import in_background
from raytune_nn.study.earlier import EarlierTrial, locate_sources, read_source
from raytune_nn.study.identities import Identities

Say = Callable[[str], None]


def make_cache(
    settings: Config, identities: Identities, objective: Objective, scheduler: Scheduler, folder: StudyFolder
) -> Cache | None:
    """What the study in this folder can take over; None where the scheduler changes a trial's parameters on the way.

    Raises:
        ConfigError: ``study.cache`` lists what is no study, or goes with such a scheduler.
        UnusableError: An object store does not answer.
    """
    if scheduler.copies or isinstance(scheduler, PBTReplay):
        if settings.study.cache:
            rule = "what a member of a population trains depends on the others, so none can be taken over"
            raise ConfigError(rule, f"study.cache={settings.study.cache}", "study.cache=[]")
        return None
    return Cache(identities, locate_sources(settings.study.cache, folder), objective, folder)


class Cache:
    """Of one study. A source that cannot be used is left out, with a line that says why.

    Args:
        identities: Of this study's trials.
        sources: Earlier studies, each with its status.
        folder: Of this study, whose own trials are taken over too.
    """

    def __init__(
        self,
        identities: Identities,
        sources: list[tuple[StudyFolder, str]],
        objective: Objective,
        folder: StudyFolder,
    ) -> None:
        self._identities, self._sources, self._objective, self.folder = identities, sources, objective, folder
        self._say: Say = lambda text: None
        self._read: Future[list[dict[str, EarlierTrial]]] | None = None
        self._unknown = False  # identities cannot be told

    def begin(self, say: Say) -> None:
        """Reads code, data and earlier studies in a thread, beside the start of the cluster."""
        self._say = say
        self._identities.begin()
        self._read = in_background(self._read_all, "cache")

    def identity(self, params: dict[str, Any]) -> str:
        """Of a trial; empty where it cannot be told, since a file of code or data cannot be read."""
        if self._unknown:
            return ""
        try:
            return self._identities.of(params)
        except Exception as error:  # nobody's trial is to fail for it
            self._unknown = True
            self._say(f"no trial is taken over, or can be later, since its code or data cannot be read: {error}")
            return ""

    def find(self, identity: str) -> list[EarlierTrial]:
        """The earlier trials of this identity, the one that went furthest first."""
        sources = self._read.result() if self._read is not None else []
        found = [trials[identity] for trials in sources if identity in trials]
        return sorted(found, key=lambda earlier: (not earlier.complete, -earlier.epochs, earlier.model_epoch is None))

    def _read_all(self) -> list[dict[str, EarlierTrial]]:
        if not self._sources:
            return []
        found = []
        for folder, status in self._sources:
            if status in ("running", "invalid"):
                why = "it still runs" if status == "running" else "it is damaged, or no study"
                self._say(f"study.cache: {folder.place} is left out: {why}")
                continue
            try:
                found.append(read_source(folder, self._objective, self._identities.code))
            except Exception as error:  # whatever is wrong with another study, this one goes on
                self._say(f"study.cache: {folder.place} is left out: {str(error).replace(chr(10), ' ').strip()}")
        return found
