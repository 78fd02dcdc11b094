"""What a command does: one short file a mode."""

from __future__ import annotations

from raytune_nn.cluster.reaper import reaped
from raytune_nn.config.compose import Composed
from raytune_nn.config.schema import Mode
from raytune_nn.store.bucket import is_url
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.working_folder import working_path
from raytune_nn.study.interrupt import Signals


def run_mode(composed: Composed, signals: Signals) -> StudyFolder | None:
    """Runs the mode that the configuration asks for.

    Args:
        signals: Those to this process while it does so.

    Returns:
        The study that was trained, or shown since it was finished; None in other modes.

    Raises:
        RaytuneError: Whatever the user has to know; its exit code is the command's.
    """
    if is_url(composed.settings.study.storage):
        with reaped(str(working_path())):  # also where this process is killed
            return _run(composed, signals)
    return _run(composed, signals)


def _run(composed: Composed, signals: Signals) -> StudyFolder | None:
    mode = composed.settings.mode
    if mode is Mode.plan:
        from raytune_nn.modes.plan import plan

        plan(composed)
    elif mode is Mode.report:
        from raytune_nn.modes.report import report

        report(composed)
    elif mode is Mode.reproduce:
        from raytune_nn.modes.reproduce import reproduce

        reproduce(composed)
    elif mode is Mode.confirm:
        from raytune_nn.modes.confirm import confirm

        confirm(composed, signals)
    elif mode is Mode.lr_range:
        from raytune_nn.modes.lr_range import lr_range

        lr_range(composed)
    elif mode is Mode.export:
        from raytune_nn.modes.export import export

        export(composed)
    elif mode is Mode.list:
        from raytune_nn.modes.list import show_studies

        show_studies(composed)
    elif mode is Mode.stop:
        from raytune_nn.modes.stop import stop

        stop(composed)
    elif mode is Mode.doctor:
        from raytune_nn.modes.doctor import doctor

        doctor(composed)
    elif mode is Mode.submit:
        from raytune_nn.modes.submit import submit

        submit(composed)
    elif composed.settings.search is None:
        from raytune_nn.modes.train import train

        return train(composed, signals)
    else:
        from raytune_nn.modes.search import search

        return search(composed, signals)
    return None
