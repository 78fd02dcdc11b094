"""What counts as padding in tokens and in features, and which inputs are refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from raytune_nn.nn.steps import StepInput, real_lengths, real_steps

TOKENS = torch.tensor([[3, 0, 2, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


def test_padding_is_what_follows_the_last_real_step() -> None:
    lengths = real_lengths(TOKENS != 0)
    assert lengths.tolist() == [3, 1, 1]  # a row of padding only keeps one step
    assert real_steps(lengths, 4).tolist() == [[True, True, True, False], [True] + 3 * [False], [True] + 3 * [False]]


def test_tokens_become_embeddings_and_the_common_padding_is_cut() -> None:
    torch.manual_seed(0)
    layer = StepInput(vocab_size=5, in_features=None, embedding_size=4)
    x, lengths = layer(TOKENS)
    assert x.shape == (3, 3, 4)
    assert lengths.tolist() == [3, 1, 1]
    assert torch.equal(x[0, 0], layer.embedding.weight[3])
    assert not x[1, 1:].any()
    assert not x[2].any()


def test_the_embedding_of_padding_stays_zero() -> None:
    layer = StepInput(vocab_size=5, in_features=None, embedding_size=4)
    layer(TOKENS)[0].sum().backward()
    gradient = layer.embedding.weight.grad
    assert gradient is not None
    assert gradient.any(1).tolist() == [False, True, True, True, False]


def test_features_pass_unchanged_and_a_frame_of_zeros_ends_a_row() -> None:
    features = torch.randn(2, 4, 3)
    features[0, 2:] = 0
    features[1, 1] = 0  # silence in the middle is no padding
    features[1, 3, 1:] = 0  # one number is enough
    x, lengths = StepInput(None, in_features=3, embedding_size=9)(features)
    assert torch.equal(x, features)
    assert lengths.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("vocab_size", "in_features", "embedding_size", "message"),
    [
        (None, None, 4, "exactly one of vocab_size .* got vocab_size=None, in_features=None"),
        (9, 3, 4, "exactly one of vocab_size .* got vocab_size=9, in_features=3"),
        (1, None, 4, "vocab_size must be a whole number >= 2, but got 1"),
        (9, None, 0, "embedding_size must be a whole number >= 1, but got 0"),
        (None, 0, 4, "in_features must be a whole number >= 1, but got 0"),
    ],
)
def test_bad_arguments_are_refused(
    vocab_size: int | None, in_features: int | None, embedding_size: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        StepInput(vocab_size, in_features, embedding_size)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(2, 5), r"int64 tokens of shape \(batch, length\), but got torch.float32 of shape \(2, 5\)"),
        (torch.ones(2, 5, 3, dtype=torch.int64), r"int64 tokens .* but got torch.int64 of shape \(2, 5, 3\)"),
        (torch.ones(2, 0, dtype=torch.int64), r"int64 tokens .* of shape \(2, 0\)"),
        (torch.tensor([[1, 5]]), "0 <= token < vocab_size = 5 must hold, but got tokens from 1 to 5"),
        (torch.tensor([[-2, 3]]), "0 <= token < vocab_size = 5 must hold, but got tokens from -2 to 3"),
    ],
)
def test_other_tokens_are_refused(x: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepInput(vocab_size=5, in_features=None, embedding_size=4)(x)


@pytest.mark.parametrize(
    "x", [torch.rand(2, 5), torch.rand(2, 5, 4), torch.rand(2, 0, 3), torch.ones(2, 5, 3, dtype=torch.int64)]
)
def test_other_features_are_refused_with_their_shape(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"float features of shape \(batch, length, in_features=3\), but got torch"):
        StepInput(None, in_features=3, embedding_size=4)(x)
