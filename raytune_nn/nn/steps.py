"""The inputs that the sequence networks share: tokens or features in steps, and which steps are padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from raytune_nn.nn.layers import check_at_least, dropout_layers


class StepInput(nn.Module):
    """Rows of steps as features, with the number of real steps in each row.

    The padding of a row is all that follows its last real step: a token other than 0, or a frame with a feature
    other than 0.

    Args:
        vocab_size: How many tokens there are, 0 (padding) included, where the input is tokens.
        in_features: Numbers in one step, where the input is features. Exactly one of both is given.
        embedding_size: Numbers that stand for one token, learned; the padding's stay 0.
        dropout: Probability that a number of an embedding is dropped in training, ``0 <= dropout < 1``.

    Attributes:
        out_features: Numbers in one step of the output.

    Raises:
        ValueError: A size is too small, or both or none of ``vocab_size`` and ``in_features`` are given.
    """

    def __init__(
        self, vocab_size: int | None, in_features: int | None, embedding_size: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if (vocab_size is None) == (in_features is None):
            raise ValueError(
                "exactly one of vocab_size (tokens) and in_features (features) must be given, "
                f"but got vocab_size={vocab_size}, in_features={in_features}"
            )
        self.vocab_size, self.in_features = vocab_size, in_features
        if in_features is not None:
            check_at_least(1, in_features=in_features)
            self.out_features = in_features
        if vocab_size is not None:
            check_at_least(1, embedding_size=embedding_size)
            check_at_least(2, vocab_size=vocab_size)
            self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=0)
            self.dropout = nn.Sequential(*dropout_layers(dropout))
            self.out_features = embedding_size

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of shape (batch, longest, out_features), and the real steps of each row, int64 (batch,).

        Steps that are padding in every row are cut off: they would only cost time.

        Args:
            x: int64 tokens of shape (batch, length), or float features of shape (batch, length, in_features).

        Raises:
            ValueError: ``x`` is neither, or a token is not below ``vocab_size``.
        """
        lengths = real_lengths(self._real(x))
        x = x[:, : int(lengths.max())]
        return (x if self.vocab_size is None else self._embed(x)), lengths

    def _real(self, x: Tensor) -> Tensor:
        if self.vocab_size is None:
            if x.dim() != 3 or x.shape[2] != self.in_features or not x.is_floating_point() or not x.shape[1]:
                raise ValueError(
                    f"the input must be float features of shape (batch, length, in_features={self.in_features}), "
                    f"but got {x.dtype} of shape {tuple(x.shape)}"
                )
            return (x != 0).any(2)
        if x.dim() != 2 or x.dtype != torch.int64 or not x.shape[1]:
            raise ValueError(
                f"the input must be int64 tokens of shape (batch, length), but got {x.dtype} of shape {tuple(x.shape)}"
            )
        return x != 0

    def _embed(self, tokens: Tensor) -> Tensor:
        try:
            embedded: Tensor = self.dropout(self.embedding(tokens))
        except IndexError as error:  # asked for only now: a check of every batch would cost time
            raise ValueError(
                f"0 <= token < vocab_size = {self.vocab_size} must hold, "
                f"but got tokens from {tokens.min().item()} to {tokens.max().item()}"
            ) from error
        return embedded


def real_lengths(real: Tensor) -> Tensor:
    """Steps up to each row's last real one, int64 (batch,).

    A row of padding only counts as one step, so that a mean over its steps exists.

    Args:
        real: Which steps are real, bool (batch, steps).
    """
    return (real * torch.arange(1, real.shape[1] + 1, device=real.device)).amax(1).clamp(min=1)


def real_steps(lengths: Tensor, longest: int) -> Tensor:
    """Mask of shape (batch, longest), true for the real steps of rows with these lengths."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]
