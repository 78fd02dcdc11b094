"""Trains a trial of a study again and compares every metric of every report, and the weights of the winner."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import Progress

from raytune_nn.config.compose import Composed, resolved, type_config
from raytune_nn.config.objective import read_objective
from raytune_nn.config.schema import Config
from raytune_nn.errors import ConfigError, NotReproducedError, RaytuneError
from raytune_nn.modes.compared_reports import ComparedReports
from raytune_nn.modes.existing import best_trial, find_existing, find_trial, read_existing
from raytune_nn.report.tables import counted
from raytune_nn.space.merge import merge_params
from raytune_nn.store.checkpoints import MODEL, STATES
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.recorded import TRIAL, Recorded, load_recorded, read_recorded
from raytune_nn.store.seal import damage
from raytune_nn.store.trial import TrialRecord
from raytune_nn.trial.ctrl_c import raise_if_interrupted
from raytune_nn.trial.targets import TargetCheck
from raytune_nn.trial.task import Report, StudyContext

if TYPE_CHECKING:
    from raytune_nn.trial.repetition import Repetition


def reproduce(composed: Composed) -> None:
    """Repeats ``study.trial``, or the best, in this process; the study itself is not touched.

    The study may be a folder that was copied from a study's ``best/``.

    Raises:
        ConfigError: There is no such study or trial, the trial failed before its first report, its model is damaged,
            or its trials have several workers.
        NotReproducedError: A metric differs, or a weight; the message names the first.
    """
    tolerance = composed.settings.reproduce.tolerance
    if not 0 <= tolerance < 1:
        raise ConfigError("0 <= reproduce.tolerance < 1 must hold", tolerance, "reproduce.tolerance=0.01")
    recorded, model = _find(composed)
    # Its runs in a logger stay as they are; keys that its version did not have are as they are here.
    stored = _typed({**composed.config, **yaml.safe_load(recorded.config), "logger": {}})
    if stored.settings.resources.workers > 1:
        rule = "mode=reproduce trains with one worker, so the study's trials must have had one"
        raise ConfigError(rule, f"resources.workers={stored.settings.resources.workers}", "another study.name")
    with tempfile.TemporaryDirectory(prefix="rtnn-") as scratch:
        _compare(recorded, stored, scratch, model, composed.settings)


def _typed(config: dict[str, Any]) -> Composed:
    try:
        return type_config(config)
    except OmegaConfBaseException as error:
        found = str(error).splitlines()[0]
        raise ConfigError("a study must be of a version whose keys this one has", found, "its own version") from error


def _merged(study: StudyContext, recorded: Recorded) -> dict[str, Any]:
    """The trial's configuration at its beginning."""
    try:
        return merge_params(study.config, study.branches, recorded.parts[0].params)
    except (KeyError, TypeError, AttributeError) as error:
        rule = "the parameters of a trial must be keys of its study's configuration"
        raise ConfigError(rule, recorded.parts[0].params, "copy the folder from its study again") from error


def _find(composed: Composed) -> tuple[Recorded, Path | None]:
    """The trial, and the model that it left, where that is there."""
    folder, wanted = find_existing(composed), composed.settings.study.trial
    if not folder.exists and (folder.path / TRIAL).is_file():
        recorded, model = load_recorded(folder.path), folder.path / MODEL
        if wanted not in (None, recorded.trial):
            found = f"{wanted}; {folder.place} holds trial {recorded.trial}"
            raise ConfigError("study.trial must be the trial of a best/ folder", found, "study.trial=null")
        return recorded, _whole(model)
    study = read_existing(folder)
    trial = best_trial(study.record) if wanted is None else find_trial(study.record, wanted)
    recorded = read_recorded(folder, study.record, trial.id)
    if not recorded.parts:
        why = trial.reason or trial.state
        raise ConfigError("study.trial must be a trial that reported", f"{trial.id}: {why}", "another study.trial")
    return recorded, _model(folder, study.record, trial)


def _model(folder: StudyFolder, record: StudyRecord, trial: TrialRecord) -> Path | None:
    """The model of a trial's value: others than the best may have left one of an earlier report."""
    if trial is not record.best or trial.checkpoint is None or trial.model_damage:
        return None
    path = folder.checkpoints / trial.checkpoint / MODEL
    with usable(folder.shown(path)):
        folder.files.fetch_folder(path.parent, but=STATES)
    return _whole(path)


