"""A growing batch: its size in each epoch, the learning rate that follows it, and what it does not fit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Reports, Rows, by_steps, fit, line, reporter
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR

from raytune_nn.data import DigitsDataModule
from raytune_nn.trial.callbacks import BatchSizeSchedule


def sizes(module: Net) -> list[int]:
    return [len(batch[0]) for batch in module.seen]


@pytest.mark.parametrize("kind", [Net, Manual])
def test_the_batch_grows_every_so_many_epochs(kind: type[Net]) -> None:
    module = kind()
    trainer = fit(module, Rows(*line(12), batch_size=2), BatchSizeSchedule(2, 2, 6), max_epochs=7)
    assert sizes(module) == [2] * 12 + [4] * 6 + [6] * 6
    assert trainer.global_step == 24


def test_a_broken_factor_is_rounded_from_the_first_size() -> None:
    schedule, data = BatchSizeSchedule(1, 1.5, 20), Rows(*line(12), batch_size=3)
    fit(Net(), data, schedule)
    assert [schedule.size_at(epoch) for epoch in range(7)] == [3, 4, 7, 10, 15, 20, 20]
    assert [3 * 1.5**epoch for epoch in range(5)] == [3, 4.5, 6.75, 10.125, 15.1875]


def test_the_digits_grow() -> None:
    class Counting(Net):
        def loss(self, batch: Any) -> Any:
            return self.net(batch[0]).square().mean()

    module = Counting(torch.nn.Linear(64, 1))
    fit(module, DigitsDataModule(batch_size=100), BatchSizeSchedule(1, 3, 300), max_epochs=2, limit_val_batches=0)
    assert set(sizes(module)) == {100, 300, 1079 % 100, 1079 % 300}


def test_a_reload_that_the_user_asked_for_happens_too() -> None:
    module = Net()
    trainer = fit(
        module,
        Rows(*line(8), batch_size=2),
        BatchSizeSchedule(4, 2, 8),
        max_epochs=5,
        reload_dataloaders_every_n_epochs=6,
    )
    assert getattr(trainer, "reload_dataloaders_every_n_epochs") == 2  # noqa: B009  # its class does not declare it
    assert sizes(module)[-2:] == [4, 4]


class Moves(Net):
    """Keeps how far each step goes for a gradient of one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.moves: list[float] = []

    def loss(self, batch: Any) -> Any:
        weight: Any = self.net.bias
        return weight.sum() + 0 * self.net(batch[0]).sum()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.before = self.net.get_parameter("bias").item()

    def on_train_batch_end(self, *args: Any) -> None:
        self.moves.append(self.before - self.net.get_parameter("bias").item())


@pytest.mark.parametrize(
    ("scale_lr", "growth"), [("none", [1, 1, 1]), ("linear", [1, 2, 3]), ("sqrt", [1, 2**0.5, 3**0.5])]
)
@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (None, [0.5, 0.5, 0.5]),
        (lambda optimizer: ExponentialLR(optimizer, gamma=0.5), [0.5, 0.25, 0.125]),
        (lambda optimizer: LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch)), [0.5, 0.25, 0.5 / 3]),
        (lambda optimizer: CosineAnnealingLR(optimizer, T_max=3), [0.5, 0.375, 0.125]),
    ],
)
def test_the_rate_follows_the_batch_under_any_schedule(
    scale_lr: str, growth: list[float], schedule: Any, rates: list[float]
) -> None:
    module = Moves(lr=0.5, schedule=schedule)
    growing = BatchSizeSchedule(1, 2, 6, scale_lr)
    fit(module, Rows(*line(12), batch_size=2), growing, max_epochs=3, limit_val_batches=0)
    expected = [rate * more for rate, more, steps in zip(rates, growth, (6, 3, 2), strict=True) for _ in range(steps)]
    assert module.moves == pytest.approx(expected, rel=1e-4)
    assert module.rates == pytest.approx(rates), "schedulers and logs see the rate without the scaling"


def test_after_the_fit_steps_are_the_optimizers_own() -> None:
    module = Moves(lr=0.5)
    trainer = fit(module, Rows(*line(12), batch_size=2), BatchSizeSchedule(1, 2, 4, "linear"), max_epochs=2)
    before = module.net.get_parameter("bias").item()
    module.net.get_parameter("bias").grad = torch.ones(1)
    trainer.optimizers[0].step()
    assert before - module.net.get_parameter("bias").item() == pytest.approx(0.5)


def test_it_stops_between_epochs_with_the_reporter() -> None:
    module, reports = Net(), Reports(until=3)
    callback, _ = reporter(reports)
    fit(module, Rows(*line(8), batch_size=2), BatchSizeSchedule(1, 2, 8), callback, max_epochs=5)
    assert [report.step for report in reports] == [4, 6, 7]


class Deaf(Rows):
    """Has a batch size and builds its loader with another."""

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*self.tensors), batch_size=2)


class Nameless(Rows):
    """Calls it otherwise."""

    def __init__(self) -> None:
        super().__init__(*line())
        self.size = self.__dict__.pop("batch_size")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (Deaf(*line(), batch_size=2), r"train_dataloader\(\) of Deaf must take its batch_size \(4\), but .* of 2"),
        (Nameless(), "Nameless.batch_size is None"),
        (Rows(*line(), batch_size=None), "Rows.batch_size is None"),  # type: ignore[arg-type]
        (Rows(*line(), batch_size=7), "batch_size <= maximum must hold, but got 7 and 6"),
    ],
)
def test_other_data_are_refused(data: Rows, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        fit(Net(), data, BatchSizeSchedule(1, 2, 6), max_epochs=2)


def test_loaders_without_a_data_module_are_refused() -> None:
    trainer: Any = SimpleNamespace(datamodule=None)
    with pytest.raises(ValueError, match="there is no data module"):
        BatchSizeSchedule(1, 2, 6).setup(trainer, Net(), "fit")


def test_a_schedule_by_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"BatchSizeSchedule .*\(ExponentialLR\) .*lr_scheduler\.interval=epoch"):
        fit(Net(schedule=by_steps), Rows(*line()), BatchSizeSchedule(1, 2, 6))


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"every": 0}, "every must be a whole number >= 1"),
        ({"every": 1.5}, "every must be a whole number >= 1"),
        ({"factor": 1}, "factor > 1 must hold"),
        ({"factor": float("nan")}, "factor > 1 must hold"),
        ({"scale_lr": "cubic"}, "scale_lr must be one of none, sqrt, linear, but got 'cubic'"),
    ],
)
def test_arguments(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        BatchSizeSchedule(**{"every": 1, "factor": 2, "maximum": 8, **arguments})
