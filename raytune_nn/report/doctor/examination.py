"""The doctor's look at a study that was read: at every trial that has reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raytune_nn.report.doctor.diagnose import Count, StudyFindings, diagnose_study
from raytune_nn.report.doctor.finding import Finding, Kind, Unseen
from raytune_nn.report.doctor.history import Histories
from raytune_nn.report.once import once_a_study
from raytune_nn.report.study import Study
from raytune_nn.report.tables import rank

WHY_NOT = "its config.yaml is of another version, and the rules read it"


@dataclass(frozen=True)
class Examination:
    """What was found in a study, and what was looked at."""

    found: StudyFindings
    order: tuple[str, ...]  # ids of the trials that were looked at, the best trial first
    reports: int  # of these trials

    @property
    def ill(self) -> list[str]:
        """The trials in which something was found, the best first."""
        return [id for id in self.order if self.found.trials[id]]

    @property
    def kinds(self) -> list[Kind]:
        """What was looked for in one trial at least."""
        looked = {kind for some in self.found.unseen.values() for kind in looked_for(some)}
        return [kind for kind in Kind if kind in looked]

    def of_kind(self, count: Count) -> list[tuple[str, Finding]]:
        """Trials that show it, the best first, with what was found first."""
        wanted = set(count.trials)
        pairs = ((id, self._first(id, count.kind)) for id in self.order if id in wanted)
        return [(id, finding) for id, finding in pairs if finding is not None]

    def unseen(self) -> list[tuple[Unseen, int]]:
        """What could not be looked for, with the number of trials; the most common first."""
        counts: dict[Unseen, int] = {}
        for some in self.found.unseen.values():
            for one in some:
                counts[one] = counts.get(one, 0) + 1
        of_study = [(one, len(self.order)) for one in self.found.study_unseen]
        return [*sorted(counts.items(), key=lambda pair: -pair[1]), *of_study]

    def _first(self, id: str, kind: Kind) -> Finding | None:
        return next((finding for finding in self.found.trials[id] if finding.kind is kind), None)


@once_a_study
def examine(study: Study) -> Examination | None:
    """Looks at all trials; None where the study's configuration cannot be read (``WHY_NOT``)."""
    if study.settings is None or not study.config:
        return None
    gathered = Histories.of(study.record.objective, study.config, study.events)
    histories = {id: history for id in gathered if (history := gathered.history(id)).epochs}
    found = diagnose_study(histories.values(), study.space)
    order = tuple(trial.id for trial in rank(study.record) if trial.id in histories)
    return Examination(found, order, sum(len(history.epochs) for history in histories.values()))


def looked_for(unseen: Iterable[Unseen]) -> list[Kind]:
    """What was looked for in a trial, where this could not be."""
    left_out = {kind for one in unseen for kind in one.kinds}
    return [kind for kind in Kind if kind is not Kind.bound and kind not in left_out]


def kinds_of(one: Unseen) -> str:
    """What could not be looked for, in words."""
    return ", ".join(one.kinds) if looked_for([one]) else "whatever can be wrong with a trial"
