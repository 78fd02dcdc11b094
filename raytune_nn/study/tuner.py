"""The one adapter between a study and Ray Tune: Tune runs trials in actors, the conductor decides.

To Tune, a piece of work is a trial: one that pauses ends, and goes on as another, in whatever actor is free.
"""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any
from unittest import mock

from ray import tune
from ray.tune import CheckpointConfig, PlacementGroupFactory, RunConfig, TuneConfig, Tuner
from ray.tune.error import TuneError
from ray.tune.experiment import Trial
from ray.tune.registry import get_trainable_cls, validate_trainable
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from raytune_nn.cluster.resources import worker_bundle
from raytune_nn.config.schema import Placement, ResourcesConfig
from raytune_nn.errors import ConfigError, RaytuneError, UnusableError
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.lost import Losses, any_loss_is_an_actors, last_words
from raytune_nn.study.preemption import Preemption
from raytune_nn.study.tune_loop import Ending, Events, OfDriver, Refresh
from raytune_nn.study.watch import Watch
from raytune_nn.trial.losses import lost_node
from raytune_nn.trial.targets import TargetCheck, import_ends_process
from raytune_nn.trial.task import StudyContext, TrialTask
from raytune_nn.trial.trainable import TrialActor
from raytune_nn.trial.wind_down import Notice


def run_study(
    conductor: Conductor,
    context: StudyContext,
    check: TargetCheck,
    resources: ResourcesConfig,
    scratch: str,
    refresh: Refresh,
    most: int | None = None,
) -> None:
    """Runs all trials of a study on the connected cluster.

    Args:
        conductor: Decides, and writes the journal.
        context: What every slot needs to know.
        check: What each slot checks before its first trial.
        resources: What one trial holds.
        scratch: Folder for Tune's own files, which nobody reads.
        refresh: Called a few times a second.
        most: Trials at once, where more would fit on the cluster.

    Raises:
        ConfigError: The check failed; no trial was trained.
        RaytuneError: What the conductor raises: the storage did not come back, or another driver has the study.
    """
    notice = Notice(uuid.uuid4().hex)
    trainable = tune.with_parameters(TrialActor, study=context, check=check, notice=notice)
    feed, watch = _Feed(conductor), Watch(context.no_report_timeout)
    events = Events(conductor, notice, watch, refresh)
    verdicts = _Verdicts(conductor, feed, watch, shares_gpu=0 < resources.gpus < 1)
    tuner = Tuner(
        tune.with_resources(trainable, lambda config: _placement(resources, config["task"])),
        tune_config=TuneConfig(
            num_samples=-1,  # until the conductor says that it is finished
            search_alg=feed,
            scheduler=verdicts,
            max_concurrent_trials=most,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),  # sampled values can be too long for a name
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=scratch,
            verbose=0,
            callbacks=[events],
            stop=Ending(conductor, events),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),  # a trial writes its own, where worth it
        ),
    )
    with _trainable_at_hand(), any_loss_is_an_actors(), contextlib.closing(notice), _own_errors():
        tuner.fit()
    if verdicts.refusal is not None:
        raise verdicts.refusal


