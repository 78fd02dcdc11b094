"""The slot: a Ray Tune trainable whose actor trains one trial after another.

Tune asks by ``step`` and gets all reports since it last asked; the training goes on meanwhile, in a thread of its own
(`raytune_nn.trial.training`).
"""

from __future__ import annotations

from typing import Any

from ray import tune

from raytune_nn.errors import RaytuneError
from raytune_nn.trial.gang import Gang, start_gang
from raytune_nn.trial.targets import TargetCheck, as_plain
from raytune_nn.trial.task import StudyContext, TrialTask
from raytune_nn.trial.training import Training
from raytune_nn.trial.wind_down import Notice

STOP_SECONDS = 60.0  # how long a stopped training may take to reach its next epoch's end before its process is given up


class TrialActor(tune.Trainable):
    """Runs ``run_trial`` for each configuration that Tune hands to this actor."""

    _refusal: tuple[str, str | None, str] | None = None  # why no configuration of this study can be trained
    _gang: Gang | None = None  # the other workers, where a trial has several

    def setup(  # type: ignore[override]  # by with_parameters
        self, config: dict[str, Any], study: StudyContext, check: TargetCheck, notice: Notice
    ) -> None:
        """Imports the libraries and the user's modules once, and checks that a trial can begin (stage B).

        The trial begins with the first ``step``: Tune gives its trial to another actor where one becomes free earlier.
        """
        from raytune_nn.trial.gpu import limit_memory
        from raytune_nn.trial.instantiate import setting
        from raytune_nn.trial.rehearsal import prepare

        self._notice = notice
        self._study, self._gang = study, start_gang(study, check)  # its workers import while this one does
        task: TrialTask = config["task"]
        try:
            limit_memory(1.0 if task.alone else float(setting(study.config, "resources.gpus")))
            self._isolation = prepare(study, check)
        except RaytuneError as error:
            self._refusal = as_plain(error)
        else:
            if self._gang is not None:
                self._gang.wait()
            self._take(config)

    def step(self) -> dict[str, Any]:
        """The reports since the last call; with ``ended`` true, and the error if there was one, at the last.

        With ``out_of_memory``, the error was that a GPU's memory was too small; with ``node_lost``, that a worker's
        node is gone; with ``left``, the training has left an interrupted study before its end.
        With ``unusable``, it says why the trial cannot go on from the state that its task names.
        With ``refused``, the arguments of an error, no configuration of this study can be trained; with
        ``storage_lost``, the same, the study's storage did not come back in time.
        With ``waits``, it is waited for, for this reason.
        """
        if self._refusal is not None:
            return {"reports": [], "ended": True, "error": "", "refused": self._refusal}
        self._training.go_on()
        return self._training.collect()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ends the old trial and begins the next; an error makes Tune give this process up."""
        if self._refusal is not None:
            return True
        if self._training.node_lost:  # the placement group has a hole, which nobody knows when it is filled
            raise RuntimeError("a node of this slot is lost")
        if not self._training.stop(STOP_SECONDS):
            raise TimeoutError(f"{self._training.name} was told to stop and goes on after {STOP_SECONDS:g} s")
        self._take(new_config)
        self._training.go_on()  # it stays with this actor, so the first ``step`` need not come first
        return True

    def cleanup(self) -> None:
        """Lets the trial reach its next report, so that its TensorBoard run is closed."""
        if self._refusal is None and not self._training.node_lost:  # else it may wait for that node's workers
            self._training.stop(STOP_SECONDS)
        if self._gang is not None:
            self._gang.end()

    def _take(self, config: dict[str, Any]) -> None:
        task: TrialTask = config["task"]
        self._training = Training(self._study, task, self._isolation, self._gang, self._notice.is_posted)
