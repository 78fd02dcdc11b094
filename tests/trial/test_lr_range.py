"""The learning-rate range test: what a sweep does to a training, and what is read from its curve."""

from __future__ import annotations

import math
import random
from typing import Any, ClassVar

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from trial_parts import BATCH, ROWS, Net, base_config

from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.lr_range import Sweep, choose_range, exponential_rates, smooth, sweep_rates

RATES = exponential_rates(1e-6, 1.0, 121)  # twenty a decade


def curve(*knots: tuple[float, float], noise: float = 0.0, diverged: bool = True) -> Sweep:
    """Straight lines over the logarithm of the rate, through (rate, loss)."""
    draw = random.Random(0)
    losses = []
    for rate in RATES:
        left = max((knot for knot in knots if knot[0] <= rate * 1.001), default=knots[0])
        right = min((knot for knot in knots if knot[0] >= rate * 0.999), default=knots[-1])
        span = math.log(right[0] / left[0])
        share = math.log(rate / left[0]) / span if span else 0.0
        losses.append(left[1] + share * (right[1] - left[1]) + draw.gauss(0, noise))
    return Sweep(list(RATES), losses, diverged)


def near(rate: float) -> Any:
    return pytest.approx(rate, rel=0.3)  # two points of the curve, and two digits


def test_rates_rise_by_one_factor() -> None:
    assert exponential_rates(0.001, 10, 5) == pytest.approx([0.001, 0.01, 0.1, 1, 10])


def test_the_mean_of_a_window_keeps_a_straight_line() -> None:
    line = [float(number) for number in range(80)]
    assert smooth(line) == pytest.approx(line)
    assert smooth([0.0, 0.0, 3.0, 0.0, 0.0]) == [0.0, 1.0, 1.0, 1.0, 0.0]
    peak = [0.0] * 40 + [5.0] + [0.0] * 40
    assert smooth(peak)[36:45] == [0, 0, *[5 / 5] * 5, 0, 0], "81 points: two to either side"


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_from_where_it_begins_to_fall_to_where_it_is_least(noise: float) -> None:
    # It has fallen by a tenth, from 2.0 to 1.8, a tenth of the way from 1e-4 to 1e-2.
    found = choose_range(curve((1e-6, 2.0), (1e-4, 2.0), (1e-2, 0.0), (1.0, 8.0), noise=noise))
    assert (found.low, found.high) == (near(10**-3.8), near(1e-2))
    assert (found.widened, found.open_end) == (False, False)


def test_losses_below_zero() -> None:
    found = choose_range(curve((1e-6, -1.0), (1e-4, -1.0), (1e-2, -3.0), (1.0, 5.0)))
    assert (found.low, found.high) == (near(10**-3.8), near(1e-2))


def test_at_least_a_decade() -> None:
    found = choose_range(curve((1e-6, 2.0), (1e-3, 2.0), (10**-2.5, 1.0), (1.0, 8.0)))
    assert (found.low, found.high) == (near(10**-3.5), near(10**-2.5))
    assert found.high == pytest.approx(10 * found.low)
    assert found.widened


def test_it_still_falls_at_the_end() -> None:
    found = choose_range(curve((1e-6, 2.0), (1e-4, 2.0), (1.0, 0.0), diverged=False))
    assert found.high == 1.0
    assert found.open_end


def test_it_falls_from_the_first_rate_on() -> None:
    found = choose_range(curve((1e-6, 2.0), (1e-2, 0.0), (1.0, 8.0)))
    assert found.low < 10**-5
    assert found.high == near(1e-2)


@pytest.mark.parametrize(
    "flat",
    [
        curve((1e-6, 2.0), (1.0, 2.0)),
        curve((1e-6, 2.0), (1e-2, 1.91), (1.0, 8.0)),
        curve((1e-6, 2.0), (1.0, 8.0)),
        curve((1e-6, 1.0), (1.0, 1.0), noise=0.5),
        Sweep([1e-6], [2.0], True),
        Sweep([1e-6, 2e-6], [2.0, 3.0], True),
    ],
)
def test_a_flat_curve_says_nothing(flat: Sweep) -> None:
    with pytest.raises(ValueError, match="the loss must fall between the rates"):
        choose_range(flat)


class Scripted(Net):
    """Returns the losses that it is given, with a gradient of 1; the last stays."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses, self.used = losses, list[float]()
        self.layer = torch.nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.layer.weight.zero_()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        weight = self.layer.weight.sum()
        loss = self.losses[min(len(self.used), len(self.losses) - 1)]
        self.used.append(-weight.item())  # each step has added its rate
        return weight - weight.detach() + loss


class Silent(Net):
    """Returns no loss."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Any:
        return None