@contextlib.contextmanager
def _trainable_at_hand() -> Iterator[None]:
    """For each trial, Tune asks Ray's store five times for the trainable, and waits; in a study it is always the same.

    It has no option for it.
    """
    with (
        mock.patch("ray.tune.experiment.trial.validate_trainable", functools.cache(validate_trainable)),
        mock.patch("ray.tune.experiment.trial.get_trainable_cls", functools.cache(get_trainable_cls)),
    ):
        yield


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Tune hides what is raised while it hands over a result, as that the storage is gone, in an error of its own."""
    try:
        yield
    except TuneError as error:
        if isinstance(error.__context__, RaytuneError):
            raise error.__context__ from None
        raise


def _placement(resources: ResourcesConfig, task: TrialTask) -> PlacementGroupFactory:
    """What Ray keeps free for a piece of work; actors are reused among those that ask for the same."""
    strategy = "SPREAD" if resources.placement is Placement.spread else "PACK"
    # A bundle a worker, all or none: trials that each had some of theirs would wait for each other.
    worker = worker_bundle(resources, 1.0 if task.alone else resources.gpus)
    return PlacementGroupFactory([worker] * resources.workers, strategy=strategy)


class _Feed(OfDriver, Searcher):
    """Hands the conductor's tasks to Tune as configurations."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__(conductor)
        self._unstarted: deque[TrialTask] = deque()
        self._given_back: set[int] = set()

    def suggest(self, trial_id: str) -> Any:
        again = self._unstarted and not (self._conductor.ending or self._conductor.winds_down)
        task = self._unstarted.popleft() if again else self._conductor.next_task()
        if task is not None:
            return {"task": task}
        return Searcher.FINISHED if self._conductor.finished else None

    def take_back(self, task: TrialTask) -> bool:
        """Hands a task out again whose process died before the trial began; once, since the trial may be the cause."""
        began = self._conductor.record.trials[task.id].state == "running"
        if began or task.piece in self._given_back:
            return False
        self._given_back.add(task.piece)
        self._unstarted.append(task)
        return True

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Nothing: the conductor hears of it by the trial's last result."""

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        return True


class _Verdicts(OfDriver, TrialScheduler):
    """Answers Tune's results with the conductor's decisions."""

    def __init__(self, conductor: Conductor, feed: _Feed, watch: Watch, shares_gpu: bool) -> None:
        super().__init__(conductor)
        self._feed, self._watch, self._shares_gpu = feed, watch, shares_gpu
        self._losses, self._preemption = Losses(), Preemption()
        self._any_began = False
        self.refusal: ConfigError | None = None  # why nothing can be trained

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        self._watch.heard(trial)
        if "refused" in result:
            self._refuse(ConfigError(*result["refused"]))
            return TrialScheduler.STOP
        self._any_began = True
        if not self._conductor.is_current(trial.config["task"]):
            return TrialScheduler.STOP
        id = trial.config["task"].id
        if result["reports"]:
            self._preemption.reported(id)
        for report in result["reports"]:
            if not self._conductor.reported(id, report):
                return TrialScheduler.STOP
        if "waits" in result:
            self._conductor.room.slot_waits(id, result["waits"])
        if "storage_lost" in result and self._conductor.room.others_at_work:
            self._conductor.ended(id, result["error"], lost=True, counts=False)
            return TrialScheduler.STOP
        if "storage_lost" in result:
            self._conductor.give_up(UnusableError(*result["storage_lost"]))
            return TrialScheduler.STOP
        if "left" in result:
            self._conductor.left(id)
            return TrialScheduler.NOOP  # its slot stays as it is: no other trial is to begin there
        if result["ended"] and "unusable" in result:
            self._conductor.fall_back(id, result["unusable"], result["error"])
            return TrialScheduler.STOP
        if result["ended"]:
            lost = "node_lost" in result
            counts = not (lost and self._preemption.is_free(id))
            out_of_memory = self._shares_gpu and "out_of_memory" in result
            self._conductor.ended(id, result["error"], out_of_memory, lost, counts)
            return TrialScheduler.STOP
        return TrialScheduler.CONTINUE

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        pass

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """The process of the trial is gone: its own exceptions arrive as results."""
        task, silence = trial.config["task"], self._watch.silence(trial)
        if not self._conductor.is_current(task):
            return
        if self._feed.take_back(task):
            return
        words = last_words(trial)
        if with_node := lost_node(words):
            free = self._preemption.is_free(task.id)
            self._conductor.ended(task.id, f"{words}\n{with_node}", lost=True, counts=not free)
            return
        lost, of_itself = self._losses.explain(words, silence)
        began = self._any_began or self._conductor.record.trials[task.id].state == "running"
        if of_itself and not began:
            self._refuse(import_ends_process(lost))
        else:
            self._conductor.ended(task.id, lost, lost=True)

    def _refuse(self, error: ConfigError) -> None:
        self.refusal = self.refusal or error
        self._conductor.interrupt()

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        pass

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        pass

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        self._watch.look(tune_controller._tune_controller)
        return None  # Tune starts pending trials in their order by itself

    def debug_string(self) -> str:
        return ""
