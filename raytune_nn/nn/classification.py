"""The LightningModule that trains a network to tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raytune_nn.nn.row_means import Batch, RowMeans, Sums

NEVER = torch.iinfo(torch.int64).min  # torch passes over labels of -100 in silence; no label has this value


class Classification(RowMeans):
    """Cross entropy over classes; two classes make it binary.

    A batch is ``(x, y)`` with the classes ``y`` as int64 of shape (batch,); in training ``y`` may also hold a
    probability for each class, shape (batch, num_classes), as mixed rows have.

    Logs ``train_loss``, ``val_loss``, ``val_acc`` and ``val_f1``, and the same of the test as ``test_…``: means
    over the rows of an epoch, and over all workers. The F1 score is the plain mean over the classes that occur,
    as label or as answer ("macro"). It brings no optimizer of its own: the one of the configuration trains it.

    Args:
        net: Maps ``x`` to logits of shape (batch, num_classes).
        num_classes: Classes.
        label_smoothing: Share of each label's weight that is spread over all classes (Szegedy et al. 2016,
            "Rethinking the Inception Architecture", section 7), ``0 <= label_smoothing < 1``. In training
            only: ``val_loss`` stays comparable between trials that differ in it.
        class_weights: Weight of each class in the loss, 0 for a class that training lacks; None for equal ones.
            In training only, too; ``train_loss`` is then the weighted mean.

    Raises:
        ValueError: ``num_classes`` is below two, ``label_smoothing`` is out of bounds, or the weights are not
            one a class, finite, at least 0 and not all 0.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        num_classes: int,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes >= 2 must hold, but got {num_classes}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"0 <= label_smoothing < 1 must hold, but got {label_smoothing}")
        self.net, self.num_classes, self.label_smoothing = net, num_classes, label_smoothing
        # The configuration holds the weights, so a checkpoint need not.
        self.register_buffer("class_weights", _weights(class_weights, num_classes), persistent=False)

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

    def batch_loss(self, batch: Batch | Tensor) -> tuple[Tensor, Tensor | float]:
        """The loss of one batch, smoothed and weighted, and its weight in the epoch.

        Raises:
            ValueError: A label is none of the classes.
        """
        x, y = batch
        weights = self.class_weights
        loss = self._cross_entropy(self(x), y, weight=weights, label_smoothing=self.label_smoothing)
        # Torch divides by the labels' weights, but by the rows where labels are probabilities.
        weight = len(y) if weights is None or y.is_floating_point() else weights[y].sum()
        return loss, weight

    def batch_sums(self, batch: Batch | Tensor, batch_idx: int) -> Sums:
        """The sums of loss and rows, and by class: right answers, and labels plus answers.

        Raises:
            ValueError: A label is none of the classes.
        """
        x, y = batch
        logits = self(x)
        loss = self._cross_entropy(logits, y, reduction="sum")
        answers = logits.argmax(1)
        # Not bincount: on a GPU it waits for its largest number.
        none = torch.zeros(self.num_classes, dtype=torch.int64, device=y.device)
        hits = none.index_add(0, y, (answers == y).long())
        named = none.index_add(0, torch.cat((y, answers)), torch.ones_like(y).repeat(2))
        return {"loss": loss, "rows": len(y), "hits": hits, "named": named}

    def epoch_metrics(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cross entropy, accuracy and macro F1."""
        hits = sums["hits"]
        return {
            "loss": sums["loss"] / sums["rows"],
            "acc": hits.sum() / sums["rows"],
            "f1": (2 * hits / sums["named"]).nanmean(),  # 0 / 0 for a class that does not occur
        }

    def _cross_entropy(
        self,
        logits: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> Tensor:
        # A wrong label on a GPU ends the process, which may serve other trials. A first epoch has seen them all.
        if y.is_cuda and self.current_epoch == 0:
            self._check_labels(y)
        try:
            return F.cross_entropy(logits, y, weight, None, NEVER, None, reduction, label_smoothing)
        except (IndexError, RuntimeError):
            self._check_labels(y)
            raise

    def _check_labels(self, y: Tensor) -> None:
        if y.is_floating_point() and y.dim() == 2:
            return
        if y.dtype != torch.int64 or y.dim() != 1:
            raise ValueError(f"labels must be int64 of shape (batch,), but got {y.dtype} of shape {tuple(y.shape)}")
        wrong = ((y < 0) | (y >= self.num_classes)).nonzero().flatten().tolist()
        if wrong:
            raise ValueError(
                f"0 <= label < num_classes = {self.num_classes} must hold, but row {wrong[0]} of a batch "
                f"has the label {y[wrong[0]].item()}"
            )


def _weights(class_weights: Sequence[float] | None, num_classes: int) -> Tensor | None:
    if class_weights is None:
        return None
    if len(class_weights) != num_classes:
        raise ValueError(f"class_weights must be {num_classes} numbers, one a class, but got {len(class_weights)}")
    weights = torch.tensor([float(weight) for weight in class_weights])
    if not (weights.isfinite() & (weights >= 0)).all() or not weights.any():
        raise ValueError(f"class_weights must be finite, >= 0 and not all 0, but got {list(class_weights)}")
    return weights
