"""The LightningModule that trains a network to tell classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import Tensor, nn

Batch = Sequence[Tensor]  # x of shape (batch, *) and y, the classes as int64 of shape (batch,)


class Classification(LightningModule):
    """Cross entropy over classes.

    Logs ``train_loss``, ``val_loss``, ``val_acc``, ``test_loss`` and ``test_acc``: means over the rows of an
    epoch, and over all workers. It brings no optimizer of its own: the one of the configuration trains it.

    Args:
        net: Maps ``x`` to logits of shape (batch, num_classes).
        num_classes: Classes.
        label_smoothing: Share of each label's weight that is spread over all classes (Szegedy et al. 2016,
            "Rethinking the Inception Architecture", section 7), ``0 <= label_smoothing < 1``. In training
            only: ``val_loss`` stays comparable between trials that differ in it.

    Raises:
        ValueError: ``num_classes`` is below two, or ``label_smoothing`` is out of bounds.
    """

    def __init__(self, net: nn.Module, num_classes: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes >= 2 must hold, but got {num_classes}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"0 <= label_smoothing < 1 must hold, but got {label_smoothing}")
        self.net, self.num_classes, self.label_smoothing = net, num_classes, label_smoothing
        self._train_totals, self._eval_totals = _Totals(), _Totals()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes).

        Raises:
            ValueError: The network gives another shape.
        """
        logits: Tensor = self.net(x)
        if logits.shape != (len(x), self.num_classes):
            raise ValueError(
                f"the network must give (batch, num_classes) = {(len(x), self.num_classes)}, "
                f"but gave {tuple(logits.shape)}"
            )
        return logits

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums."""
        self._train_totals = _Totals()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=self.label_smoothing)
        self._train_totals.loss += loss.detach() * len(y)
        self._train_totals.rows += len(y)
        # One log call an epoch: one a batch makes an epoch of small batches a third longer. It stands here,
        # not in on_train_epoch_end, which callbacks reach before the module does.
        if self.trainer.is_last_batch:
            self._log_means({"train_loss": self._train_totals.loss}, self._train_totals.rows)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation's sums."""
        self._eval_totals = _Totals()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add one batch to the validation's sums."""
        self._add(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the means."""
        self._log_evaluation("val")

    def on_test_epoch_start(self) -> None:
        """Forget the last test's sums."""
        self._eval_totals = _Totals()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add one batch to the test's sums."""
        self._add(batch)

    def on_test_epoch_end(self) -> None:
        """Log the means."""
        self._log_evaluation("test")

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Logits of one batch, given with labels or without."""
        logits: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])
        return logits

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes the running hook here some fifty times a batch. Torch would search parameters,
        # buffers and modules for the name each time, which is a tenth of an epoch of small batches.
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _add(self, batch: Batch) -> None:
        x, y = batch
        logits = self(x)
        self._eval_totals.loss += F.cross_entropy(logits, y, reduction="sum")
        self._eval_totals.correct += (logits.argmax(1) == y).sum()
        self._eval_totals.rows += len(y)

    def _log_evaluation(self, stage: str) -> None:
        totals = self._eval_totals
        self._log_means({f"{stage}_loss": totals.loss, f"{stage}_acc": totals.correct}, totals.rows)

    def _log_means(self, sums: dict[str, Tensor | float], rows: int) -> None:
        """Log sums over this worker's rows as means over the rows of all workers."""
        totals = torch.stack([torch.as_tensor(total, device=self.device) for total in (*sums.values(), rows)])
        totals = self.trainer.strategy.reduce(totals, reduce_op="sum")
        means = dict(zip(sums, totals[:-1] / totals[-1], strict=True))
        # All workers hold the same means now. Lightning's own sync would round unequal numbers of rows.
        self.log_dict(means, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)


class _Totals:
    """Sums over the rows of an epoch so far; they stay on the device, so that no batch waits for a copy."""

    def __init__(self) -> None:
        self.loss: Tensor | float = 0.0
        self.correct: Tensor | float = 0.0
        self.rows = 0
