"""What the LightningModules share: a log of exact means over the rows of an epoch, at little cost a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

Batch = Sequence[Tensor]  # x of shape (batch, *), then what is known of it, each tensor with a row for each of x
Sums = Mapping[str, Tensor | float]  # sums over rows; a tensor of any shape


class RowMeans(LightningModule):
    """Adds up sums over rows, and logs what follows from them once an epoch, over the rows of all workers.

    A mean of batch means would give the rows of a short last batch too much weight. A subclass says what a batch
    adds (`batch_loss`, `batch_sums`) and what the sums of an epoch mean (`epoch_metrics`). Logged are
    ``train_loss``, and each of the epoch's metrics with ``val_`` or ``test_`` before its name.
    """

    def __init__(self) -> None:
        super().__init__()
        # Sums stay on the device, so that no batch waits for a copy. Both are emptied, never set anew: torch
        # searches parameters, buffers and modules whenever an attribute of a module is set.
        self._train_sums: dict[str, Tensor | float] = {}
        self._eval_sums: dict[str, Tensor | float] = {}

    def batch_loss(self, batch: Batch | Tensor) -> tuple[Tensor, Tensor | float]:
        """The loss to minimise, and the weight of this batch in the mean of the epoch: as a rule its rows."""
        raise NotImplementedError

    def batch_sums(self, batch: Batch | Tensor, batch_idx: int) -> Sums:
        """What one batch adds to the evaluation of an epoch."""
        raise NotImplementedError

    def epoch_metrics(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Metrics by name, from the float64 sums of `batch_sums` over the rows of all workers."""
        raise NotImplementedError

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums."""
        self._train_sums.clear()

    def training_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        loss, weight = self.batch_loss(batch)
        _add(self._train_sums, {"loss": loss.detach() * weight, "weight": weight})
        # One log call an epoch: one a batch makes an epoch of small batches a third longer. It stands here,
        # not in on_train_epoch_end, which callbacks reach before the module does.
        if self.trainer.is_last_batch:
            sums = self._over_workers(self._train_sums)
            self._log_epoch({"train_loss": sums["loss"] / sums["weight"]})
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last evaluation's sums."""
        self._eval_sums.clear()

    def validation_step(self, batch: Batch | Tensor, batch_idx: int) -> None:
        """Add one batch to the validation's sums."""
        _add(self._eval_sums, self.batch_sums(batch, batch_idx))

    def on_validation_epoch_end(self) -> None:
        """Log the validation's metrics."""
        self._log_evaluation("val")

    def on_test_epoch_start(self) -> None:
        """Forget the last evaluation's sums."""
        self._eval_sums.clear()

    def test_step(self, batch: Batch | Tensor, batch_idx: int) -> None:
        """Add one batch to the test's sums."""
        _add(self._eval_sums, self.batch_sums(batch, batch_idx))

    def on_test_epoch_end(self) -> None:
        """Log the test's metrics."""
        self._log_evaluation("test")

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """The module's answer to one batch, which may be ``x`` alone."""
        answer: Tensor = self(inputs(batch))
        return answer

    def _log_evaluation(self, stage: str) -> None:
        metrics = self.epoch_metrics(self._over_workers(self._eval_sums))
        self._log_epoch({f"{stage}_{name}": value for name, value in metrics.items()})

    def _over_workers(self, sums: Sums) -> dict[str, Tensor]:
        """Each sum, added up over all workers by one message."""
        tensors = [torch.as_tensor(value, device=self.device).double() for value in sums.values()]
        flat: Tensor = self.trainer.strategy.reduce(torch.cat([t.flatten() for t in tensors]), reduce_op="sum")
        parts = torch.split(flat, [t.numel() for t in tensors])
        return {name: part.view_as(t) for name, part, t in zip(sums, parts, tensors, strict=True)}

    def _log_epoch(self, values: dict[str, Tensor]) -> None:
        # All workers hold the same values now. Lightning's own sync would round unequal numbers of rows.
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)


def inputs(batch: Batch | Tensor) -> Tensor:
    """``x`` of a batch, which is ``x`` alone or begins with it."""
    return batch if isinstance(batch, Tensor) else batch[0]


def _add(totals: dict[str, Tensor | float], sums: Sums) -> None:
    for name, value in sums.items():
        totals[name] = totals[name] + value if name in totals else value
