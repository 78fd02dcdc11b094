"""Stochastic weight averaging: the average by hand, and that reports and checkpoints are of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from callback_parts import Net, Reports, Rows, fit, line, reporter
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn

from raytune_nn.trial.callbacks import Freeze, StochasticWeightAveraging


class Steps(Net):
    """Keeps the weights that the optimizer left at each step, and those that each batch of validation sees."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.left: list[Tensor] = []
        self.judged: list[Tensor] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if self.trainer.global_step:
            assert torch.equal(weight_of(self), self.left[-1]), "the training goes on where the optimizer left"
        return super().training_step(batch, batch_idx)

    def optimizer_step(self, *args: Any, **keywords: Any) -> None:
        super().optimizer_step(*args, **keywords)
        self.left.append(weight_of(self))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        super().validation_step(batch, batch_idx)
        self.judged.append(weight_of(self))


def weight_of(module: LightningModule) -> Tensor:
    return next(module.parameters()).detach().clone()


STEPS = 2  # an epoch


def train(
    module: Steps, start: float, epochs: int = 6, until: int = 99, **trainer: Any
) -> tuple[Reports, list[Tensor]]:
    """Reports, and the first weight of what each would have kept."""
    reports = Reports(until)
    callback, keeper = reporter(reports)
    fit(module, Rows(*line()), StochasticWeightAveraging(start), callback, max_epochs=epochs, **trainer)
    return reports, [next(iter(weights.values())) for weights in keeper.weights]


def at_ends(module: Steps) -> list[Tensor]:
    return module.left[STEPS - 1 :: STEPS]


@pytest.mark.parametrize(("start", "first"), [(0.5, 3), (0.0, 0), (0.75, 4), (0.99, 5)])
def test_from_its_start_on_validations_and_checkpoints_are_of_the_average(start: float, first: int) -> None:
    module = Steps()
    reports, kept = train(module, start)
    ends = at_ends(module)
    assert len(ends) == len(reports) == 6
    for epoch in range(6):
        mean = torch.stack(ends[first : epoch + 1]).mean(0) if epoch >= first else ends[epoch]
        assert torch.allclose(module.judged[STEPS * epoch], mean, atol=1e-6)
        assert torch.equal(kept[epoch], module.judged[STEPS * epoch]), "what is kept is what was judged"
    assert torch.equal(weight_of(module), kept[-1]), "and so is what the fit leaves"


def test_the_training_itself_is_the_same() -> None:
    torch.manual_seed(0)
    module = Steps()
    plain = Steps()
    plain.load_state_dict(module.state_dict())
    train(module, 0.0)
    fit(plain, Rows(*line()), max_epochs=6)
    assert all(map(torch.equal, module.left, plain.left))


def test_a_trial_that_is_stopped_keeps_the_average_so_far() -> None:
    module = Steps()
    reports, kept = train(module, 0.5, until=4)
    assert len(reports) == 4
    assert len(at_ends(module)) == 4
    assert torch.allclose(kept[-1], at_ends(module)[3])
    assert torch.equal(weight_of(module), kept[-1])


def test_a_trial_that_is_stopped_before_the_start_has_its_own_weights() -> None:
    module = Steps()
    _, kept = train(module, 0.5, until=2)
    assert torch.equal(kept[-1], at_ends(module)[1])
    assert torch.equal(weight_of(module), at_ends(module)[1])


def test_validations_within_an_epoch() -> None:
    module = Steps()
    reports, kept = train(module, 0.5, epochs=2, val_check_interval=0.5)
    end = at_ends(module)
    assert len(reports) == 4
    expected = [module.left[0], end[0], module.left[2], end[1]]
    assert all(torch.allclose(weight, wanted) for weight, wanted in zip(kept, expected, strict=True))


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
@pytest.mark.parametrize("missing", ["module", "epoch"])
def test_without_a_validation_the_average_is_there_too(missing: str) -> None:
    class Blind(Steps):
        validation_step = None  # type: ignore[assignment]

    module = Blind() if missing == "module" else Steps()
    often = 1 if missing == "module" else 4
    fit(module, Rows(*line()), StochasticWeightAveraging(0.0), max_epochs=3, check_val_every_n_epoch=often)
    assert torch.allclose(weight_of(module), torch.stack(at_ends(module)).mean(0), atol=1e-6)


def test_running_statistics_are_averaged_and_counters_are_not() -> None:
    class Watch(StochasticWeightAveraging):
        means: list[Tensor]

        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
            super().on_train_batch_end(trainer, pl_module, *rest)
            if trainer.is_last_batch:
                self.means.append(pl_module.get_buffer("net.0.running_mean").clone())

    watch = Watch(0.0)
    watch.means = []
    module = Net(nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)))
    x, y = line()
    fit(module, Rows(x + 3, y), watch, max_epochs=3)
    assert len({mean[0].item() for mean in watch.means}) == 3
    assert torch.allclose(module.get_buffer("net.0.running_mean"), torch.stack(watch.means).mean(0))
    assert module.get_buffer("net.0.num_batches_tracked").item() == 6


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_the_schedule_of_the_learning_rate_stays(interval: str) -> None:
    class Scheduled(Steps):
        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
            scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": interval}}

    module = Scheduled()
    train(module, 0.0, epochs=3)
    assert module.rates == ([1.0, 0.5, 0.25] if interval == "epoch" else [1.0, 0.25, 0.0625])


def test_frozen_weights_stay_as_they_are() -> None:
    module = Net(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    before = module.net.get_parameter("0.weight").detach().clone()
    fit(module, Rows(*line()), Freeze("net.0"), StochasticWeightAveraging(0.0), max_epochs=7)
    assert torch.equal(module.net.get_parameter("0.weight"), before)


@pytest.mark.parametrize("start", [-0.1, 1.0, float("nan")])
def test_start_is_a_share(start: float) -> None:
    with pytest.raises(ValueError, match="0 <= start < 1 must hold"):
        StochasticWeightAveraging(start)


def test_a_training_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs trainer\.max_epochs >= 1, but got -1"):
        fit(Net(), Rows(*line()), StochasticWeightAveraging(), max_epochs=-1, max_steps=3)
