"""Every shipped schedule against its formula, over whole trainings; and the warm-up in front of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import MultiplicativeLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, IterableDataset
from trial_parts import BATCH, ROWS, Data, Net, base_config, quiet

from raytune_nn.config.compose import conf_dir
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.schedules import WarmUp

RATE, START = 0.01, 0.1
BATCHES = ROWS // BATCH
OPTIONS = sorted(path.stem for path in Path(conf_dir(), "lr_scheduler").glob("*.yaml"))
Formula = Callable[[int, int], float]


def option(name: str, **changes: Any) -> dict[str, Any]:
    """A file of conf/lr_scheduler, interpolations unresolved."""
    node: dict[str, Any] = yaml.safe_load(Path(conf_dir(), "lr_scheduler", f"{name}.yaml").read_text())
    return {**node, **changes}


class Rates(Callback):
    """Notes the rate of every optimizer step, one list a group of parameters."""

    def __init__(self) -> None:
        self.groups: list[list[float]] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self.groups = self.groups or [[] for _ in optimizer.param_groups]
        for rates, group in zip(self.groups, optimizer.param_groups, strict=True):
            rates.append(group["lr"] / RATE)


def trained(
    schedule: dict[str, Any],
    epochs: int = 6,
    model: dict[str, Any] | None = None,
    param_groups: dict[str, Any] | None = None,
    **trainer: Any,
) -> Rates:
    """The rates of a training, as multiples of the optimizer's."""
    rates = Rates()
    config = base_config(
        model={"_target_": "trial_parts.Net", **(model or {})},
        optimizer={"_target_": "torch.optim.SGD", "lr": RATE},
        lr_scheduler=schedule,
        objective={"metric": "val_acc", "mode": "max"},
        budget={"max_epochs": epochs},
        trainer={
            "_target_": "pytorch_lightning.Trainer",
            "max_epochs": "${budget.max_epochs}",
            "check_val_every_n_epoch": 1,
            **trainer,
        },
    )
    config["param_groups"].update(param_groups or {})
    built = build_trial(config, callbacks=[rates], **quiet())
    built.trainer.fit(built.model, datamodule=built.data)
    return rates


def cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def one_cycle(k: int, total: int) -> float:
    """Smith & Topin's cycle with cosine flanks: up for three tenths, down to a 10,000th of the beginning."""
    first, last = 1 / 25, 1 / 25 / 1e4
    top, end = 0.3 * total - 1, total - 1
    if k <= top:
        return first + (1 - first) * (1 - cosine(k / top))
    return last + (1 - last) * cosine((k - top) / (end - top))


FORMULAS: dict[str, Formula] = {
    "none": lambda k, total: 1.0,
    "exponential": lambda k, total: 0.9**k,
    "step": lambda k, total: 0.5 ** (k // 3),
    "multi_step": lambda k, total: 0.1 ** ((k >= math.ceil(total / 2)) + (k >= math.ceil(3 * total / 4))),
    "polynomial": lambda k, total: 1 - k / total,
    "cosine": lambda k, total: cosine(k / total),
    "cosine_restarts": lambda k, total: cosine(k % math.ceil(total / 4) / math.ceil(total / 4)),
    "one_cycle": one_cycle,
    "plateau": lambda k, total: 0.5 ** max(0, (k - 1) // 3),  # the objective never gets better than at first
}


def expected(name: str, total: int, warmup: int) -> list[float]:
    """The rate in each step of a schedule."""
    formula = FORMULAS[name]
    after = [formula(k, total - warmup) for k in range(total - warmup)]
    return [(START + (1 - START) * k / warmup) * after[0] for k in range(warmup)] + after


def test_every_option_has_its_formula() -> None:
    assert set(OPTIONS) == set(FORMULAS)


@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize("epochs", [8, 13])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.filterwarnings("ignore:A `OneCycleLR` scheduler is using 'interval'")
def test_by_epochs(name: str, epochs: int, warmup: int) -> None:
    (rates,) = trained(option(name, interval="epoch", warmup=warmup), epochs).groups
    assert len(rates) == epochs * BATCHES
    assert rates[::BATCHES] == rates[BATCHES - 1 :: BATCHES], "constant within an epoch"
    assert rates[::BATCHES] == pytest.approx(expected(name, epochs, warmup))


@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize(("accumulate", "epochs"), [(1, 3), (3, 5)])
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "plateau"])
def test_by_optimizer_steps(name: str, accumulate: int, epochs: int, warmup: int) -> None:
    schedule = option(name, interval="step", warmup=warmup)
    (rates,) = trained(schedule, epochs, accumulate_grad_batches=accumulate).groups
    total = epochs * math.ceil(BATCHES / accumulate)
    assert rates == pytest.approx(expected(name, total, warmup))


