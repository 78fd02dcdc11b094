"""Which searchers and schedulers go together: any, but for schedulers that change parameters themselves.

Several objectives go with no scheduler: each of them compares trials by one score.
"""

from __future__ import annotations

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective, overrides
from raytune_nn.errors import ConfigError
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.pbt import PBT
from raytune_nn.search.pbt_replay import FirstOfSchedule, PBTReplay
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.scheduler import Scheduler


def check_pairing(scheduler: Scheduler, searcher: object, objective: Objective, fidelity: Fidelity) -> None:
    """Checks that a searcher and a scheduler make sense together, and both with objective and fidelity.

    Raises:
        ConfigError: A model would learn from trials whose parameters changed on the way, a replay lacks its other half,
            trials that train folds would be copied, trials of several objectives would be judged by one, or the
            scheduler counts epochs only.
    """
    if objective.further and not isinstance(scheduler, NoScheduler):
        raise ConfigError(
            "a scheduler judges trials by one score, so with several objectives every trial trains to its end",
            f"{type(scheduler).__name__} and {len(objective.goals)} objectives",
            f"search/scheduler=none, or {overrides(objective.goals[:1])}",
        )
    kind = searcher if isinstance(searcher, type) else object  # a function that the user trusts
    name = getattr(searcher, "__name__", "")
    if isinstance(scheduler, PBT) and not issubclass(kind, RandomSearcher):
        raise ConfigError(
            "a population changes its parameters itself, so only random search and search.points may begin it",
            name,
            "search/searcher=random",
        )
    if isinstance(scheduler, PBTReplay) != issubclass(kind, FirstOfSchedule):
        raise ConfigError(
            "the replay of a schedule consists of a searcher and a scheduler that belong together",
            f"{name} and {type(scheduler).__name__}",
            "+search=pbt_replay, and neither search/searcher nor search/scheduler",
        )
    if isinstance(scheduler, PBT | PBTReplay) and objective.folds is not None:
        rule = "a trial with folds is several trainings, whose parameters cannot change on the way"
        raise ConfigError(rule, f"objective.folds={objective.folds}", "objective.folds=null")
    if isinstance(scheduler, MedianStopping | PBTReplay) and not fidelity.is_epochs:
        rule = f"{type(scheduler).__name__} goes by the epochs that trials have in common, and counts nothing else"
        raise ConfigError(rule, f"search.fidelity={fidelity.name}", "search.fidelity=epoch")
