"""Stochastic weight averaging whose averages are what is validated, reported and kept.

Lightning's own callback of this name puts the averages into the module after the last validation, or, with batch norm,
after an epoch more than the training was given: no report would ever be of the averaged weights.
"""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim.swa_utils import get_swa_multi_avg_fn


class StochasticWeightAveraging(Callback):
    """Averages the weights at the ends of epochs (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and
    Better Generalization", section 3).

    From the first averaged epoch on, validations see the average of all weights so far, and so do reports and
    checkpoints; the next training batch goes on from the weights that the optimizer left. After the fit the module
    holds the average. Where ``val_check_interval`` validates within an epoch, that is the average up to the last one.

    Running statistics of batch norm are averaged like the weights. The paper runs the training data through the
    averaged network once more to count them anew, which no callback can do for any module.

    The learning rate stays what ``lr_scheduler`` makes it. Averages are of use while the weights still move: a constant
    rate is the paper's; one that falls to zero leaves copies of the same weights to average.

    Args:
        start: Share of the Trainer's ``max_epochs`` after which averaging begins, ``0 <= start < 1``.

    Raises:
        ValueError: ``start`` is out of bounds, or the training has no last epoch.
    """

    def __init__(self, start: float = 0.75) -> None:
        if not 0 <= start < 1:
            raise ValueError(f"0 <= start < 1 must hold, but got {start!r}")
        self._start = start
        self._average: list[Tensor] = []
        self._trained: list[Tensor] = []  # the optimizer's weights while the module holds the average
        self._count = 0
        self._update = get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise ValueError(f"StochasticWeightAveraging needs trainer.max_epochs >= 1, but got {trainer.max_epochs}")
        self._first = int(self._start * trainer.max_epochs)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Averages that were loaded come to where the weights are."""
        devices = [tensor.device for tensor in _tensors(pl_module)]
        self._average, self._trained = (
            [tensor.to(device) for tensor, device in zip(tensors, devices, strict=False)]
            for tensors in (self._average, self._trained)
        )

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on needs of the one before it."""
        return {"average": self._average, "trained": self._trained, "count": self._count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average, self._trained, self._count = (state_dict[key] for key in ("average", "trained", "count"))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._trained:
            _copy(self._trained, _tensors(pl_module))
            self._trained = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.is_last_batch or trainer.current_epoch < self._first:
            return
        current = _tensors(pl_module)
        if not self._count:
            self._average = [tensor.clone() for tensor in current]
        self._update(self._average, current, self._count)
        self._count += 1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._show_average(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._show_average(pl_module)  # where no validation ended the epoch

    def _show_average(self, module: LightningModule) -> None:
        if self._count and not self._trained:
            tensors = _tensors(module)
            self._trained = [tensor.clone() for tensor in tensors]
            _copy(self._average, tensors)


def _tensors(module: LightningModule) -> list[Tensor]:
    """Parameters and running statistics, without their graph."""
    tensors = [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)