def test_two_epochs_between_two_steps() -> None:
    (rates,) = trained(option("cosine", frequency=2, warmup=4), epochs=10).groups
    steps = expected("cosine", total=5, warmup=2)
    assert rates[::BATCHES] == pytest.approx([rate for rate in steps for _ in range(2)])


def test_trainer_limits_count() -> None:
    (rates,) = trained(option("polynomial", interval="step"), epochs=4, limit_train_batches=2).groups
    assert rates == pytest.approx(expected("polynomial", 8, 0))
    (rates,) = trained(option("polynomial", interval="step"), epochs=4, max_steps=5).groups
    assert rates == pytest.approx(expected("polynomial", 5, 0))


def test_other_shares() -> None:
    schedule = option("multi_step")
    schedule["scheduler"]["milestones"] = "${from_trainer:total,[0.3,0.6,0.9]}"
    (rates,) = trained(schedule, epochs=10).groups
    assert rates[::BATCHES] == pytest.approx([1] * 3 + [0.1] * 3 + [0.01] * 3 + [0.001])


def test_each_group_of_parameters_has_its_own_cycle() -> None:
    schedule = option("one_cycle")
    low, high = trained(
        schedule, model={"_target_": "test_schedules.TwoLayers"}, param_groups={"layer_decay": 0.5}
    ).groups
    assert high == pytest.approx(expected("one_cycle", 24, 0))
    assert low == pytest.approx([rate / 2 for rate in high])


class TwoLayers(Net):
    """With a layer in front of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = None  # type: ignore[assignment]
        last = self.layer
        del self.layer
        self.first, self.layer = torch.nn.Linear(1, 1), last


@pytest.mark.parametrize("warmup", [0, 3])
def test_a_plateau_counts_validations_after_the_warm_up(warmup: int) -> None:
    # Nothing is as good as the warm-up's; of what comes after it, the last four are no better than the second.
    accuracy = [*[0.9, 0.8, 0.7][:warmup], 0.1, 0.2, 0.2, 0.2, 0.2, 0.2]
    (rates,) = trained(option("plateau", warmup=warmup), epochs=warmup + 6, model={"accuracy": accuracy}).groups
    rise = [START + (1 - START) * k / 3 for k in range(warmup)]
    assert rates[::BATCHES] == pytest.approx([*rise, 1, 1, 1, 1, 1, 0.5])


def test_a_warm_up_restores_what_it_saved() -> None:
    def build() -> tuple[Optimizer, WarmUp]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, WarmUp(StepLR(optimizer, step_size=2, gamma=0.5), steps=3, start=0.25)

    def run(optimizer: Optimizer, schedule: WarmUp, steps: int) -> list[float]:
        rates = []
        for _ in range(steps):
            optimizer.step()
            schedule.step()
            assert schedule.get_last_lr() == [optimizer.param_groups[0]["lr"]]
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    whole = run(*build(), 9)
    assert whole == [0.5, 0.75, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    for until in (1, 5):
        optimizer, schedule = build()
        run(optimizer, schedule, until)
        resumed_optimizer, resumed = build()
        resumed_optimizer.load_state_dict(optimizer.state_dict())
        resumed.load_state_dict(schedule.state_dict())
        assert run(resumed_optimizer, resumed, 9 - until) == whole[until:]


def test_a_schedule_without_a_closed_form_begins_at_its_own_first_rate() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = WarmUp(MultiplicativeLR(optimizer, lambda _: 0.5), steps=2, start=0.0)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(4):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.0, 0.5, 1.0, 0.5, 0.25]


@pytest.mark.parametrize("start", [-0.1, 1.1])
def test_a_warm_up_begins_between_nothing_and_everything(start: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(ValueError, match=f"0 <= warmup_start <= 1 must hold, but got {start}"):
        WarmUp(ReduceLROnPlateau(optimizer), 2, start)


def test_a_warm_up_as_long_as_the_training() -> None:
    with pytest.raises(ValueError, match="the schedule has 4 steps, and 4 of them are its warm-up"):
        trained(option("cosine", warmup=4), epochs=4)


class Endless(Data):
    """Rows without a number."""

    def train_dataloader(self) -> Any:
        class Rows(IterableDataset[Any]):
            def __iter__(self) -> Any:
                return iter(torch.ones(4, 1, 1))

        return DataLoader(Rows(), batch_size=2)


def test_data_of_unknown_length() -> None:
    config = base_config(
        data={"_target_": "test_schedules.Endless"},
        optimizer={"_target_": "torch.optim.SGD", "lr": RATE},
        lr_scheduler=option("cosine", interval="step"),
    )
    built = build_trial(config, **quiet())
    with pytest.raises(ValueError, match="interval=step needs training data of known length"):
        built.trainer.fit(built.model, datamodule=built.data)
