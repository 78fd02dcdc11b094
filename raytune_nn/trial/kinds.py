"""What kind of class belongs to which place of a configuration; a part of ``trial/targets.py``."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.trial.instantiate import locate, target_nodes

INITIALISER = "a function whose first parameter is `module: nn.Module`"
OPTIONAL = (
    "optimizer",
    "init",
    "logger",
)  # places that may go without a `_target_`: what the module has of its own stays, or there is none

# The kind of each place that a configuration is built at, and the keywords that our code adds there.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "model": ("pytorch_lightning.LightningModule", ()),
    "data": ("pytorch_lightning.LightningDataModule", ()),
    "optimizer": ("torch.optim.Optimizer", ("params",)),
    "lr_scheduler.scheduler": ("torch.optim.lr_scheduler.LRScheduler", ("optimizer",)),
    "trainer": (
        "pytorch_lightning.Trainer",
        ("logger", "callbacks", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"),
    ),
    "logger": ("pytorch_lightning.loggers.Logger", ()),
    "init": (INITIALISER, ("module",)),
    "search.searcher": ("raytune_nn.search.searcher.Searcher", ("space", "seed")),
    "search.scheduler": ("raytune_nn.search.scheduler.Scheduler", ()),
}
# What may stand deeper inside any of them.
PARTS = (
    "torch.nn.Module",
    "torch.optim.Optimizer",
    "torch.optim.lr_scheduler.LRScheduler",
    "torch.utils.data.Dataset",
    "torch.utils.data.Sampler",
    "pytorch_lightning.LightningDataModule",
    "pytorch_lightning.Callback",
    "pytorch_lightning.strategies.Strategy",
    "pytorch_lightning.profilers.Profiler",
)


def places(config: Mapping[str, Any]) -> Iterator[str]:
    """Every place of a configuration that is built by `_target_`."""
    yield from KINDS
    for name, node in (config.get("callbacks") or {}).items():
        if node is not None:
            yield f"callbacks.{name}"


def kind_of(place: str) -> tuple[str, tuple[str, ...]]:
    """The kind of a place, and the keywords that our code adds there."""
    return ("pytorch_lightning.Callback", ()) if place.startswith("callbacks.") else KINDS[place]


def check_kinds(config: Mapping[str, Any], at: Iterable[str], allowed: Collection[str]) -> None:
    """Checks what a resolved configuration is about to call: sampled values may meet as no check of the study saw them.

    Args:
        at: Which places.
        allowed: Targets that need not be of their place's kind (``security.allow_targets``).

    Raises:
        ConfigError: A target is not of its place's kind, and nothing was called.
    """
    for place in at:
        node: Any = config
        for part in place.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        for path, inner in target_nodes(node, place):
            name = inner["_target_"]
            if name is not None and name not in allowed:
                check_kind(path, locate(str(name)), name, (kind_of(place)[0],) if path == place else PARTS)


def check_kind(path: str, target: Any, name: str, kinds: Sequence[str]) -> None:
    """Checks what a target is.

    Args:
        path: Where its node stands.
        name: Its dotted name.
        kinds: Any of them will do.

    Raises:
        ConfigError: It is none of them.
    """
    if kinds == (INITIALISER,):
        good = inspect.isfunction(target) and _takes_a_module(target)
    else:
        classes: Any = tuple(locate(kind) for kind in kinds)
        good = isinstance(target, type) and issubclass(target, classes)
    if good:
        return
    kind = wanted(kinds[0]) if len(kinds) == 1 else "a class of torch or Lightning, or derived from one"
    what = "a class" if isinstance(target, type) else _with_article(type(target).__name__)
    if isinstance(target, type) and any(base.__module__.startswith("lightning.") for base in target.__mro__):
        what += " of `lightning`; import it from pytorch_lightning"
    raise ConfigError(
        f"{path}._target_ must be {kind}",
        f"{name}, {what}",
        f"{path}._target_=<{kind}>, or, if you trust it, 'security.allow_targets=[{name}]'",
    )


def _takes_a_module(function: Any) -> bool:
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None or first.name != "module":
        return False
    kind = first.annotation if isinstance(first.annotation, str) else getattr(first.annotation, "__name__", "")
    return kind.rpartition(".")[2] == "Module"


def wanted(kind: str) -> str:
    """A kind in words."""
    return kind if kind == INITIALISER else _with_article(kind.rpartition(".")[2])


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOUaeiou' or noun.startswith('LR') else 'a'} {noun}"