def _whole(model: Path) -> Path | None:
    """The model if it is there, and as it was written.

    Raises:
        ConfigError: It is there, and damaged.
    """
    with usable(model):
        if not model.is_file():
            return None
        why = damage(model)
    if why:
        rule = "the model that a trial left must be as it was written"
        raise ConfigError(rule, f"{model}: {why}", f"remove {MODEL} there: the metrics alone are compared then")
    return model


def _compare(recorded: Recorded, stored: Composed, scratch: str, model: Path | None, settings: Config) -> None:
    """Trains, compares and tells.

    Args:
        stored: The study's configuration.
        scratch: An empty folder.
        model: Of the trial's value, where it is there.
        settings: Of this command.
    """
    from raytune_nn.trial.machine import inexact, this_machine
    from raytune_nn.trial.rehearsal import prepare
    from raytune_nn.trial.repetition import Repetition

    study = StudyContext(
        stored.config, recorded.branches, read_objective(stored.settings.objective), scratch, waits_at=None
    )
    config = _merged(study, recorded)
    check = TargetCheck([resolved(config)], stored.settings.security.allow_targets, [config])
    isolation = prepare(study, check)
    here = this_machine(config)
    whys = (inexact(report.get("machine", {}), here) for report in recorded.reports)
    why, tolerance = next(filter(None, whys), ""), settings.reproduce.tolerance
    if why:
        print(f"compared within {tolerance:g} of each value (reproduce.tolerance), since {why}", flush=True)
    comparison = ComparedReports(recorded.reports, tolerance if why else 0.0)
    repetition = Repetition(study, recorded, isolation)
    _train(repetition, recorded, comparison, settings.verbose)
    print(f"reproduced: trial {recorded.trial}, {counted(len(recorded.reports), 'report')}, {comparison.found}")
    if recorded.has_schedule:
        print(f"its schedule: {_schedule(recorded)}")
    if model is not None and repetition.model is not None and not why:
        print(_weights(recorded, repetition.model, model))


def _train(repetition: Repetition, recorded: Recorded, comparison: ComparedReports, verbose: int) -> None:
    trial, count = recorded.trial, len(recorded.reports)
    made = f"trial {trial} must make its {counted(count, 'report')} again"
    console, last = Console(), recorded.reports[-1]["epoch"]
    with Progress(console=console, transient=True, disable=verbose != 1 or not console.is_terminal) as progress:
        bar = progress.add_task(f"trial {trial} again", total=count)

        def hear(report: Report) -> bool:
            progress.update(bar, advance=1, description=f"trial {trial} again, epoch {report.epoch} of {last}")
            return comparison.hear(report.epoch, report.metrics)

        error: BaseException | None = None
        try:
            repetition.run(hear)
        except RaytuneError:  # of this machine, such as a disk that is full
            raise
        except (Exception, SystemExit) as raised:
            raise_if_interrupted(raised)
            error = raised
    if comparison.difference:
        within = f", within {comparison.tolerance:g} of each value" if comparison.tolerance else ""
        rule = f"trial {trial} must give the metrics that it gave{within}"
        raise NotReproducedError(rule, comparison.difference)
    if error is not None:
        raise NotReproducedError(made, f"{type(error).__name__} after {comparison.count}: {error}") from error
    if comparison.count < count:
        raise NotReproducedError(made, f"it made {comparison.count}")


def _schedule(recorded: Recorded) -> str:
    """Whose weights they were until when; a member that went on with other parameters is named again."""
    changes = zip(recorded.parts, [*recorded.parts[1:], None], strict=True)
    last = [one for one, next in changes if next is None or (one.trial, one.params) != (next.trial, next.params)]
    return ", ".join(f"trial {part.trial} to epoch {part.reports[-1]['epoch']}" for part in last)


def _weights(recorded: Recorded, trained: Path, model: Path) -> str:
    """Compares the model of the trial's value with the one that was kept.

    Raises:
        NotReproducedError: A tensor differs.
    """
    from raytune_nn.trial.weights import differing_weights

    differing = differing_weights(trained, model)
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        rule = f"trial {recorded.trial} must come to the weights that it came to"
        raise NotReproducedError(rule, f"{differing[0]}{more}, where all its metrics are equal")
    return f"its weights: equal to those of {MODEL}, to the last bit"