SCRIPTED: list[Scripted] = []


def scripted(losses: list[float]) -> Scripted:
    SCRIPTED.append(Scripted(losses))
    return SCRIPTED[-1]


def swept(model: dict[str, Any], steps: int = 10, **changes: Any) -> Sweep:
    config = base_config(
        model=model,
        optimizer={"_target_": "torch.optim.SGD", "lr": 0.5},
        lr_scheduler={"scheduler": {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.1}},
        security={"allow_targets": ["test_lr_range.scripted"]},
        **changes,
    )
    return sweep_rates(config, Isolation(threads=1), exponential_rates(0.01, 10, steps))


def script(*losses: float) -> dict[str, Any]:
    return {"_target_": "test_lr_range.scripted", "losses": list(losses)}


def test_each_batch_trains_at_its_rate_and_epochs_repeat() -> None:
    rates = exponential_rates(0.01, 10, 10)
    assert len(rates) > ROWS // BATCH
    sweep = swept(script(*(10.0 - step for step in range(10))))
    assert sweep.rates == pytest.approx(rates)
    assert sweep.losses == pytest.approx([10.0 - step for step in range(10)])
    assert not sweep.diverged
    totals = [sum(rates[:step]) for step in range(10)]
    assert SCRIPTED[-1].used == pytest.approx(totals, rel=1e-5)


def test_with_accumulation_a_rate_holds_for_a_whole_step() -> None:
    trainer = {
        "_target_": "pytorch_lightning.Trainer",
        "max_epochs": 3,
        "accelerator": "cpu",
        "accumulate_grad_batches": 2,
    }
    sweep = swept(script(4.0, 2.0, 3.0, 1.0, 2.0, 2.0), steps=3, trainer=trainer)
    assert sweep.losses == pytest.approx([3.0, 2.0, 2.0])
    assert SCRIPTED[-1].used == pytest.approx([0, 0, 0.01, 0.01, 0.01 + 10**-0.5, 0.01 + 10**-0.5], rel=1e-5)


def test_it_stops_where_the_loss_diverges() -> None:
    sweep = swept(script(1.0, 0.5, *[100.0] * 8))
    assert sweep.diverged
    assert len(sweep.losses) == 3


def test_a_loss_below_its_beginning_has_not_diverged() -> None:
    sweep = swept(script(1.0, *[0.001] * 5, *[0.9] * 4))
    assert not sweep.diverged
    assert len(sweep.losses) == 10


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_sweep(loss: float) -> None:
    sweep = swept(script(1.0, 0.5, loss))
    assert sweep.diverged
    assert sweep.losses == [1.0, 0.5]
    with pytest.raises(ValueError, match="the loss must be finite before the first step, but is"):
        swept(script(loss))


def test_a_module_without_a_loss() -> None:
    with pytest.raises(ValueError, match="training_step must return the loss"):
        swept({"_target_": "test_lr_range.Silent"})


def test_callbacks_that_watch_a_whole_training_are_left_out() -> None:
    watchers = {
        "stop": {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "nothing"},
        "monitor": {"_target_": "pytorch_lightning.callbacks.LearningRateMonitor"},
        "average": {"_target_": "raytune_nn.trial.callbacks.StochasticWeightAveraging"},
        "off": None,
    }
    assert len(swept(script(1.0), callbacks=watchers).losses) == 10


class TwoLayers(Net):
    """With a layer in front of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))  # type: ignore[assignment]


class Noting(Callback):
    """Notes the rates of each optimizer step."""

    rates: ClassVar[list[list[float]]] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self.rates.append([group["lr"] for group in optimizer.param_groups])


def test_groups_of_parameters_keep_their_proportions_and_other_callbacks_stay() -> None:
    Noting.rates.clear()
    config = base_config(
        model={"_target_": "test_lr_range.TwoLayers"},
        optimizer={"_target_": "torch.optim.SGD", "lr": 0.5},
        param_groups={"decay_norms_and_biases": True, "layer_decay": 0.5},
        callbacks={"note": {"_target_": "test_lr_range.Noting"}},
    )
    sweep_rates(config, Isolation(threads=1), [0.01, 0.02, 0.04])
    assert Noting.rates == [pytest.approx([rate / 2, rate]) for rate in (0.01, 0.02, 0.04)]
