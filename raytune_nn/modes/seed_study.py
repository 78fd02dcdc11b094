"""The study in a study: each configuration on each seed, trained by the same engine (`<study>/confirm/`)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raytune_nn.config.compose import Composed, resolved, type_config
from raytune_nn.config.objective import read_objective
from raytune_nn.modes.candidates import SEED, configuration
from raytune_nn.modes.capacity import find_capacity
from raytune_nn.modes.preflight import Checked
from raytune_nn.report.study import Study
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.points import PointsFirst
from raytune_nn.search.random import RandomSearcher
from raytune_nn.space.merge import merge_params
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.locate import locate_study
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.resume import stored_config
from raytune_nn.study.session import StudyPlan, read_record
from raytune_nn.trial.targets import TargetCheck

NAME = "confirm"  # of the folder in that of the study
_SEARCH = {  # nothing is proposed, and nothing cut short
    "searcher": {"_target_": "raytune_nn.search.random.RandomSearcher"},
    "scheduler": {"_target_": "raytune_nn.search.none.NoScheduler"},
}


@dataclass(frozen=True)
class SeedStudy:
    """The trainings of some configurations on some seeds."""

    checked: Checked  # the study that trains them, ready to run
    configurations: Sequence[dict[str, Any]]  # parameters of each
    seeds: Sequence[int]

    def trainings(self, record: StudyRecord) -> list[list[TrialRecord]]:
        """Of each configuration its training on each seed, where all were suggested.

        Raises:
            KeyError: One was not.
        """
        found = {(configuration(trial.params), trial.params[SEED]): trial for trial in record.trials.values()}
        return [[found[configuration(params), seed] for seed in self.seeds] for params in self.configurations]


def seeds_after(seed: int, count: int) -> list[int]:
    """Seeds that the study did not train with: those after its own."""
    return [seed + number for number in range(1, count + 1)]


def seed_study(
    composed: Composed, study: Study, configurations: Sequence[dict[str, Any]], seeds: Sequence[int]
) -> SeedStudy:
    """Makes it ready; nothing is created. What was trained there before, for these seeds or others, stays.

    Args:
        composed: The command: its ``cluster`` and ``verbose`` count, all else is the study's own.

    Raises:
        ConfigError: A training does not fit on the cluster.
    """
    folder = locate_study(study.folder.url or str(study.folder.path), NAME)
    folder.fetch()
    branches = study.record.study.get("branches", {})
    points = [{**params, SEED: seed} for seed in seeds for params in configurations]
    earlier = _earlier(folder, study)
    points = [*earlier, *(point for point in points if point not in earlier)]
    typed = type_config(_config(composed, study, len(points)))
    settings, config = typed.settings, typed.config
    address, capacity = find_capacity(settings)
    merged = [merge_params(config, branches, params) for params in configurations]
    plan = StudyPlan(
        settings=settings,
        config=config,
        branches=branches,
        space=Space(),
        objective=read_objective(settings.objective),
        searcher=PointsFirst(points, RandomSearcher(Space(), 0)),
        scheduler=NoScheduler(),
        num_trials=len(points),
        command=shlex.join(["python", "-m", "raytune_nn", *composed.arguments]),
    )
    targets = TargetCheck([resolved(tree) for tree in merged], settings.security.allow_targets, merged)
    return SeedStudy(Checked(plan, folder, folder.exists, capacity, targets, address), configurations, seeds)


def _earlier(folder: StudyFolder, study: Study) -> list[dict[str, Any]]:
    if not folder.exists:
        return []
    return [trial.params for trial in read_record(folder, study.record.objective).trials.values()]


def _config(composed: Composed, study: Study, trials: int) -> dict[str, Any]:
    """The study's own configuration, as one without limits but the epochs, that keeps each training's model."""
    stored, outer = stored_config(study.folder), study.folder
    first = study.record.objective.goals[0]
    unlimited = dict.fromkeys(composed.config["budget"])
    budget = {**unlimited, "num_trials": trials, "max_epochs": stored["budget"]["max_epochs"]}
    place: dict[str, Any] = {
        "storage": outer.url or str(outer.path),
        "name": NAME,
        "resume": "auto",
        "cache": [],
        "trial": None,
    }
    one = {"metric": first.metric, "mode": first.mode, "folds": None}
    return {
        **stored,
        **{key: composed.config[key] for key in ("cluster", "verbose", "confirm")},
        "mode": "run",
        "study": {**stored["study"], **place},
        "objective": {**stored["objective"], **one},
        "budget": budget,
        "checkpoints": {**stored["checkpoints"], "keep_best": trials, "keep_states": "none"},
        "logger": {},
        "search": _SEARCH,
        "search_space": {},
    }
