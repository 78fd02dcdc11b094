"""A recurrent network for sequences of tokens or of features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from raytune_nn.nn.layers import check_at_least, check_one_of, dropout_layers
from raytune_nn.nn.pooling import AttentionPooling, MeanPooling
from raytune_nn.nn.steps import StepInput, real_steps

KINDS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
POOLINGS = ("last", "mean", "attention")


class Recurrent(nn.Module):
    """An embedding for tokens, recurrent layers, pooling over the real steps, a linear output.

    The padding of a row (tokens 0, or frames of zeros, that follow its last real step) changes nothing.

    Args:
        num_classes: Numbers in one output.
        vocab_size: How many tokens there are, 0 (padding) included, where the input is tokens.
        in_features: Numbers in one step, where the input is features. Exactly one of both is given.
        embedding_size: Numbers that stand for one token.
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``: torch's, whose formulas they keep.
        layers: Recurrent layers.
        hidden_size: Units of a layer, in each direction.
        bidirectional: Read each row also from its last real step to its first; the next layer sees both.
        pooling: ``"last"`` (what each direction holds when it has read the whole row), ``"mean"`` over the
            steps, or ``"attention"`` (see `raytune_nn.nn.pooling.AttentionPooling`).
        dropout: Probability that a number of an embedding or of a layer's output is dropped in training,
            ``0 <= dropout < 1``.

    Raises:
        ValueError: A size is too small, a name is unknown, or both or none of ``vocab_size`` and
            ``in_features`` are given.
    """

    def __init__(
        self,
        num_classes: int,
        vocab_size: int | None = None,
        in_features: int | None = None,
        embedding_size: int = 64,
        kind: str = "lstm",
        layers: int = 1,
        hidden_size: int = 64,
        bidirectional: bool = True,
        pooling: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, num_classes=num_classes, layers=layers, hidden_size=hidden_size)
        check_one_of(KINDS, kind=kind)
        self.input = StepInput(vocab_size, in_features, embedding_size, dropout)
        width = hidden_size * (2 if bidirectional else 1)
        fan_ins = [self.input.out_features] + [width] * (layers - 1)
        self.layers = nn.ModuleList(_Layer(kind, fan_in, hidden_size, bidirectional) for fan_in in fan_ins)
        self.dropout = nn.Sequential(*dropout_layers(dropout))
        self.pool = _pooling(pooling, hidden_size, width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map int64 tokens (batch, length), or features (batch, length, in_features), to (batch, num_classes).

        Raises:
            ValueError: ``x`` is neither, or a token is not below ``vocab_size``.
        """
        x, lengths = self.input(x)
        mask = real_steps(lengths, x.shape[1])
        for layer in self.layers:
            x = self.dropout(layer(x, lengths, mask))
        y: Tensor = self.head(self.pool(x, mask))
        return y


class _Layer(nn.Module):
    """One layer in one or two directions, as torch's own would be over packed sequences.

    Packed sequences take twice the time on a CPU. Without them the first direction reads padding after all real
    steps, which changes none of them, and the second reads rows that are turned around, padding still last.
    """

    def __init__(self, kind: str, fan_in: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.forwards = KINDS[kind](fan_in, hidden_size, batch_first=True)
        self.backwards = KINDS[kind](fan_in, hidden_size, batch_first=True) if bidirectional else None

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        y: Tensor = self.forwards(x)[0]
        if self.backwards is None:
            return y
        steps = torch.arange(x.shape[1], device=x.device)
        turned = torch.where(mask, lengths[:, None] - 1 - steps, steps).unsqueeze(2)
        z = self.backwards(x.gather(1, turned.expand_as(x)))[0]
        return torch.cat([y, z.gather(1, turned.expand_as(z))], 2)


class _LastPooling(nn.Module):
    """What each direction holds once it has read a row: at its last real step, and back at its first."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows = torch.arange(len(x), device=x.device)
        read = x[rows, mask.sum(1) - 1, : self.hidden_size]
        return torch.cat([read, x[:, 0, self.hidden_size :]], 1)


def _pooling(name: str, hidden_size: int, width: int) -> nn.Module:
    check_one_of(POOLINGS, pooling=name)
    if name == "last":
        return _LastPooling(hidden_size)
    return AttentionPooling(width) if name == "attention" else MeanPooling()
