"""Says who really won: the best configurations on several seeds, and the test data opened once, at the end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from raytune_nn.cluster.headroom import check_headroom
from raytune_nn.config.compose import Composed
from raytune_nn.config.schema import ConfirmConfig
from raytune_nn.errors import ConfigError, InterruptedStudyError, NoSuccessfulTrialError
from raytune_nn.modes.candidates import SEED, candidates
from raytune_nn.modes.existing import find_existing, read_existing
from raytune_nn.modes.opened_test import Trainings, Values, described, judged, open_test_data, validation_values
from raytune_nn.modes.search import run_trials
from raytune_nn.modes.seed_study import SeedStudy, seed_study, seeds_after
from raytune_nn.report.collector import no_collector
from raytune_nn.report.commands import place, report_line
from raytune_nn.report.confirmed import confirmed_text
from raytune_nn.report.failures import failures
from raytune_nn.report.live import LiveView
from raytune_nn.report.page.render import write_report
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted
from raytune_nn.store.bucket_lease import hold
from raytune_nn.store.checkpoints import STATES
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.interrupt import Signals
from raytune_nn.study.results import write_results
from raytune_nn.study.resume import stored_config
from raytune_nn.study.session import read_finished
from raytune_nn.trial.tester import Looked, Model, Tester, find_twin

RECOMMENDED = "recommended"  # folder of the model, in that of the trainings


def confirm(composed: Composed, signals: Signals) -> None:
    """Trains the best ``confirm.top`` configurations of a study on ``confirm.seeds`` seeds, and tests each model.

    What was confirmed is shown again by the same command, also with another confidence; the test data stay closed.

    Raises:
        ConfigError: There is no such study, its winners cannot be trained from the beginning, or it was confirmed with
            other configurations or seeds.
        NoSuccessfulTrialError: No configuration has two finite values.
        InterruptedStudyError: By a signal; the same command goes on.
        UnusableError: Another driver holds the study, or its storage cannot be used.
    """
    wanted = composed.settings.confirm
    _check(wanted)
    study = read_existing(find_existing(composed))
    chosen = candidates(study, wanted.top)
    seeds = seeds_after(int(stored_config(study.folder)["seed"]), wanted.seeds)
    recorded = study.record.confirmed
    if recorded and _is_same(recorded, chosen, seeds):
        _show(study.folder, judged(recorded, wanted.confidence))
        return
    if recorded and recorded["openings"] and not wanted.again:
        rule = "the test data of a study are opened once, or how good the winner is becomes a choice again"
        asked = _words([trial.id for trial in chosen], seeds)
        found = (
            f"opened for {_words([each['trial'] for each in recorded['candidates']], recorded['seeds'])}; now {asked}"
        )
        raise ConfigError(rule, found, "confirm.again=true, which is counted and shown")
    params = [{path: value for path, value in trial.params.items() if path != SEED} for trial in chosen]
    inner = seed_study(composed, study, params, seeds)
    lease = hold(study.folder, inner.checked.plan.command, _warn)
    try:
        event = _confirmed(study, chosen, inner, signals, wanted.confidence)
        _record(study.folder, event)
    finally:
        lease.release()
    _show(study.folder, event)


def _confirmed(
    study: Study, chosen: Sequence[TrialRecord], inner: SeedStudy, signals: Signals, confidence: float
) -> Event:
    """Trains, opens the test data, and compares."""
    plan = inner.checked.plan
    verbose = bool(plan.settings.verbose)
    tester = Tester(plan.config, plan.branches, plan.settings.security.allow_targets)
    if verbose:
        epochs = counted(plan.settings.budget.max_epochs, "epoch")
        print(f"{_words([trial.id for trial in chosen], inner.seeds)}, up to {epochs} each", flush=True)
    looked = _look(inner, tester, verbose)
    trainings = inner.trainings(_trained(inner, signals))
    found = _opened(inner, trainings, tester, looked, signals)
    rows = zip(chosen, inner.configurations, trainings, found.values, looked.parameters, strict=True)
    event = {
        "metric": found.metric,
        "of": plan.objective.metric,
        "maximise": plan.objective.maximise,
        "on": found.on,
        "why": found.why,
        "openings": study.record.confirmed.get("openings", 0) + (found.on == "test"),
        "overlap": found.overlap,
        "seeds": list(inner.seeds),
        "candidates": [described(*row) for row in rows],
    }
    event = judged(event, confidence)
    _keep_model(inner, trainings[[trial.id for trial in chosen].index(event["recommended"])])
    return event


def _check(wanted: ConfirmConfig) -> None:
    for key, least, why in (("top", 1, ""), ("seeds", 2, ": one training has no interval")):
        value = getattr(wanted, key)
        if value < least:
            raise ConfigError(f"confirm.{key} must be at least {least}{why}", value, f"confirm.{key}=5")
    if not 0.5 <= wanted.confidence < 1:
        rule = "confirm.confidence must be at least 0.5 and below 1"
        raise ConfigError(rule, wanted.confidence, "confirm.confidence=0.95")


def _is_same(recorded: Event, chosen: Sequence[TrialRecord], seeds: Sequence[int]) -> bool:
    ids = {each["trial"] for each in recorded["candidates"]}
    return ids == {trial.id for trial in chosen} and recorded["seeds"] == list(seeds)


def _words(trials: Sequence[str], seeds: Sequence[int]) -> str:
    which = f"trial{'s' if len(trials) > 1 else ''} {', '.join(trials)}"
    return f"{which} on seeds {seeds[0]} to {seeds[-1]}"


def _look(inner: SeedStudy, tester: Tester, verbose: bool) -> Looked:
    """What would be wrong with the test in the end, said before anything is trained."""
    looked = tester.look([Model(dict(params)) for params in inner.configurations])
    if looked.untestable and verbose:
        print(f"no test data ({looked.untestable}): validation values will be compared, which are optimistic")
    if looked.logged is not None:
        find_twin(inner.checked.plan.objective.metric, looked.logged)
    return looked


def _trained(inner: SeedStudy, signals: Signals) -> StudyRecord:
    """The trainings, from where they were left.

    Raises:
        RaytuneError: Some are still to be done, and why.
    """
    checked = inner.checked
    plan, folder = checked.plan, checked.folder
    if checked.exists and (record := read_finished(plan, folder)) is not None:
        return record
    if checked.address is None:
        check_headroom(checked.capacity, plan.settings.resources)
    with LiveView(plan.settings, plan.num_trials, slots=checked.capacity.slots, scheduler=plan.scheduler) as view:
        conductor = run_trials(checked, view, signals)
    if conductor.fault is not None:
        raise conductor.fault
    record = conductor.record
    if wrong := failures(record):
        print(wrong)
    if record.status == "interrupted":
        rule = "interrupted; what was trained is kept, and the test data are closed"
        raise InterruptedStudyError(rule, fix=plan.command)
    if record.reason:  # as first trainings that all failed alike
        rule = "all trainings must come to an end before the test data are opened"
        raise NoSuccessfulTrialError(rule, record.reason, f"mend what went wrong (above), then {plan.command}")
    return record


def _opened(inner: SeedStudy, trainings: Trainings, tester: Tester, looked: Looked, signals: Signals) -> Values:
    if looked.untestable:
        return validation_values(inner, trainings, looked.untestable)
    plan = inner.checked.plan
    try:
        with signals.dispensable():
            return open_test_data(inner, trainings, tester, print if plan.settings.verbose else lambda text: None)
    except KeyboardInterrupt:
        rule = "interrupted in the test, of which nothing was shown; all trainings are kept"
        raise InterruptedStudyError(rule, fix=plan.command) from None


def _keep_model(inner: SeedStudy, trainings: Sequence[TrialRecord]) -> None:
    """The recommended configuration's model, of the seed that was best in validation: the test has no say in it."""
    folder, objective = inner.checked.folder, inner.checked.plan.objective
    values = {trial.id: objective.score(trial.value) for trial in trainings if trial.value is not None}
    best = max((trial for trial in trainings if trial.id in values), key=lambda trial: values[trial.id])
    source, target = folder.checkpoints / str(best.checkpoint), folder.path / RECOMMENDED
    with usable(folder.shown(target)):
        folder.files.fetch_folder(source, but=STATES)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*STATES))
    folder.publish(target)


def _record(folder: StudyFolder, event: dict[str, Any]) -> None:
    """In the study's journal, its summary and its page."""
    journal = Journal(folder.journal, files=folder.files)
    try:
        journal.append("confirmed", **event)
        journal.sync(force=True)
    finally:
        journal.close()
    with no_collector():
        study = read_existing(folder)
        write_results(folder, study.record)
        write_report(study)


def _show(folder: StudyFolder, event: Event) -> None:
    print(confirmed_text(event))
    model = folder.path / "confirm" / RECOMMENDED
    print(f"model in {place(folder, model)}\n{report_line(folder)}")


def _warn(text: str) -> None:
    print(f"raytune_nn: {text}", file=sys.stderr)
