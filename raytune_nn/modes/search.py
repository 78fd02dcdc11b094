"""A study: many trials on a cluster, from the first check to the winner."""

from __future__ import annotations

from contextlib import AbstractContextManager

from raytune_nn.cluster.connect import local_cluster
from raytune_nn.cluster.existing import existing_cluster
from raytune_nn.cluster.headroom import check_headroom
from raytune_nn.config.compose import Composed
from raytune_nn.modes.ending import show_ending
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.report.live import LiveView
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.interrupt import interruptible, terminable
from raytune_nn.study.resume import is_finished
from raytune_nn.study.session import open_study, read_record

# What a slot needs but Ray, which cannot be forked once it is imported; the last three are what Ray Tune needs most of.
SLOT_MODULES = ("raytune_nn.trial.rehearsal", "raytune_nn.nn", "raytune_nn.data", "pandas", "pyarrow.fs", "requests")


@terminable()
def search(composed: Composed) -> None:
    """Checks, starts a cluster, runs the study, and shows who won.

    Raises:
        RaytuneError: Bad configuration, a study without a successful trial, or an interruption.
    """
    checked = preflight(composed)
    plan, folder = checked.plan, checked.folder
    if checked.exists and is_finished(record := read_record(folder, plan.objective), plan.settings):
        show_ending(plan, folder, record)
        return
    if checked.address is None:
        check_headroom(checked.capacity, plan.settings.resources)
    with LiveView(plan.settings, plan.num_trials) as view:
        conductor = _run(checked, view)
    show_ending(plan, folder, conductor.record, conductor.fault)


def _run(checked: Checked, view: LiveView) -> Conductor:
    plan, settings = checked.plan, checked.plan.settings
    with _cluster(checked) as scratch:
        from raytune_nn.study.tuner import run_study  # imports Ray Tune, by now in memory

        with (
            open_study(plan, checked.folder, view.heard) as conductor,
            interruptible(conductor) as interrupted,
        ):
            context = plan.context(checked.folder)
            most = checked.capacity.most
            run_study(conductor, context, checked.targets, settings.resources, scratch, view.refresh, most)
            conductor.close(interrupted.is_set())
        return conductor


def _cluster(checked: Checked) -> AbstractContextManager[str]:
    """The one that runs already, or a private one; inside is the folder for Ray Tune's files."""
    capacity, settings = checked.capacity, checked.plan.settings
    if checked.address is not None:
        return existing_cluster(checked.address, capacity, settings.verbose, checked.folder.path)
    preload = () if settings.resources.gpus else SLOT_MODULES  # a CUDA that was touched does not survive a fork
    return local_cluster(capacity, settings.verbose, preload)
