"""A slot whose trials have several workers: the slot's own process is worker 0, and keeps the others here.

The others are Ray actors in the slot's placement group. They start with the slot, train with it trial after trial, and
end with it, also where its process dies. A worker whose training raises fails the trial and lives on; with a worker
whose process dies the whole slot is over, and the trial is tried again like any other whose process died.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import get_current_placement_group, placement_group_table
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.store.retry import Retry
from raytune_nn.trial.instantiate import setting
from raytune_nn.trial.losses import lost_node
from raytune_nn.trial.outcome import Outcome, attempt
from raytune_nn.trial.ranks import Ranks
from raytune_nn.trial.targets import TargetCheck
from raytune_nn.trial.task import Report, StudyContext, TrialTask

if TYPE_CHECKING:
    from raytune_nn.trial.group import Place

WORKER_DIED = 70  # exit code of a slot of which another worker died
END_SECONDS = 30.0  # after the first worker is through, or has failed, in which the others must come to their end


class Worker:
    """A worker but the first; a Ray actor."""

    def __init__(self, study: StudyContext, check: TargetCheck) -> None:
        from raytune_nn.trial.instantiate import locate_all
        from raytune_nn.trial.isolation import Isolation, trial_threads

        check.check_names()
        locate_all(study.config, study.branches)
        self._study, self._isolation = study, Isolation(trial_threads(study.config))

    def ready(self) -> None:
        """Answers once the worker is made."""

    def train(self, task: TrialTask, place: Place) -> Outcome:
        """The same training as worker 0's, whose answers to reports it hears; it writes nothing."""
        from raytune_nn.trial.fit import run_trial
        from raytune_nn.trial.group import join
        from raytune_nn.trial.outbox import NoOutbox
        from raytune_nn.trial.workplace import workplace

        def follow() -> None:
            with workplace(self._study) as (study, files):
                outbox = NoOutbox(retry=Retry(seconds=study.storage_timeout), files=files)
                run_trial(study, task, self._isolation, _no_answer, outbox=outbox, ranks=join(place))

        return attempt(follow)

    def leave(self) -> None:
        """Ends the connection to the others; `train` does not, so that its error is known before theirs."""
        from raytune_nn.trial.group import leave

        leave()


def _no_answer(report: Report) -> bool:
    return True  # worker 0's counts


def start_gang(study: StudyContext, check: TargetCheck) -> Gang | None:
    """The other workers of this slot; None where its trials have none."""
    config = study.config
    workers = int(setting(config, "resources.workers"))
    if workers == 1:
        return None
    cpus, gpus, memory = (setting(config, f"resources.{name}") for name in ("cpus", "gpus", "memory"))
    return Gang(study, check, ResourcesConfig(float(cpus), float(gpus), memory, workers))


