"""Which parameters may change in the middle of a training: those that leave the network and the data as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raytune_nn.errors import ConfigError
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice
from raytune_nn.space.space import Space

# Perturbed unless the user names others: how it is trained, and regularisation.
ROOTS = ("optimizer", "param_groups", "lr_scheduler", "callbacks")
# The same of a model that takes it itself: in the last part of a path below `model`.
REGULARISERS = ("dropout", "drop_path", "label_smoothing", "weight_decay")
RATES = ("lr", "learning_rate")
# Perturbed only where the user names them.
OTHERS = ("data.batch_size", "trainer.gradient_clip_val", "trainer.accumulate_grad_batches")


def perturbed_paths(space: Space, named: Sequence[str] | None) -> frozenset[str]:
    """The paths of a space that population-based training perturbs.

    Args:
        named: Exactly these; None: all under `optimizer`, `param_groups`, `lr_scheduler` and `callbacks`, and dropout,
            label smoothing, weight decay and learning rate below `model`, as far as they are tuned.

    Raises:
        ConfigError: The space lacks a named path, a named one changes what is built or trained on, or nothing is left.
    """
    if isinstance(named, str):
        rule = "search.scheduler.perturb must be a list of paths"
        raise ConfigError(rule, named, f"'search.scheduler.perturb=[{named}]'")
    domains: dict[str, list[Domain]] = {}
    for path, domain, _ in space.paths():
        domains.setdefault(path, []).append(domain)
    default = [path for path in domains if _is_default(path) and _keeps(space, path, domains)]
    for path in named or ():
        if path not in domains:
            raise ConfigError(
                "every path in search.scheduler.perturb must be one of search_space",
                f"{path} (search_space: {', '.join(domains)})",
                f"'+search_space.{path}={{dist: …}}', or leave it out",
            )
        if not (_is_default(path) or path in OTHERS) or not _keeps(space, path, domains):
            others = [other for other in named or () if other in default or other in OTHERS]
            raise ConfigError(
                "search.scheduler.perturb must leave the network, the optimizer's class and the data as they are",
                path,
                f"'search.scheduler.perturb=[{', '.join(others or default)}]': a copy has the {path} of its source",
            )
    paths = frozenset(default if named is None else named)
    if not paths:
        raise ConfigError(
            "population-based training needs a parameter that may change in the middle of a training",
            f"search_space: {', '.join(domains)}" if named is None else "search.scheduler.perturb=[]",
            "'+search_space.optimizer.lr={dist: loguniform, low: 1e-4, high: 1e-1}'",
        )
    return paths


def _is_default(path: str) -> bool:
    root, _, below = path.partition(".")
    last = below.rpartition(".")[2]
    if not below or last == "_target_":
        return False
    return root in ROOTS or (root == "model" and (last in RATES or any(name in last for name in REGULARISERS)))


def _keeps(space: Space, path: str, domains: Mapping[str, Sequence[Domain]]) -> bool:
    """Whether no value names another class, or switches a part of an optimizer's state on or off."""
    return not (space.chooses(path) or any(map(_rebuilds, domains[path])))


def _rebuilds(domain: Domain) -> bool:
    return isinstance(domain, Choice) and any(isinstance(option, dict | bool) for option in domain.options)
