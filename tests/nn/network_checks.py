"""What every network must do, whatever it is made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def count_parameters(net: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in net.parameters())


def check_gradient_reaches_every_parameter(net: nn.Module, x: Tensor) -> None:
    """Every parameter changes a loss that weighs all outputs differently."""
    y = net(x)
    (y * torch.randn(y.shape)).sum().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 1e-9]
    assert not silent, silent


def check_loss_falls(net: nn.Module, x: Tensor, y: Tensor, steps: int = 15) -> None:
    """Adam learns these rows by heart: half of the loss is gone, in evaluation too."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], losses
    with torch.no_grad():
        assert F.cross_entropy(net.eval()(x), y).item() < 0.7 * losses[0]
