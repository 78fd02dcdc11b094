"""Regression: standardised inside, the target's own units outside, and scores against their definitions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fitting import evaluate_on, fit_on
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import Tensor, nn

from raytune_nn.nn import MLP, Regression

ROWS = 50  # not a multiple of the batch size, so that a mean over batches would differ from one over rows


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(ROWS, 4)
    return x, 450 + 17 * (x[:, 0] + 0.3 * torch.randn(ROWS))


def scores(y: Tensor, predicted: Tensor) -> dict[str, float]:
    return {
        "rmse": root_mean_squared_error(y, predicted),
        "mae": mean_absolute_error(y, predicted),
        "r2": r2_score(y, predicted),
    }


def test_scores_by_hand_over_batches_of_unequal_size() -> None:
    # The network is the identity, so the predictions are x: 16 rows off by 1, then one row off by 5.
    y = torch.arange(17.0)
    x = (y + torch.tensor([1.0] * 16 + [5.0])).unsqueeze(1)
    result = evaluate_on((x, y), Regression(nn.Identity()))
    assert result["test_loss"] == pytest.approx(41 / 17)
    assert result["test_rmse"] == pytest.approx(math.sqrt(41 / 17))
    assert result["test_mae"] == pytest.approx(21 / 17)
    assert result["test_r2"] == pytest.approx(1 - 41 / 408)  # 0..16 spread by 408 around their mean 8


def test_logged_values_are_those_of_all_rows_in_the_targets_units(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Regression(MLP(4, 1), target_mean=450.0, target_scale=17.0)
    predicted = module(x).detach().squeeze(1)
    loss = F.mse_loss((predicted - 450) / 17, (y - 450) / 17).item()
    expected = {"loss": loss, **scores(y, predicted)}
    (epoch,) = fit_on(rows, module, max_epochs=1).epochs
    in_validation = {f"val_{name}": value for name, value in expected.items()}
    assert epoch == pytest.approx({"train_loss": loss, **in_validation}, rel=1e-5)
    assert evaluate_on(rows, module) == pytest.approx({f"test_{k}": v for k, v in expected.items()}, rel=1e-5)


def test_each_of_several_targets_has_its_own_scale_and_score() -> None:
    torch.manual_seed(0)
    x = torch.randn(ROWS, 4)
    y = torch.stack((1000 + 100 * x[:, 0], 0.01 * x[:, 1]), dim=1)
    module = Regression(MLP(4, 2), target_mean=[1000.0, 0.0], target_scale=[100.0, 0.01])
    predicted = module(x).detach()
    assert torch.allclose(predicted, module.net(x) * torch.tensor([100.0, 0.01]) + torch.tensor([1000.0, 0.0]))
    result = evaluate_on((x, y), module)
    assert {name: result[f"test_{name}"] for name in ("rmse", "mae", "r2")} == pytest.approx(
        scores(y, predicted), rel=1e-5
    )


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mse", (0.25 + 9) / 2), ("mae", (0.5 + 3) / 2), ("huber", (0.125 + 2 * (3 - 1)) / 2)],
)
def test_each_loss_by_hand(loss: str, expected: float) -> None:
    # In standardised units the errors are 0.5 and 3; Huber's is quadratic below 2: e²/2, then 2 (e - 1).
    module = Regression(nn.Identity(), target_mean=10.0, target_scale=4.0, loss=loss, huber_delta=2.0)
    batch = torch.zeros(2, 1), torch.tensor([12.0, -2.0])
    assert module.batch_loss(batch)[0].item() == pytest.approx(expected)
    sums = {name: torch.as_tensor(value).double() for name, value in module.batch_sums(batch, 0).items()}
    assert module.epoch_metrics(sums)["loss"].item() == pytest.approx(expected)


def test_r2_is_exact_for_targets_far_from_zero() -> None:
    torch.manual_seed(0)
    y = (4096 + torch.arange(64) / 256).float()  # exact in single precision; their squares are not
    x = (y + torch.randn(64).div(256)).unsqueeze(1)
    result = evaluate_on((x, y), Regression(nn.Identity()))
    assert result["test_r2"] == pytest.approx(r2_score(y.double(), x.double()), rel=1e-6)


@pytest.mark.parametrize(("miss", "r2"), [(0.0, 1.0), (1.0, 0.0)])
def test_r2_of_targets_that_are_all_the_same(miss: float, r2: float) -> None:
    y = torch.full((20,), 7.3)
    assert evaluate_on((y.unsqueeze(1) + miss, y), Regression(nn.Identity()))["test_r2"] == r2


def test_training_lowers_the_error(rows: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    module = Regression(MLP(4, 1, width=32), target_mean=450.0, target_scale=17.0)
    epochs = fit_on(rows, module, lr=1e-2, max_epochs=15).epochs
    assert epochs[-1]["val_rmse"] < 0.5 * epochs[0]["val_rmse"]
    assert epochs[-1]["val_r2"] > 0.8


def test_one_column_and_none_are_the_same_targets(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Regression(MLP(4, 1), target_mean=450.0, target_scale=17.0)
    assert torch.equal(module.batch_loss((x, y))[0], module.batch_loss((x, y.unsqueeze(1)))[0])


def test_half_precision_of_the_network_does_not_round_the_answer() -> None:
    module = Regression(nn.Linear(1, 1).bfloat16(), target_mean=4096.0)
    answer = module(torch.zeros(1, 1, dtype=torch.bfloat16))
    assert answer.item() == pytest.approx(4096 + module.net.bias.item(), abs=1e-3)  # type: ignore[operator]


@pytest.mark.parametrize("shape", [(3, 1), (1,), (4,), (3, 2)])
def test_targets_of_another_shape_are_refused_not_broadcast(shape: tuple[int, ...]) -> None:
    module = Regression(nn.Linear(2, 1) if shape != (3, 1) else nn.Linear(2, 3))
    for step in (module.batch_loss, lambda batch: module.batch_sums(batch, 0)):
        with pytest.raises(ValueError, match=r"targets of shape \(.*\) do not fit predictions of shape \(3, .\)"):
            step((torch.rand(3, 2), torch.rand(shape)))


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (nn.Flatten(0), {}, r"\(batch, targets\) with 3 rows, but gave \(6,\); a single target has the shape"),
        (nn.Identity(), {"target_mean": [0.0] * 3}, "target_mean has 3 numbers, but the network gives 2 targets a row"),
        (nn.Identity(), {"target_scale": [1.0]}, "target_scale has 1 numbers, but the network gives 2 targets a row"),
    ],
)
def test_a_network_of_another_width_is_refused(net: nn.Module, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Regression(net, **options)(torch.rand(3, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "l2"}, "loss must be one of mse, mae, huber, but got 'l2'"),
        ({"huber_delta": 0.0}, "huber_delta > 0 must hold, but got 0.0"),
        ({"target_scale": 0.0}, "target_scale must be a finite number > 0, or one a target, but got 0.0"),
        ({"target_scale": [1.0, -1.0]}, r"target_scale must .* but got \[1.0, -1.0\]"),
        ({"target_mean": float("nan")}, "target_mean must be a finite number, or one a target, but got nan"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Regression(MLP(4, 1), **arguments)
