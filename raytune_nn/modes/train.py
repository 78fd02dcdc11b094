"""One training of the composed configuration, in this process and without a cluster: for debugging."""

from __future__ import annotations

import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING

from raytune_nn.config.compose import Composed
from raytune_nn.modes.ending import show_ending
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.report.live import LiveView
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.interrupt import interruptible, terminable
from raytune_nn.study.resume import is_finished
from raytune_nn.study.session import open_study, read_record

if TYPE_CHECKING:
    from raytune_nn.trial.isolation import Isolation


@terminable()
def train(composed: Composed) -> None:
    """Checks, trains, and shows what came of it.

    Raises:
        RaytuneError: Bad configuration, a failed training, or an interruption.
    """
    checked = preflight(composed)
    plan, folder = checked.plan, checked.folder
    if checked.exists and is_finished(record := read_record(folder, plan.objective), plan.settings):
        show_ending(plan, folder, record)
        return
    isolation = _prepared(checked)
    with (
        LiveView(plan.settings, plan.num_trials) as view,
        open_study(plan, folder, view.heard) as conductor,
        interruptible(conductor) as interrupted,
    ):
        _train_one(checked, conductor, isolation)
        conductor.close(interrupted.is_set())
    show_ending(plan, folder, conductor.record, conductor.fault)


def _prepared(checked: Checked) -> Isolation:
    from raytune_nn.trial.rehearsal import prepare

    return prepare(checked.plan.context(checked.folder), checked.targets)


def _train_one(checked: Checked, conductor: Conductor, isolation: Isolation) -> None:
    """The same body as in a slot of a cluster; reports are answered by a call."""
    from raytune_nn.trial.fit import run_trial
    from raytune_nn.trial.saved_state import UnusableState

    while (task := conductor.next_task()) is not None:  # again after a failure, if retries are asked for
        conductor.started(task.id)
        error = ""
        try:
            run_trial(
                checked.plan.context(checked.folder),
                task,
                isolation,
                lambda report: conductor.reported(task.id, asdict(report)),
                lambda: _is_ending(conductor),
            )
        except UnusableState as unusable:
            conductor.fall_back(task.id, str(unusable), traceback.format_exc())
            continue
        except (Exception, SystemExit):  # Lightning's answer to a second Ctrl-C is to exit
            error = traceback.format_exc()
        conductor.ended(task.id, error)


def _is_ending(conductor: Conductor) -> bool:
    """Looks at the clock, which nobody else does here."""
    conductor.tick()
    return bool(conductor.ending)
