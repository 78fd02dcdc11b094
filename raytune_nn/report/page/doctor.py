"""What is wrong with trainings: of the study as a whole, and kind by kind with the trials that show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raytune_nn.report.commands import mode_command
from raytune_nn.report.doctor.diagnose import Count
from raytune_nn.report.doctor.examination import WHY_NOT, Examination, examine, kinds_of
from raytune_nn.report.doctor.finding import Finding
from raytune_nn.report.doctor.prescription import after_study
from raytune_nn.report.doctor.texts import listed
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted

SHOWN_TRIALS = 5  # of a kind


@dataclass(frozen=True)
class Shown:
    """One kind: how common it is, and the best trials that show it."""

    kind: str
    told: str
    action: str
    source: str
    trials: list[tuple[str, Finding]]
    more: str  # of those that are left out


@dataclass(frozen=True)
class Told:
    """The section."""

    examined: str
    study: list[Finding]
    kinds: list[Shown]
    unseen: list[tuple[str, str, str]]  # what could not be looked for, why, and what to type
    commands: list[tuple[str, str]]  # what each does, and the command


def told_by_doctor(study: Study) -> Told | None:
    """None before any trial has reported."""
    if not any(trial.epochs for trial in study.record.trials.values()):
        return None
    seen = examine(study)
    if seen is None:
        return Told(f"The trainings were not examined: {WHY_NOT}.", [], [], [], [])
    unseen = [(kinds_of(one), f"{one.why} ({counted(n, 'trial')})", one.action) for one, n in seen.unseen()]
    kinds = [_shown(count, study, seen) for count in seen.found.counts]
    return Told(_examined(study, seen), seen.found.study, kinds, unseen, list(_commands(study, seen)))


def _examined(study: Study, seen: Examination) -> str:
    ill, looked = len(seen.ill), len(seen.order)
    best = study.record.best
    of_best = seen.found.trials.get(best.id, []) if best is not None else []
    told = f"Looked at {seen.reports:,} reports of {counted(looked, 'trial')}: "
    if not ill:
        return f"{told}nothing was found of {', '.join(seen.kinds)}."
    told += f"something was found in {ill:,} of them"
    if best is None:
        return f"{told}."
    names = ", ".join(dict.fromkeys(finding.kind for finding in of_best))
    return f"{told}; in trial {best.id}, the best: {names or 'nothing'}."


def _shown(count: Count, study: Study, seen: Examination) -> Shown:
    pairs = seen.of_kind(count)
    left = len(pairs) - SHOWN_TRIALS
    more = f"and {counted(left, 'more trial')}: {listed([id for id, _ in pairs[SHOWN_TRIALS:]])}" if left > 0 else ""
    told = f"{len(count.trials):,} of {counted(len(seen.order), 'trial')}"
    source = pairs[0][1].source if pairs else ""
    return Shown(str(count.kind), told, count.action, source, pairs[:SHOWN_TRIALS], more)


def _commands(study: Study, seen: Examination) -> Iterator[tuple[str, str]]:
    if command := after_study(study, seen):
        yield "A study with what is advised", command
    if ill := seen.ill:
        yield "All that is known of one trial", mode_command(study.folder, "doctor", f"study.trial={ill[0]}")
