"""Preflight: everything that can be known to be wrong before a trial starts, found before anything is created.

Stage A is here and imports no library of the user's: keys, space, objective, budget, resources, storage. Stage B
imports what the configuration names; it is `trial/targets.py`, which runs where the libraries are needed anyway.
"""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from raytune_nn.cluster.resources import Capacity
from raytune_nn.cluster.submit.submitters import submitter_of
from raytune_nn.config.compose import Composed, compose_branch, resolved
from raytune_nn.config.fidelity import EPOCHS, Fidelity, read_fidelity
from raytune_nn.config.monitors import check_monitors
from raytune_nn.config.objective import Objective, read_objective
from raytune_nn.config.schema import Config, Mode
from raytune_nn.errors import ConfigError
from raytune_nn.modes.capacity import find_capacity
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.pairing import check_pairing
from raytune_nn.search.pbt_replay import PBTReplay
from raytune_nn.search.points import PointsFirst, read_points
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.warm_start import warm_start
from raytune_nn.space.check import check_space
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.space.variants import samples, variants
from raytune_nn.store.checkpoints import check_checkpoints
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.free_space import check_min_free
from raytune_nn.store.locate import check_storage, locate_study
from raytune_nn.store.retry import check_storage_timeout
from raytune_nn.study.budget import check_budget
from raytune_nn.study.cache import make_cache
from raytune_nn.study.failures import check_failures
from raytune_nn.study.fidelity import check_decisions, check_unit
from raytune_nn.study.folds import check_folds
from raytune_nn.study.identities import Identities
from raytune_nn.study.resume import check_resume
from raytune_nn.study.session import StudyPlan
from raytune_nn.study.workers import check_workers
from raytune_nn.trial.instantiate import instantiate, locate
from raytune_nn.trial.targets import TargetCheck, check_place
from raytune_nn.trial.weights import check_weights


@dataclass(frozen=True)
class Checked:
    """A command that passed stage A, ready to run."""

    plan: StudyPlan
    folder: StudyFolder
    exists: bool  # the study stands in its folder already, and may be resumed
    capacity: Capacity
    targets: TargetCheck  # stage B
    address: str | None = None  # of the cluster that runs already; None: a private Ray

    @property
    def elsewhere(self) -> bool:
        """Whether trials train on other machines than this one, as far as is known."""
        return self.address is not None or submitter_of(self.plan.settings.cluster) is not None


def preflight(composed: Composed) -> Checked:
    """Stage A.

    Raises:
        ConfigError: The first rule that is broken.
        UnusableError: The cluster of ``cluster.address`` cannot be used.
    """
    settings = composed.settings
    objective = read_objective(settings.objective)
    check_budget(settings.budget, objective)
    if settings.verbose not in (0, 1, 2):
        raise ConfigError("verbose must be 0, 1 or 2", settings.verbose, "verbose=1")
    if settings.export.url is not None:  # it can hold a password, and a study keeps its configuration
        raise ConfigError("export.url is read by mode=export only", f"mode={settings.mode.value}", "mode=export")
    check_failures(settings.failures)
    check_storage_timeout(settings.failures.storage_timeout)
    if not -(2**63) <= settings.seed < 2**63:
        raise ConfigError("seed must fit into 64 bits", settings.seed, "seed=0")
    _check_epochs(settings)
    check_weights(settings.model_weights)
    space, branches = _space(composed) if settings.search else (Space(), {})
    check_monitors(objective, composed.config, branches)
    fidelity = EPOCHS if settings.search is None else read_fidelity(settings.search.fidelity)
    searcher_node, scheduler = _search(composed, space, objective, fidelity)
    check_checkpoints(settings.checkpoints, scheduler.pauses)
    epochs = settings.budget.max_epochs
    check_folds(objective, composed.config, branches, space, scheduler, epochs)
    check_decisions(scheduler, fidelity, objective, epochs, settings.trainer, branches, space)
    _check_loaders(composed.config, space)
    check_workers(settings, branches.get("trainer", {"": settings.trainer}))
    address, capacity = find_capacity(settings)
    folder = _folder(composed)
    _check_storage(settings, folder)
    exists = check_resume(folder, settings, composed.config)
    trees = list(variants(composed.config, branches, space))
    every = [resolved(tree) for tree in trees]
    plan = StudyPlan(
        settings=settings,
        config=composed.config,
        branches=branches,
        space=space,
        objective=objective,
        fidelity=fidelity,
        searcher=_searcher(settings, searcher_node, scheduler, space, objective, fidelity),
        scheduler=scheduler,
        num_trials=settings.budget.num_trials if settings.search else 1,
        command=shlex.join(["python", "-m", "raytune_nn", *composed.arguments]),
        cache=make_cache(settings, Identities(composed.config, branches, space, every), objective, scheduler, folder),
    )
    check = TargetCheck(
        every,
        settings.security.allow_targets,
        [trees[0], *samples(composed.config, branches, space, settings.seed)],
        list(variants(composed.config, branches, space, largest=True)) if settings.mode is Mode.plan else [],
    )
    return Checked(plan, folder, exists, capacity, check, address)


