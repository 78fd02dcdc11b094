"""Mixup: rows, targets and shares against the definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from callback_parts import Net, Rows, fit, line
from torch import Tensor, nn

from raytune_nn.nn import Classification
from raytune_nn.trial.callbacks import Mixup


class Many(Rows):
    """Three classes; the module need not know."""

    num_classes = 3


class Soft(Net):
    """Takes probabilities of classes."""

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(self.net(x), y)


def labelled(rows: int = 6) -> tuple[Tensor, Tensor]:
    """Rows of the identity: each mixed row tells what it was made of."""
    return torch.eye(rows), torch.arange(rows) % 3


def mixed(alpha: float, epochs: int, rows: int = 6) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    module = Soft(nn.Linear(rows, 3))
    fit(module, Many(*labelled(rows), batch_size=rows), Mixup(alpha), max_epochs=epochs, limit_val_batches=0)
    return module.seen


def share_of(x: Tensor, rows: Tensor) -> float:
    """The share l of a batch: what row i has of itself, unless all rows were mixed with themselves."""
    own = x.diagonal()[rows]
    assert torch.allclose(own, own[:1].expand_as(own))
    return own[0].item()


def test_rows_and_labels_are_mixed_alike() -> None:
    rows, labels = labelled()
    one_hot = F.one_hot(labels, 3).float()
    for x, y in mixed(1.0, epochs=30):
        assert y.dtype is x.dtype
        assert torch.allclose(x.sum(1), torch.ones(6))
        moved = x.diagonal() < 1 - 1e-6
        share = share_of(x, moved.nonzero()[:, 0]) if moved.any() else 1.0
        partner = torch.where(moved[:, None], x - share * rows, rows * (1 - share))
        assert torch.allclose(partner.sum(0), torch.full((6,), 1 - share), atol=1e-6), "each row is a partner once"
        assert torch.allclose(y, share * one_hot + partner @ one_hot, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.4, 2.0])
def test_shares_are_beta(alpha: float) -> None:
    shares = []
    for x, _ in mixed(alpha, epochs=800, rows=6):
        moved = (x.diagonal() < 1 - 1e-6).nonzero()[:, 0]
        if len(moved):  # one permutation of 720 moves nothing
            shares.append(share_of(x, moved))
    drawn = torch.tensor(shares)
    variance = 1 / (4 * (2 * alpha + 1))
    assert drawn.mean().item() == pytest.approx(0.5, abs=4 * (variance / len(drawn)) ** 0.5)
    assert drawn.var().item() == pytest.approx(variance, rel=0.15)


def test_the_loss_is_the_mean_of_both_labels() -> None:
    x, y = labelled()
    torch.manual_seed(1)
    module = Soft(nn.Linear(6, 3), lr=1e-9)
    fit(module, Many(x, y, batch_size=6), Mixup(1.0), limit_val_batches=0)
    mixed_x, mixed_y = module.seen[0]
    logits = module.net(mixed_x)
    by_class = torch.stack([F.cross_entropy(logits, torch.full((6,), label), reduction="none") for label in range(3)])
    assert F.cross_entropy(logits, mixed_y).item() == pytest.approx((mixed_y.T * by_class).sum(0).mean().item())


def test_numbers_are_mixed_themselves() -> None:
    x, y = line(6)
    torch.manual_seed(2)
    module = Net()
    fit(module, Rows(x, y, batch_size=6), Mixup(1.0), limit_val_batches=0)
    mixed_x, mixed_y = module.seen[0]
    assert not torch.equal(mixed_x, x)
    assert torch.allclose(mixed_x.sum(1, keepdim=True), mixed_y, atol=1e-6), "the target is linear in the input"


def test_the_shipped_classification_fits() -> None:
    torch.manual_seed(0)
    x = torch.randn(60, 4)
    model = Classification(nn.Linear(4, 3), num_classes=3, label_smoothing=0.1)
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=0.5)  # type: ignore[method-assign]
    trainer = fit(model, Rows(x, x[:, :3].argmax(1), batch_size=20), Mixup(0.2), max_epochs=40)
    assert trainer.callback_metrics["val_acc"] > 0.8


def test_switched_off_it_draws_nothing() -> None:
    change = Mixup(0.0)
    batch = labelled()
    before = torch.get_rng_state()
    assert change.change(None, batch) is batch  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_number_of_classes_it_asks_for_one() -> None:
    module = Soft(nn.Linear(6, 3))
    with pytest.raises(ValueError, match=r"give callbacks\.mixup\.num_classes"):
        fit(module, Rows(*labelled()), Mixup(0.2))


def test_a_number_of_classes_can_be_given() -> None:
    module = Soft(nn.Linear(6, 4))
    fit(module, Rows(*labelled()), Mixup(0.2, num_classes=4), limit_val_batches=0)
    assert module.seen[0][1].shape == (4, 4)


X, Y = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("batch", "rule"),
    [
        (X, "two tensors"),
        ([X, Y, Y], "two tensors"),
        ([X, "labels"], "two tensors"),
        ({"x": X, "y": Y}, "two tensors"),
        ([Y, Y], "floating point"),
        ([X, Y.int()], "classes as int64"),
        ([X, Y[:, None]], "classes as int64"),
        ([X, Y[:1]], "same number of rows"),
    ],
)
def test_other_batches_are_refused(batch: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"Mixup needs .*{rule}"):
        Mixup(0.2, num_classes=2).change(None, batch)  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [-0.1, float("nan")])
def test_alpha_is_not_negative(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha >= 0 must hold"):
        Mixup(alpha)
