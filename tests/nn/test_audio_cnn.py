"""AudioCNN: any number of frames, padding without effect, blocks by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from network_checks import check_gradient_reaches_every_parameter, check_loss_falls, count_parameters

from raytune_nn.nn import AudioCNN
from raytune_nn.nn.audio import POOLINGS

LENGTHS = torch.tensor([11, 2, 5])


@pytest.mark.parametrize("frames", [1, 2, 7, 64])
@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize("kernel_size", [1, 7])
def test_any_number_of_frames_gives_one_row_of_logits(frames: int, blocks: int, kernel_size: int) -> None:
    y = AudioCNN(6, 10, blocks=blocks, channels=4, kernel_size=kernel_size)(torch.randn(3, 6, frames))
    assert y.shape == (3, 10)
    assert y.isfinite().all()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_padding_changes_nothing(pooling: str, norm: str, activation: str) -> None:
    torch.manual_seed(0)
    net = AudioCNN(6, 5, channels=4, norm=norm, pooling=pooling, activation=activation)
    net(torch.randn(9, 6, 20))
    x = torch.randn(3, 6, 16) * (torch.arange(16) < LENGTHS[:, None]).unsqueeze(1)
    with torch.no_grad():
        alone = torch.cat([net.eval()(row[None, :, :length]) for row, length in zip(x, LENGTHS, strict=True)])
        assert torch.allclose(net(x), alone, atol=1e-6)
        assert net(torch.zeros_like(x)).isfinite().all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_has_no_gradient(pooling: str) -> None:
    torch.manual_seed(0)
    net, x = AudioCNN(6, 5, channels=4, norm="none", pooling=pooling), torch.randn(2, 6, 9)
    x[0, :, 4:] = 0
    x.requires_grad_()
    net(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad[0, :, :4].any()
    assert not x.grad[0, :, 4 + 2 :].any()  # past what the first convolution sees of it from real frames


def test_a_block_is_convolution_activation_and_the_greater_of_two_frames() -> None:
    torch.manual_seed(0)
    net, x = AudioCNN(6, 3, blocks=1, channels=4, norm="none"), torch.randn(2, 6, 7)
    convolution = net.blocks[0][0]  # type: ignore[index]
    y = F.pad(F.relu(convolution(x)), (0, 1))  # seven frames make four pairs
    pooled = torch.maximum(y[..., ::2], y[..., 1::2]).mean(2)
    assert torch.allclose(net(x), net.head(pooled), atol=1e-6)


def test_layer_norm_is_over_the_channels_of_each_frame() -> None:
    torch.manual_seed(0)
    net, x = AudioCNN(6, 3, blocks=1, channels=4, norm="layer"), torch.randn(2, 6, 7)
    y = net.blocks[0][:2](x)  # type: ignore[index]
    assert torch.allclose(y.mean(1), torch.zeros(2, 7), atol=1e-5)
    assert torch.allclose(y.var(1, unbiased=False), torch.ones(2, 7), atol=1e-2)


def test_the_parameters_are_those_of_the_formula() -> None:
    weights, head = 5 * 6 * 4 + 5 * 4 * 4, 4 * 3 + 3
    for norm, each in (("none", 4), ("batch", 2 * 4), ("layer", 4 + 2 * 4)):
        net = AudioCNN(6, 3, blocks=2, channels=4, norm=norm)
        assert count_parameters(net) == weights + 2 * each + head
    attentive = AudioCNN(6, 3, blocks=2, channels=4, norm="none", pooling="attention")
    assert count_parameters(attentive) == weights + 2 * 4 + 4 + head


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_it_learns_and_every_parameter_takes_part(pooling: str, norm: str) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(24, 6, 16), torch.randint(3, (24,))
    net = AudioCNN(6, 3, channels=16, norm=norm, pooling=pooling)
    check_gradient_reaches_every_parameter(net, x)
    check_loss_falls(net, x, y, steps=40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_mels": 0}, "num_mels must be a whole number >= 1, but got 0"),
        ({"blocks": 0}, "blocks must be a whole number >= 1, but got 0"),
        ({"kernel_size": 2}, "kernel_size must be odd, but got 2"),
        ({"norm": "group"}, "norm must be one of none, batch, layer, but got 'group'"),
        ({"pooling": "last"}, "pooling must be one of mean, max, attention, but got 'last'"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, but got 1.0"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioCNN(**{"num_mels": 6, "num_classes": 3} | arguments)


@pytest.mark.parametrize("shape", [(2, 6), (2, 7, 9), (2, 6, 0), (2, 1, 6, 9)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"features of shape \(batch, num_mels=6, frames\), but got \("):
        AudioCNN(6, 3)(torch.rand(shape))
