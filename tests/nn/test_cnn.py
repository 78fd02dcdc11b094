"""CNN: shapes for images of any size, the skip connection, and the messages for bad arguments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from raytune_nn.nn import CNN


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1)])
@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize("kernel_size", [1, 5])
def test_images_of_any_size_give_one_row_of_logits(size: tuple[int, int], blocks: int, kernel_size: int) -> None:
    net = CNN(3, 10, channels=4, blocks=blocks, kernel_size=kernel_size)
    assert net(torch.rand(2, 3, *size)).shape == (2, 10)


@pytest.mark.parametrize("residual", [True, False])
def test_a_silent_block_passes_its_input_on_only_with_residual(residual: bool) -> None:
    torch.manual_seed(0)
    net = CNN(1, 3, channels=4, blocks=1, residual=residual).eval()
    for norm in net.blocks.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.zeros_(norm.weight)
    x = torch.rand(2, 1, 8, 8)
    stem = net.stem(x).mean((2, 3))
    expected = net.head(stem if residual else torch.zeros_like(stem))
    assert torch.allclose(net(x), expected, atol=1e-6)


def test_the_mean_over_the_image_ignores_where_the_pattern_stands() -> None:
    torch.manual_seed(0)
    net = CNN(1, 3, channels=4, blocks=1).eval()
    x = torch.zeros(1, 1, 16, 16)
    x[..., 5:8, 5:8] = torch.rand(3, 3)
    assert torch.allclose(net(x), net(x.roll(2, dims=3)), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 4}, "kernel_size must be odd, but got 4"),
        ({"channels": 0}, "channels must be a whole number >= 1, but got 0"),
        ({"blocks": 0}, "blocks must be a whole number >= 1, but got 0"),
        ({"dropout": -0.1}, "0 <= dropout < 1 must hold, but got -0.1"),
        ({"activation": "none"}, "activation must be one of .*, but got 'none'"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNN(1, 3, **arguments)


def test_flat_rows_are_refused_with_their_shape() -> None:
    with pytest.raises(ValueError, match=r"images of shape .* but got \(2, 64\)"):
        CNN(1, 3)(torch.rand(2, 64))
