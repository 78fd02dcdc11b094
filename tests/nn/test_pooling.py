"""Each pooling against its definition, by hand on rows of different lengths."""

from __future__ import annotations

import pytest
import torch

from raytune_nn.nn.pooling import AttentionPooling, MaxPooling, MeanPooling

X = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [99.0, 99.0]], [[-5.0, -7.0], [99.0, 99.0], [99.0, 99.0]]])
MASK = torch.tensor([[True, True, False], [True, False, False]])


def test_mean_over_the_real_steps() -> None:
    assert torch.allclose(MeanPooling()(X, MASK), torch.tensor([[2.0, -3.0], [-5.0, -7.0]]))


def test_greatest_of_the_real_steps() -> None:
    assert torch.equal(MaxPooling()(X, MASK), torch.tensor([[3.0, -2.0], [-5.0, -7.0]]))


def test_attention_weighs_the_real_steps_by_the_softmax_of_their_scores() -> None:
    pool = AttentionPooling(2)
    pool.score.weight.data = torch.tensor([[0.5, 0.0]])
    first = 1 / (1 + torch.tensor(1.0).exp())  # scores 0.5 and 1.5
    expected = first * X[0, 0] + (1 - first) * X[0, 1]
    assert torch.allclose(pool(X, MASK), torch.stack([expected, X[1, 0]]), atol=1e-6)


def test_attention_without_a_direction_is_the_mean() -> None:
    pool = AttentionPooling(2)
    pool.score.weight.data.zero_()
    assert torch.allclose(pool(X, MASK), MeanPooling()(X, MASK))


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be a whole number >= 1, but got 0"):
        AttentionPooling(0)