def _search(
    composed: Composed, space: Space, objective: Objective, fidelity: Fidelity
) -> tuple[Mapping[str, Any], Scheduler]:
    """The searcher's node and the scheduler, which checks its own arguments; without a search, those of one trial."""
    search = composed.settings.search
    if search is None:
        return {}, NoScheduler()
    tree = {"search": {"searcher": search.searcher, "scheduler": search.scheduler}}
    for place in ("search.searcher", "search.scheduler"):
        check_place(tree, place, composed.settings.security.allow_targets)
    check_unit(fidelity, objective, composed.config["search"]["scheduler"])
    extras = {"space": space, "seed": composed.settings.seed}  # most schedulers need not know the space
    scheduler = instantiate(search.scheduler, **_taken(search.scheduler, extras))
    check_pairing(scheduler, locate(search.searcher["_target_"]), objective, fidelity)
    return search.searcher, scheduler


def _searcher(
    settings: Config,
    node: Mapping[str, Any],
    scheduler: Scheduler,
    space: Space,
    objective: Objective,
    fidelity: Fidelity,
) -> Searcher:
    search, seed = settings.search, settings.seed
    if search is None:
        return RandomSearcher(space, seed)
    extras = {  # those that learn nothing need not know how many objectives there are
        "objectives": len(objective.goals),
        "schedule": scheduler.schedule if isinstance(scheduler, PBTReplay) else (),
    }
    searcher: Searcher = instantiate(node, space=space, seed=seed, **_taken(node, extras))
    if search.warm_start is not None:
        warm_start(searcher, search.warm_start, space, objective, fidelity)
    return PointsFirst(read_points(search.points, space, seed), searcher) if search.points else searcher


def _taken(node: Mapping[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    """Those keywords that what a node names takes."""
    taken = signature(locate(node["_target_"])).parameters
    return {name: value for name, value in extras.items() if name in taken}


def _space(composed: Composed) -> tuple[Space, dict[str, dict[str, dict[str, Any]]]]:
    """The space, and what each option of each chosen group composes to."""
    space = parse_space(composed.settings.search_space)
    branches: dict[str, dict[str, dict[str, Any]]] = {}
    for path, domain, _ in space.paths():
        if space.chooses(path):
            options = {option: compose_branch(composed.overrides, path, option) for option in domain.corners()}
            branches.setdefault(path, {}).update(options)
    check_space(space, composed.config, branches)
    return space, branches


def _check_epochs(settings: Config) -> None:
    """Rungs, plan and schedules count on ``budget.max_epochs``; a trainer with its own count would not obey it."""
    if settings.trainer.get("max_epochs") != settings.budget.max_epochs:
        found = settings.trainer.get("max_epochs", "none")
        sign = "" if "max_epochs" in settings.trainer else "+"
        number = isinstance(found, int) and found > 0
        raise ConfigError(
            "trainer.max_epochs must be budget.max_epochs",
            f"trainer.max_epochs={found}, budget.max_epochs={settings.budget.max_epochs}",
            f"budget.max_epochs={found}" if number else f"'{sign}trainer.max_epochs=${{budget.max_epochs}}'",
        )


def _check_loaders(config: Mapping[str, Any], space: Space) -> None:
    """A loader's processes run on the trial's own CPUs."""
    values = resolved(config)
    cpus = values["resources"]["cpus"]
    tuned = [number for path, domain, _ in space.paths() if path == "data.num_workers" for number in domain.corners()]
    for workers in tuned or [values["data"].get("num_workers")]:
        if isinstance(workers, int) and workers > cpus:
            raise ConfigError(
                "data.num_workers must not be more than the CPUs of a trial, which they run on",
                f"data.num_workers={workers}, resources.cpus={cpus:g}",
                f"resources.cpus={workers}, or data.num_workers=0",
            )


def _check_storage(settings: Config, folder: StudyFolder) -> None:
    """Whether the study can be kept there; what is there of it already can be read afterwards."""
    submitter = submitter_of(settings.cluster)
    if folder.url and submitter is not None:
        if submitter.SHARES_FILES:
            rule = "this cluster's job and its log are files beside the study, so study.storage must be a folder"
            raise ConfigError(rule, folder.storage_url, "study.storage=studies")
        return  # the job has the credentials
    check_storage(settings.study.storage)
    check_min_free(settings.study.storage, settings.checkpoints.min_free)
    folder.fetch()


def _folder(composed: Composed) -> StudyFolder:
    """The study's; without a name, one with a time stamp and the choices, so that a bare command starts its own."""
    study, choices = composed.settings.study, composed.choices
    if study.name is not None:
        return locate_study(study.storage, study.name)
    parts = [choices.get("search", "train"), choices.get("model", ""), choices.get("data", "")]
    words = [part.replace("/", "-") for part in parts if part]
    name = "_".join([time.strftime("%Y-%m-%d_%H-%M-%S"), *words])
    for number in itertools.count(2):  # commands of the same second
        folder = locate_study(study.storage, name if number == 2 else f"{name}_{number - 1}")
        if folder.url or not folder.is_taken:  # a look at an object store would exclude nothing
            break
    return folder
