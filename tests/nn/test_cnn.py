"""CNN: shapes for images of any size, halving, skip connections, and the messages for bad arguments."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_checks import check_gradient_reaches_every_parameter, check_loss_falls, count_parameters
from torch import Tensor, nn

from raytune_nn.nn import CNN

SHARED = Path(os.environ.get("RAYTUNE_NN_SHARED", Path(__file__).parents[2].parent / "shared"))


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (28, 28), (1, 1)])
@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize("kernel_size", [1, 5])
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_images_of_any_size_give_one_row_of_logits(
    size: tuple[int, int], blocks: int, kernel_size: int, pooling: str
) -> None:
    net = CNN(3, 10, channels=4, blocks=blocks, kernel_size=kernel_size, pooling=pooling, channel_growth=1.5)
    assert net(torch.rand(2, 3, *size)).isfinite().all()
    assert net(torch.rand(2, 3, *size)).shape == (2, 10)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_silent_blocks_pass_on_the_halved_image_only_with_residual(residual: bool, pooling: str) -> None:
    torch.manual_seed(0)
    net = CNN(1, 3, channels=4, blocks=2, residual=residual, pooling=pooling).eval()
    for norm in net.blocks.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.zeros_(norm.weight)
    x = torch.rand(2, 1, 16, 16)
    cells = net.stem(x).unfold(2, 8, 8).unfold(3, 8, 8)  # two halvings, then a summary of 2x2: eighths of the image
    cells = cells.mean((4, 5)) if pooling == "avg" else cells.amax((4, 5))
    summary = cells.flatten(1) if residual else torch.zeros(2, 16)
    assert torch.allclose(net(x), net.head(summary / (1 + 1e-5) ** 0.5), atol=1e-5)


def test_the_summary_tells_the_quarter_but_not_the_place_in_it() -> None:
    torch.manual_seed(0)
    net = CNN(1, 3, channels=4, blocks=1).eval()
    x = torch.zeros(1, 1, 32, 32)
    x[..., 5:8, 5:8] = torch.rand(3, 3)
    assert torch.allclose(net(x), net(x.roll(2, dims=3)), atol=1e-6)
    assert not torch.allclose(net(x), net(x.roll(16, dims=3)), atol=1e-3)


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0])
def test_channels_grow_from_block_to_block(growth: float) -> None:
    net = CNN(1, 3, channels=6, blocks=3, channel_growth=growth)
    widths = [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert widths == [6, 6, {1.0: 6, 1.5: 9, 2.0: 12}[growth], {1.0: 6, 1.5: 14, 2.0: 24}[growth]]


def test_the_parameters_are_those_of_the_formula() -> None:
    stem, same, grown = 9 * 2 * 4 + 2 * 4, 9 * 4 * 4 + 2 * 4, 9 * 4 * 8 + 2 * 8
    head = 2 * (8 * 4) + (8 * 4) * 3 + 3
    plain = CNN(2, 3, channels=4, channel_growth=2.0, residual=False)
    assert count_parameters(plain) == stem + same + grown + head
    assert count_parameters(CNN(2, 3, channels=4, channel_growth=2.0)) == stem + same + grown + head + 4 * 8


@pytest.mark.parametrize("options", [{}, {"residual": False}, {"pooling": "max", "channel_growth": 2.0}])
def test_it_learns_and_every_parameter_takes_part(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    x, y = torch.rand(24, 1, 8, 8), torch.randint(3, (24,))
    check_gradient_reaches_every_parameter(CNN(1, 3, channels=8, **options), x)
    check_loss_falls(CNN(1, 3, channels=8, **options), x, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 4}, "kernel_size must be odd, but got 4"),
        ({"kernel_size": 0}, "kernel_size must be a whole number >= 1, but got 0"),
        ({"channels": 0}, "channels must be a whole number >= 1, but got 0"),
        ({"blocks": 0}, "blocks must be a whole number >= 1, but got 0"),
        ({"channel_growth": 0.5}, "channel_growth >= 1 must hold, but got 0.5"),
        ({"channel_growth": float("nan")}, "channel_growth >= 1 must hold, but got nan"),
        ({"pooling": "mean"}, "pooling must be one of avg, max, but got 'mean'"),
        ({"dropout": -0.1}, "0 <= dropout < 1 must hold, but got -0.1"),
        ({"activation": "none"}, "activation must be one of .*, but got 'none'"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNN(1, 3, **arguments)


@pytest.mark.parametrize("shape", [(2, 64), (2, 3, 8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=rf"\(batch, in_channels=1, height, width\), but got \({', '.join(map(str, shape))}\)"
    ):
        CNN(1, 3)(torch.rand(shape))


def mnist() -> tuple[Tensor, Tensor]:
    folder = SHARED / "data/mnist"
    if not folder.exists():
        pytest.skip(f"MNIST is not in {folder}")
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    x = torch.from_numpy(np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28) / np.float32(255))
    return x, torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))


@pytest.mark.slow
def test_the_defaults_learn_mnist_in_two_epochs() -> None:
    torch.manual_seed(0)
    (x, y), net = mnist(), CNN(1, 10)
    order = torch.randperm(len(x))
    train, val = order[:6000], order[6000:8000]
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(2):
        for rows in train[torch.randperm(len(train))].split(64):  # type: ignore[no-untyped-call]
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        accuracy = (net.eval()(x[val]).argmax(1) == y[val]).float().mean().item()
    assert accuracy > 0.95
