"""A study: many trials on a cluster, from the first check to the winner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from raytune_nn.cluster.connect import local_cluster
from raytune_nn.cluster.existing import existing_cluster
from raytune_nn.cluster.headroom import check_headroom
from raytune_nn.cluster.newcomers import Newcomers
from raytune_nn.config.compose import Composed
from raytune_nn.modes.ending import show_ending
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.report.commands import tensorboard
from raytune_nn.report.live import LiveView
from raytune_nn.report.live_doctor import LiveDoctor
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.interrupt import Signals
from raytune_nn.study.session import open_study, read_finished
from raytune_nn.trial.lost_run import close_lost_run

# What a slot needs but Ray, which cannot be forked once it is imported; the last three are what Ray Tune needs most of.
SLOT_MODULES = ("raytune_nn.trial.rehearsal", "raytune_nn.nn", "raytune_nn.data", "pandas", "pyarrow.fs", "requests")


def search(composed: Composed, signals: Signals) -> StudyFolder:
    """Checks, starts a cluster, runs the study, and shows who won; returns where it is.

    Raises:
        RaytuneError: Bad configuration, a study without a successful trial, or an interruption.
    """
    checked = preflight(composed)
    plan, folder = checked.plan, checked.folder
    if checked.exists and (record := read_finished(plan, folder)) is not None:
        show_ending(plan, folder, record)
        return folder
    if checked.address is None:
        check_headroom(checked.capacity, plan.settings.resources)
    slots, warns = checked.capacity.slots, LiveDoctor(plan.objective, plan.config, plan.scheduler.copies)
    with LiveView(plan.settings, plan.num_trials, slots=slots, scheduler=plan.scheduler, doctor=warns) as view:
        conductor = run_trials(checked, view, signals)
    show_ending(plan, folder, conductor.record, conductor.fault, signals)
    return folder


def run_trials(checked: Checked, view: LiveView, signals: Signals) -> Conductor:
    """Starts a cluster and runs the trials on it until the study has ended or is interrupted."""
    plan, settings = checked.plan, checked.plan.settings
    grace = settings.cluster.grace_seconds
    if plan.cache is not None:
        plan.cache.begin(view.say)
    with _cluster(checked, view) as (scratch, newcomers):
        from raytune_nn.study.tuner import run_study  # imports Ray Tune, by now in memory

        signals.opening()
        with open_study(plan, checked.folder, view.heard) as conductor:
            view.say(f"watch it: {tensorboard(checked.folder)}")

            def refresh() -> None:
                if newcomers is not None and newcomers.fault is not None and conductor.fault is None:
                    conductor.fault = newcomers.fault
                    conductor.interrupt(grace)
                view.refresh()

            with signals.interrupting(conductor, grace, view.say):
                context, most = plan.context(checked.folder), checked.capacity.most
                run_study(conductor, context, checked.targets, settings.resources, scratch, refresh, most)
            conductor.close(signals.came)
        _close_lost_runs(checked.folder, conductor.record)
        return conductor


def _close_lost_runs(folder: StudyFolder, record: StudyRecord) -> None:
    """In TensorBoard, a trial whose process was lost for good would seem to run."""
    for trial in record.trials.values():
        if trial.state == "failed":
            close_lost_run(folder.tensorboard / trial.id, folder.files)


@contextmanager
def _cluster(checked: Checked, view: LiveView) -> Iterator[tuple[str, Newcomers | None]]:
    """The one that runs already, or a private one, which nobody joins; and the folder for Ray Tune's files."""
    settings = checked.plan.settings
    if checked.address is not None:
        there, wanted, verbose = settings.cluster, settings.resources, settings.verbose
        with existing_cluster(checked.address, there, wanted, verbose, checked.folder, view.say) as joined:
            yield joined
        return
    preload = () if settings.resources.gpus else SLOT_MODULES  # a CUDA that was touched does not survive a fork
    with local_cluster(checked.capacity, settings.verbose, preload) as scratch:
        yield scratch, None
