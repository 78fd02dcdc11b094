"""Freezes parameters by name, for the whole training or its first epochs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.nn import Parameter


class Freeze(Callback):
    """Keeps parameters as they are: they get no gradient, so that no optimizer moves them, by weight decay neither.

    Layers whose own parameters are all frozen keep their running statistics too (batch norm): they stay in evaluation
    mode. Dropout inside frozen layers goes on. Parameters that are to be unfrozen are in the optimizer's groups from
    the start; the optimizer's state of them begins with their first gradient.

    Args:
        names: Parameters as ``model.named_parameters()`` names them: one pattern or a list. ``*`` stands for any text,
            dots included; the name of a module stands for everything inside.
        unfreeze_epoch: Epochs after which they train; null: never.

    Raises:
        ValueError: There is no pattern, or ``unfreeze_epoch`` is below one; or, at the start, a pattern matches
            nothing, or nothing is left to train.
    """

    def __init__(self, names: str | Sequence[str], unfreeze_epoch: int | None = None) -> None:
        if not names:
            raise ValueError(f"names must hold a pattern, but got {names!r}; to freeze nothing, leave Freeze out")
        if unfreeze_epoch is not None and unfreeze_epoch < 1:
            raise ValueError(f"unfreeze_epoch >= 1 must hold, but got {unfreeze_epoch!r}")
        self._patterns = [names] if isinstance(names, str) else list(names)
        self._unfreeze_epoch = unfreeze_epoch
        self._frozen: list[Parameter] = []
        self._still: list[nn.Module] = []  # layers whose running statistics stay

    @property
    def unfreezes(self) -> bool:
        """Whether what is frozen trains later."""
        return self._unfreeze_epoch is not None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds what to freeze; before the optimizer is made, which then leaves out what never trains."""
        if stage != "fit":
            return
        named = dict(pl_module.named_parameters(remove_duplicate=False))
        for pattern in self._patterns:
            if not any(_matches(name, pattern) for name in named):
                raise ValueError(_unmatched(pattern, list(named)))
        self._frozen = [p for name, p in named.items() if self._chosen(name) and p.requires_grad]
        self._still = [layer for name, layer in pl_module.named_modules() if self._is_still(name, layer)]
        if self._unfreeze_epoch is None:
            self._freeze(pl_module)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The optimizer has been made: it knows the parameters that train later."""
        if self._unfreeze_epoch is not None:
            self._freeze(pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._unfreeze_epoch is not None and trainer.current_epoch >= self._unfreeze_epoch:
            for parameter in self._frozen:
                parameter.requires_grad_(True)
            for layer in self._still:
                layer.train()
            self._frozen, self._still = [], []
        for layer in self._still:
            layer.eval()

    def _freeze(self, module: LightningModule) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ValueError(f"Freeze must leave something to train, but {', '.join(self._patterns)} is all there is")

    def _chosen(self, name: str) -> bool:
        return any(_matches(name, pattern) for pattern in self._patterns)

    def _is_still(self, name: str, layer: nn.Module) -> bool:
        """Whether a layer has running statistics, and is chosen with all its own parameters."""
        if getattr(layer, "running_mean", None) is None:
            return False
        own = [inner for inner, _ in layer.named_parameters(recurse=False)] or ["running_mean"]
        return all(self._chosen(f"{name}.{inner}") for inner in own)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _unmatched(pattern: str, names: Sequence[str]) -> str:
    known = dict.fromkeys(part for name in names for part in _prefixes(name))
    near = difflib.get_close_matches(pattern.rstrip("*."), known, n=3, cutoff=0.5) or list(names)[:3]
    return f"a pattern of Freeze must match a parameter, but {pattern!r} matches none; near: {', '.join(near)}"


def _prefixes(name: str) -> Iterator[str]:
    """The name itself, and the modules around it, from the inside out."""
    while name:
        yield name
        name = name.rpartition(".")[0]
