"""From the steps of a sequence to one vector a row; padding has no part in it."""

from __future__ import annotations

from torch import Tensor, nn

from raytune_nn.nn.layers import check_at_least


class MeanPooling(nn.Module):
    """The mean of a row's real steps."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, steps, width) and the mask (batch, steps) of real steps to (batch, width)."""
        weights = mask.unsqueeze(1).to(x.dtype) / mask.sum(1)[:, None, None]
        return (weights @ x).squeeze(1)


class MaxPooling(nn.Module):
    """The greatest value of each feature among a row's real steps."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, steps, width) and the mask (batch, steps) of real steps to (batch, width)."""
        return x.masked_fill(~mask.unsqueeze(2), -float("inf")).amax(1)


class AttentionPooling(nn.Module):
    """A mean of a row's real steps, weighted by the softmax of their products with a learned vector.

    This is the attention over words of Yang et al. 2016, "Hierarchical Attention Networks for Document
    Classification", section 2.2, without its hidden layer.

    Args:
        width: Features of a step.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        check_at_least(1, width=width)
        # A bias would add the same to every step, which the softmax takes away again.
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, steps, width) and the mask (batch, steps) of real steps to (batch, width)."""
        scores = self.score(x).squeeze(2).masked_fill(~mask, -float("inf"))
        pooled: Tensor = (scores.softmax(1).unsqueeze(1) @ x).squeeze(1)
        return pooled
