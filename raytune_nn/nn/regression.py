"""The LightningModule that trains a network to predict numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from raytune_nn.nn.row_means import Batch, RowMeans, Sums


class Regression(RowMeans):
    """One number, or several, for each row.

    A batch is ``(x, y)`` with the targets ``y`` in their own units, of shape (batch,) or (batch, targets). The
    network works in standardised units, ``(y - target_mean) / target_scale``, and so does the loss.

    Logs ``train_loss`` and ``val_loss``, in standardised units, and in the target's own ``val_rmse``,
    ``val_mae`` and ``val_r2``; the same of the test as ``test_…``. All are exact over the rows of an epoch and
    over all workers. Of several targets each has its score, and the mean of the scores is logged. It brings no
    optimizer of its own: the one of the configuration trains it.

    Args:
        net: Maps ``x`` to standardised predictions of shape (batch, targets), (batch, 1) for a single target.
        target_mean: Mean of the training rows' targets, in their own units: one number, or one a target.
        target_scale: Their standard deviation, likewise; positive.
        loss: ``"mse"``, ``"mae"`` or ``"huber"`` (Huber 1964, "Robust Estimation of a Location Parameter").
        huber_delta: Error, in standardised units, from which the Huber loss is linear; positive.

    Raises:
        ValueError: The loss is unknown, or a number is out of bounds.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(
        self,
        net: nn.Module,
        target_mean: float | Sequence[float] = 0.0,
        target_scale: float | Sequence[float] = 1.0,
        loss: str = "mse",
        huber_delta: float = 1.0,
    ) -> None:
        super().__init__()
        mean, scale = torch.tensor(target_mean).float(), torch.tensor(target_scale).float()
        if mean.dim() > 1 or not mean.isfinite().all():
            raise ValueError(f"target_mean must be a finite number, or one a target, but got {target_mean}")
        if scale.dim() > 1 or not (scale.isfinite() & (scale > 0)).all():
            raise ValueError(f"target_scale must be a finite number > 0, or one a target, but got {target_scale}")
        if not 0 < huber_delta < float("inf"):
            raise ValueError(f"huber_delta > 0 must hold, but got {huber_delta}")
        losses = {"mse": nn.MSELoss(), "mae": nn.L1Loss(), "huber": nn.HuberLoss(delta=huber_delta)}
        if loss not in losses:
            raise ValueError(f"loss must be one of {', '.join(losses)}, but got {loss!r}")
        self.net, self.loss = net, losses[loss]
        # The configuration holds them, so a checkpoint need not.
        self.register_buffer("target_mean", mean, persistent=False)
        self.register_buffer("target_scale", scale, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions in the target's own units, shape (batch, targets).

        Raises:
            ValueError: The network gives another shape.
        """
        return self._standardised(x) * self.target_scale + self.target_mean

    def batch_loss(self, batch: Batch | Tensor) -> tuple[Tensor, float]:
        """The loss of one batch in standardised units, and its rows.

        Raises:
            ValueError: Targets and predictions differ in shape.
        """
        x, y = batch
        prediction = self._standardised(x)
        target = (_like(y, prediction) - self.target_mean) / self.target_scale
        return self.loss(prediction, target.to(prediction.dtype)), len(x)

    def batch_sums(self, batch: Batch | Tensor, batch_idx: int) -> Sums:
        """The sums of the loss and the rows, and for each target of its errors and its moments.

        Raises:
            ValueError: Targets and predictions differ in shape.
        """
        x, y = batch
        prediction = self._standardised(x)
        # Double, and standardised: the variance of targets far from 0 is a small difference of large sums.
        target = (_like(y, prediction).double() - self.target_mean) / self.target_scale
        error = prediction - target
        return {
            "loss": self.loss(prediction, target.to(prediction.dtype)).double() * len(x),
            "rows": len(x),
            "absolute": error.abs().sum(0),
            "squared": error.square().sum(0),
            "target": target.sum(0),
            "target_squared": target.square().sum(0),
        }

    def epoch_metrics(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Loss, root of the mean squared error, mean absolute error, and share of the variance explained.

        The last one, R², is 1 for targets that are all the same and hit exactly, and 0 for such that are missed.
        """
        rows, squared = sums["rows"], sums["squared"]
        spread = sums["target_squared"] - sums["target"].square() / rows
        # What rounding leaves of no spread at all.
        same = spread <= 1e-13 * sums["target_squared"]
        r2 = torch.where(same, (squared == 0).double(), 1 - squared / spread)
        return {
            "loss": sums["loss"] / rows,
            "rmse": ((squared / rows).sqrt() * self.target_scale).mean(),
            "mae": (sums["absolute"] / rows * self.target_scale).mean(),
            "r2": r2.mean(),
        }

    def _standardised(self, x: Tensor) -> Tensor:
        """The network's answer, in the dtype of the scale: half precision is too coarse for own units."""
        y: Tensor = self.net(x)
        if y.dim() != 2 or len(y) != len(x):
            raise ValueError(
                f"the network must give (batch, targets) with {len(x)} rows, but gave {tuple(y.shape)}; "
                "a single target has the shape (batch, 1)"
            )
        for name, values in (("target_mean", self.target_mean), ("target_scale", self.target_scale)):
            if values.dim() and len(values) != y.shape[1]:
                raise ValueError(f"{name} has {len(values)} numbers, but the network gives {y.shape[1]} targets a row")
        return y.to(self.target_scale.dtype)


def _like(y: Tensor, prediction: Tensor) -> Tensor:
    """Targets in the shape of the predictions; broadcasting would compare each row with every other."""
    shaped = y.unsqueeze(1) if y.dim() == 1 else y
    if shaped.shape != prediction.shape:
        raise ValueError(f"targets of shape {tuple(y.shape)} do not fit predictions of shape {tuple(prediction.shape)}")
    return shaped
