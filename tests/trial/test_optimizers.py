"""The configured optimizer and schedule, on any module."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Trainer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from trial_parts import Net, base_config, quiet

from raytune_nn.config.compose import conf_dir
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.instantiate import instantiate
from raytune_nn.trial.optimizers import set_optimizer

ALIKE = {"decay_norms_and_biases": True, "layer_decay": 1.0}
PLATEAU = {
    "scheduler": {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "mode": "max", "patience": 0},
    "monitor": "val_acc",
    "interval": "epoch",
    "frequency": 1,
}


def test_the_configured_optimizer_is_of_one_instance_only() -> None:
    model, other = Net(), Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam", "lr": 0.25}, {"scheduler": None}, ALIKE)
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in model.layer.parameters()]
    assert isinstance(other.configure_optimizers(), torch.optim.SGD)
    assert isinstance(Net().configure_optimizers(), torch.optim.SGD)


def test_a_schedule_stands_in_lightnings_dictionary() -> None:
    model = Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam"}, PLATEAU, ALIKE)
    configured: Any = model.configure_optimizers()
    schedule = configured["lr_scheduler"]
    assert isinstance(schedule["scheduler"], ReduceLROnPlateau)
    assert schedule["scheduler"].optimizer is configured["optimizer"]
    assert {key: schedule[key] for key in ("monitor", "interval", "frequency")} == {
        "monitor": "val_acc",
        "interval": "epoch",
        "frequency": 1,
    }


def test_a_plateau_of_the_objective_lowers_the_rate() -> None:
    built = build_trial(
        base_config(
            model={"_target_": "trial_parts.Net", "accuracy": [0.1, 0.2, 0.2, 0.2]},
            optimizer={"_target_": "torch.optim.SGD", "lr": 1.0},
            lr_scheduler=PLATEAU,
            trainer={"_target_": "pytorch_lightning.Trainer", "max_epochs": 4},
        ),
        **quiet(),
    )
    assert isinstance(built.model, Net)
    assert isinstance(built.trainer, Trainer)
    built.trainer.fit(built.model, datamodule=built.data)
    assert built.model.rates == pytest.approx([1.0, 1.0, 1.0, 0.1]), "each noted before the epoch's own step"


# The optimizers of conf/optimizer, one weight at a time, as their papers write them.

GRADIENTS = [0.5, -1.0, 0.25, 2.0, 0.75, -0.5, 1.5, 1.0]
Options = dict[str, Any]


def node(name: str) -> Options:
    """A file of conf/optimizer."""
    found: Options = yaml.safe_load(Path(conf_dir(), "optimizer", f"{name}.yaml").read_text())
    return found


def sgd(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    velocity = 0.0
    for g in gradients:
        velocity = o["momentum"] * velocity + g
        w -= o["lr"] * (g + o["momentum"] * velocity if o.get("nesterov") else velocity)
        yield w


def adagrad(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    total = 0.0
    for g in gradients:
        total += g * g
        w -= o["lr"] * g / math.sqrt(total)
        yield w


def rmsprop(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    square = 0.0
    for g in gradients:
        square = o["alpha"] * square + (1 - o["alpha"]) * g * g
        w -= o["lr"] * g / math.sqrt(square)
        yield w


def adam(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    (b1, b2), mean, square = o["betas"], 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        w *= 1 - o["lr"] * o["weight_decay"]  # 0 for Adam
        mean, square = b1 * mean + (1 - b1) * g, b2 * square + (1 - b2) * g * g
        w -= o["lr"] * mean / (1 - b1**t) / math.sqrt(square / (1 - b2**t))
        yield w


def nadam(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    (b1, b2), mean, square, product = o["betas"], 0.0, 0.0, 1.0

    def mu(t: int) -> float:
        return float(b1 * (1 - 0.5 * 0.96 ** (t * o["momentum_decay"])))

    for t, g in enumerate(gradients, start=1):
        mean, square = b1 * mean + (1 - b1) * g, b2 * square + (1 - b2) * g * g
        product *= mu(t)
        ahead = mu(t + 1) * mean / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        w -= o["lr"] * ahead / math.sqrt(square / (1 - b2**t))
        yield w


def radam(o: Options, w: float, gradients: Sequence[float]) -> Iterator[float]:
    (b1, b2), mean, square = o["betas"], 0.0, 0.0
    most = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients, start=1):
        mean, square = b1 * mean + (1 - b1) * g, b2 * square + (1 - b2) * g * g
        length = most - 2 * t * b2**t / (1 - b2**t)
        step = mean / (1 - b1**t)
        if length > 5:
            rectified = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
            step *= math.sqrt(rectified) / math.sqrt(square / (1 - b2**t))
        w -= o["lr"] * step
        yield w


FORMULAS: dict[str, Callable[[Options, float, Sequence[float]], Iterator[float]]] = {
    **dict.fromkeys(("sgd", "momentum", "nesterov"), sgd),
    **dict.fromkeys(("adam", "adamw"), adam),
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "nadam": nadam,
    "radam": radam,
}


def test_every_option_is_checked() -> None:
    options = {path.stem for path in Path(conf_dir(), "optimizer").glob("*.yaml")}
    assert options == {*FORMULAS, "lbfgs", "from_model"}
    assert all("lr" in node(name) for name in options - {"from_model"})


@pytest.mark.parametrize("name", FORMULAS)
def test_an_option_steps_as_its_definition_says(name: str) -> None:
    options = node(name)
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = instantiate(options, params=[weight])
    weights = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        weights.append(weight.item())
    assert weights == pytest.approx(list(FORMULAS[name](options, 1.0, GRADIENTS)), rel=1e-6)


def test_l_bfgs_solves_a_quadratic() -> None:
    weights = torch.nn.Parameter(torch.tensor([3.0, -2.0], dtype=torch.float64))
    optimizer = instantiate(node("lbfgs"), params=[weights])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = ((weights - torch.tensor([1.0, 2.0])) ** 2 * torch.tensor([1.0, 10.0])).sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)
    assert weights.tolist() == pytest.approx([1.0, 2.0], abs=1e-5)


@pytest.mark.parametrize("name", [*FORMULAS, "lbfgs"])
def test_an_option_lowers_the_loss_of_a_training(name: str) -> None:
    torch.manual_seed(0)
    built = build_trial(base_config(optimizer={**node(name), "lr": 0.1}), **quiet())
    assert isinstance(built.model, Net)
    layer, x = built.model.layer, torch.linspace(-1, 1, 9)[:, None]

    def loss() -> float:
        with torch.no_grad():
            return float((layer(x) - 2 * x).square().mean())

    before = loss()
    built.trainer.fit(built.model, datamodule=built.data)
    assert loss() < (1e-3 if name == "lbfgs" else 0.9) * before


def test_the_default_gives_the_optimizer_one_plain_list() -> None:
    model = Net()
    given: list[Any] = []

    class Noting(torch.optim.SGD):
        def __init__(self, params: Any, lr: float) -> None:
            given.append(params)
            super().__init__(params, lr)

    set_optimizer(model, {"_target_": "test_optimizers.noting", "lr": 0.5}, {"scheduler": None}, ALIKE)
    globals()["noting"] = Noting
    model.configure_optimizers()
    assert all(isinstance(parameter, torch.nn.Parameter) for parameter in given[0])


def test_groups_scale_the_rate_and_spare_from_decay() -> None:
    model = Net()
    model.layer = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Linear(2, 1))  # type: ignore[assignment]
    groups = {"decay_norms_and_biases": False, "layer_decay": 0.5}
    set_optimizer(model, {**node("adamw"), "lr": 0.8}, {"scheduler": None}, groups)
    built: Any = model.configure_optimizers()
    found = [(group["lr"], group["weight_decay"], len(group["params"])) for group in built.param_groups]
    assert found == [(0.4, 0.01, 1), (0.4, 0.0, 1), (0.8, 0.01, 1), (0.8, 0.0, 1)]
