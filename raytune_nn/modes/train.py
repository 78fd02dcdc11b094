"""One training of the composed configuration, in this process and without a cluster: for debugging."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING

from raytune_nn.config.compose import Composed
from raytune_nn.errors import InterruptedStudyError, UnusableError
from raytune_nn.modes.ending import show_ending
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.report.commands import tensorboard
from raytune_nn.report.live import LiveView
from raytune_nn.report.live_doctor import LiveDoctor
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.interrupt import Signals
from raytune_nn.study.session import open_study, read_finished
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.task import TrialTask

if TYPE_CHECKING:
    from raytune_nn.trial.isolation import Isolation

WAIT_SECONDS = 0.5  # between two looks at the disk


def train(composed: Composed, signals: Signals) -> StudyFolder:
    """Checks, trains, and shows what came of it; returns where it is.

    Raises:
        RaytuneError: Bad configuration, a failed training, or an interruption.
    """
    checked = preflight(composed)
    plan, folder = checked.plan, checked.folder
    if checked.exists and (record := read_finished(plan, folder)) is not None:
        show_ending(plan, folder, record)
        return folder
    isolation = _prepared(checked)
    signals.opening()
    warns = LiveDoctor(plan.objective, plan.config, copies=False)
    with (
        LiveView(plan.settings, plan.num_trials, doctor=warns) as view,
        open_study(plan, folder, view.heard) as conductor,
    ):
        if plan.cache is not None:
            plan.cache.begin(view.say)
        view.say(f"watch it: {tensorboard(folder)}")
        with signals.interrupting(conductor, plan.settings.cluster.grace_seconds, view.say, alone=True):
            _train_one(checked, conductor, isolation)
        conductor.close(signals.came)
    show_ending(plan, folder, conductor.record, conductor.fault)
    return folder


def _prepared(checked: Checked) -> Isolation:
    from raytune_nn.trial.rehearsal import prepare

    return prepare(checked.plan.context(checked.folder), checked.targets)


def _train_one(checked: Checked, conductor: Conductor, isolation: Isolation) -> None:
    """The same body as in a slot of a cluster; reports are answered by a call."""
    from raytune_nn.trial.fit import run_trial
    from raytune_nn.trial.saved_state import UnusableState
    from raytune_nn.trial.wind_down import WindDown

    while (task := _next_task(conductor)) is not None:  # again after a failure, if retries are asked for
        conductor.started(task.id)
        error, wind_down = "", WindDown(lambda: conductor.winds_down)
        try:
            run_trial(
                checked.plan.context(checked.folder),
                task,
                isolation,
                lambda report: conductor.reported(task.id, asdict(report)),
                lambda: _is_ending(conductor),
                Outbox(retry=conductor.room.retry, files=checked.folder.files),
                wind_down=wind_down,
            )
        except InterruptedStudyError:  # it waited for its storage: no fault of the trial
            raise
        except UnusableError as unusable:
            conductor.give_up(unusable)
        except UnusableState as unusable:
            conductor.fall_back(task.id, str(unusable), traceback.format_exc())
            continue
        except (Exception, SystemExit):  # Lightning's answer to a second Ctrl-C is to exit
            error = traceback.format_exc()
        if wind_down.left:
            conductor.left(task.id)
        else:
            conductor.ended(task.id, error)


def _next_task(conductor: Conductor) -> TrialTask | None:
    """Waits where the disk has no room; None once there is nothing left to train."""
    while (task := conductor.next_task()) is None and not conductor.finished:
        time.sleep(WAIT_SECONDS)
    return task


def _is_ending(conductor: Conductor) -> bool:
    """Looks at the clock, which nobody else does here."""
    conductor.tick()
    return bool(conductor.ending)
