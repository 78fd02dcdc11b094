"""All rules over one trial, and over all trials of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from raytune_nn.report.doctor.actions import with_callback
from raytune_nn.report.doctor.bounds import enough, pressed
from raytune_nn.report.doctor.finding import Finding, Kind, Unseen
from raytune_nn.report.doctor.generalisation import mismatched, over_fits
from raytune_nn.report.doctor.gradients import explode, vanish
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.progress import plateaus, under_fits
from raytune_nn.report.doctor.signals import Signals
from raytune_nn.report.doctor.stability import blown_up, not_finite, oscillates, worse_than_chance
from raytune_nn.report.doctor.thresholds import FEW_REPORTS, LEAST_REPORTS
from raytune_nn.report.doctor.units import die
from raytune_nn.space.space import Space

Rule = Callable[[Signals], Finding | None]
BY_CURVES: tuple[tuple[Rule, ...], ...] = (  # of each group the first that holds: the others would say it again
    (not_finite, blown_up, worse_than_chance, oscillates, mismatched, over_fits, under_fits),
    (plateaus,),
)
BY_PROBES: tuple[Rule, ...] = (explode, vanish, die)
TOO_FAST = (Kind.divergence, Kind.oscillation, Kind.exploding_gradients)  # a lower rate mends them


@dataclass(frozen=True)
class Count:
    """How common one kind is in a study."""

    kind: Kind
    trials: tuple[str, ...]  # ids of those that show it
    action: str  # the most frequent one


@dataclass(frozen=True)
class StudyFindings:
    """What the doctor says of a study."""

    trials: Mapping[str, list[Finding]]  # by id, all that were looked at; empty: nothing was found
    unseen: Mapping[str, list[Unseen]]  # by id: what could not be looked for
    counts: list[Count]  # the most common kind first
    study: list[Finding]  # of the study as a whole: parameters at their bounds
    study_unseen: list[Unseen]  # the same, why not


def diagnose_trial(history: History) -> list[Finding]:
    """What is wrong with a trial, in the order in which it showed."""
    return _found(Signals(history))


def _found(signals: Signals) -> list[Finding]:
    if signals.history.objective.folds is not None or not signals.history.epochs:
        return []
    found = [next(filter(None, (rule(signals) for rule in group)), None) for group in BY_CURVES]
    found += [rule(signals) for rule in BY_PROBES]
    return sorted((finding for finding in found if finding is not None), key=lambda finding: finding.epoch)


def unseen(signals: Signals) -> list[Unseen]:
    """What cannot be looked for in this trial, and why."""
    history = signals.history
    trial = tuple(kind for kind in Kind if kind is not Kind.bound)
    if history.objective.folds is not None:
        return [Unseen(trial, "a report of a trial with folds is a mean over trainings", "objective.folds=null")]
    reports = len(history.epochs)
    if reports < FEW_REPORTS:
        return [Unseen(trial, f"the trial has {_reports(reports)}, and {FEW_REPORTS} are the least")]
    found = []
    if reports < LEAST_REPORTS:
        shapes = (Kind.over_fitting, Kind.mismatch, Kind.oscillation, Kind.plateau)
        found.append(Unseen(shapes, f"the trial has {_reports(reports)}, and {LEAST_REPORTS} are the least for these"))
    if history.cut_short:
        trained = f"{history.epochs[-1]} of {history.max_epochs} epochs"
        found.append(Unseen((Kind.under_fitting,), f"the trial has trained {trained}"))
    if signals.training is None:
        of_training = (Kind.over_fitting, Kind.under_fitting, Kind.mismatch, Kind.plateau)
        found.append(Unseen(of_training, 'the module logs no loss in training: self.log("train_loss", …)'))
    elif signals.pair is None:
        of_both = (Kind.over_fitting, Kind.mismatch)
        found.append(Unseen(of_both, 'training and validation log no loss of the same name: self.log("val_loss", …)'))
    return found + _without_probes(history, signals)


def _without_probes(history: History, signals: Signals) -> list[Unseen]:
    gradients = (Kind.exploding_gradients, Kind.vanishing_gradients)
    if not history.probed:
        action = with_callback(history, "probes") or "callbacks=probes"
        return [Unseen((*gradients, Kind.dead_units), "the trial has no probes", action)]
    if not signals.probes("dead"):
        return [Unseen((Kind.dead_units,), "the network calls its activations as functions: no module could be probed")]
    return []


def diagnose_study(histories: Iterable[History], space: Space | None) -> StudyFindings:
    """What is wrong with the trials of a study, and with its space.

    Args:
        histories: Of all its trials.
        space: What was searched; None: nothing, or it cannot be read.
    """
    looked = list(histories)
    signals = {history.id: Signals(history) for history in looked}
    trials = {id: _found(of_trial) for id, of_trial in signals.items()}
    counts = _counts(trials)
    lowered = {_key(count.action) for count in counts if count.kind in TOO_FAST}
    study = [] if space is None else pressed(looked, space)
    study = [finding for finding in study if _key(finding.action) not in lowered]  # to raise it as well helps nobody
    cannot = []
    if space is None or space.is_empty:
        cannot.append(Unseen((Kind.bound,), "there is no search space"))
    elif not enough(looked):
        cannot.append(Unseen((Kind.bound,), "too few trials have a value", "budget.num_trials=16"))
    blind = {id: unseen(of_trial) for id, of_trial in signals.items()}
    return StudyFindings(trials, blind, counts, study, cannot)


def _key(action: str) -> str:
    return action.partition("=")[0]


def _counts(trials: Mapping[str, Sequence[Finding]]) -> list[Count]:
    of_kind: dict[Kind, dict[str, str]] = {}
    for id, findings in trials.items():
        for finding in findings:
            of_kind.setdefault(finding.kind, {})[id] = finding.action
    counts = [
        Count(kind, tuple(actions), Counter(actions.values()).most_common(1)[0][0]) for kind, actions in of_kind.items()
    ]
    return sorted(counts, key=lambda count: -len(count.trials))


def _reports(count: int) -> str:
    return "1 report" if count == 1 else f"{count} reports"