class Gang:
    """The other workers of a slot.

    Args:
        resources: Of a worker, and how many there are.
    """

    def __init__(self, study: StudyContext, check: TargetCheck, resources: ResourcesConfig) -> None:
        self._arguments = ray.put(study), ray.put(check)
        self._resources = resources
        self._bundles: Any = get_current_placement_group()
        nodes = set(placement_group_table(self._bundles)["bundles_to_node_id"].values())
        self._host = "127.0.0.1" if len(nodes) == 1 else ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        self._workers: dict[int, Any] = {}
        self._start()

    def wait(self) -> None:
        """Until all workers are there; ends this process where one cannot be."""
        try:
            ray.get([worker.ready.remote() for worker in self._workers.values()])
        except RayError:
            self._die()

    def train(self, task: TrialTask, body: Callable[[Ranks], None], give_up: Callable[[Outcome], None]) -> Outcome:
        """Trains a trial on all workers, this one among them.

        Args:
            body: Worker 0's part.
            give_up: Called from another thread with the trial's outcome, where it has failed and worker 0 cannot be
                brought to its end.
        """
        from raytune_nn.trial.group import join, leave, open_store

        self._start()
        store, places = open_store(self._host, 1 + len(self._workers))
        futures = {worker.train.remote(task, places[rank]): rank for rank, worker in self._workers.items()}
        effort = _Effort(futures, self._workers, self._die, give_up)
        effort.start()
        effort.ended(0, attempt(lambda: body(join(places[0], store))))
        if effort.failure is None:
            effort.join()
        leave()
        effort.join()
        return effort.failure or Outcome()

    def end(self) -> None:
        """Ends the workers."""
        for worker in self._workers.values():
            ray.kill(worker)
        self._workers.clear()

    def _start(self) -> None:
        """Starts those that are not there."""
        resources = self._resources
        for rank in range(1, resources.workers):
            if rank not in self._workers:
                self._workers[rank] = (
                    ray.remote(Worker)
                    .options(
                        num_cpus=resources.cpus,
                        num_gpus=resources.gpus,
                        memory=None if resources.memory is None else resources.memory * 2**30,
                        max_concurrency=2,  # in threads, as in the slot: Lightning sets signals in the main thread
                        scheduling_strategy=PlacementGroupSchedulingStrategy(self._bundles, rank),
                    )
                    .remote(*self._arguments)
                )

    def _die(self) -> None:
        """Ends the gang at once: Ray ends the workers of a process that is gone as well, but later."""
        self.end()
        os._exit(WORKER_DIED)


class _Effort(threading.Thread):
    """One training of a gang: hears how each worker ended, and sees to it that all do."""

    def __init__(
        self,
        futures: dict[Any, int],
        workers: dict[int, Any],
        die: Callable[[], None],
        give_up: Callable[[Outcome], None],
    ) -> None:
        super().__init__(daemon=True, name="gang")
        self._futures, self._workers, self._size = futures, workers, len(workers) + 1
        self._die, self._give_up = die, give_up
        self._lock = threading.Lock()  # two threads tell of an end
        self._first_ended = threading.Event()
        self._until: float | None = None  # when all workers must have ended
        self.failure: Outcome | None = None  # the first

    def ended(self, rank: int, outcome: Outcome) -> None:
        """A worker's training is over."""
        with self._lock:
            self._until = self._until or time.monotonic() + END_SECONDS
            if outcome.error and (self.failure is None or outcome.node_lost):  # which the other failures follow from
                whose = f"on worker {rank} of {self._size}:\n" if rank else ""
                self.failure = replace(outcome, error=whose + outcome.error)
        if rank == 0:
            self._first_ended.set()

    def run(self) -> None:
        """Until the other workers have ended, be it by force."""
        waiting, connected = dict(self._futures), set(self._workers)
        while waiting and not self._is_late():
            for future in ray.wait(list(waiting), timeout=1.0)[0]:
                self.ended(waiting.pop(future), self._outcome(future))
            if self.failure is not None:
                connected -= self._leave(connected - set(waiting.values()))
        for rank in waiting.values():
            self.ended(rank, Outcome(f"worker {rank} of {self._size} did not come to its end with the others"))
            ray.kill(self._workers.pop(rank))
        if self.failure is None:
            self._first_ended.wait(END_SECONDS)  # what it still does, it does alone, unless it waits for them in vain
        self._leave(connected - set(waiting.values()))
        if self.failure is not None and not self._first_ended.wait(END_SECONDS):
            self._give_up(self.failure)

    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    def _outcome(self, future: Any) -> Outcome:
        try:
            outcome: Outcome = ray.get(future)
        except RayError as error:
            if with_node := lost_node(str(error)):
                return Outcome(f"{error}\n{with_node}", node_lost=True)
            self._die()
            raise
        return outcome

    def _leave(self, ranks: set[int]) -> set[int]:
        """Has workers that have ended leave the group: the others hear it, if they wait for one of them."""
        futures = {rank: self._workers[rank].leave.remote() for rank in ranks}
        for rank, future in futures.items():
            try:
                ray.get(future, timeout=END_SECONDS)
            except RayError:  # it hangs, or has died: the next trial gets a new one
                ray.kill(self._workers.pop(rank))
        return ranks
