"""Ray's own ASHA and Optuna's successive halving behind our interface, so that the simulator can drive them too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import Trial, TrialState
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import GO_ON, Decision, Verdict

STOP = Verdict(Decision.STOP)
NO_CONTROLLER: Any = None  # the scheduler looks at none


def _stub(trial: str) -> Any:
    return SimpleNamespace(trial_id=trial)


class RayASHA(NoScheduler):
    """Ray Tune's ASHAScheduler, on trials that are no more than an id."""

    def __init__(self, max_epochs: int, reduction_factor: int) -> None:
        self.scheduler = ASHAScheduler(
            "training_iteration", "score", "max", max_t=max_epochs, reduction_factor=reduction_factor
        )
        self.last: dict[str, dict[str, Any]] = {}

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        self.scheduler.on_trial_add(NO_CONTROLLER, _stub(trial))

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        self.last[trial] = {"training_iteration": step, "score": score}
        action = self.scheduler.on_trial_result(NO_CONTROLLER, _stub(trial), self.last[trial])
        return STOP if action == TrialScheduler.STOP else GO_ON

    def on_end(self, trial: str, complete: bool) -> None:
        self.scheduler.on_trial_complete(NO_CONTROLLER, _stub(trial), self.last.pop(trial, {}))


class OptunaHalving(NoScheduler):
    """Optuna's SuccessiveHalvingPruner, asked after each epoch."""

    def __init__(self, reduction_factor: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction_factor)
        self.study = optuna.create_study(direction="maximize", pruner=pruner)
        self.trials: dict[str, Trial] = {}
        self.scores: dict[str, float] = {}

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        self.trials[trial] = self.study.ask()

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        self.trials[trial].report(score, step)
        self.scores[trial] = score
        return STOP if self.trials[trial].should_prune() else GO_ON

    def on_end(self, trial: str, complete: bool) -> None:
        score = self.scores.get(trial)
        if score is None:
            self.study.tell(self.trials[trial], state=TrialState.FAIL)
        else:
            self.study.tell(self.trials[trial], score)
