"""Freezing: what is frozen stays to the bit, whatever the optimizer; what is unfrozen trains from its epoch on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Reports, Rows, fit, line, reporter
from torch import Tensor, nn

from raytune_nn.trial.callbacks import Freeze


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))


class Watched(Net):
    """Keeps the state at the end of each epoch."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.states = [self.copy()]

    def copy(self) -> dict[str, Tensor]:
        return {name.removeprefix("net."): tensor.clone() for name, tensor in self.state_dict().items()}

    def on_train_epoch_end(self) -> None:
        self.states.append(self.copy())

    def moved(self, epoch: int) -> set[str]:
        """What epoch ``epoch``, from 1, changed."""
        before, after = self.states[epoch - 1 : epoch + 1]
        return {name for name in before if not torch.equal(before[name], after[name])}


class WatchedManual(Watched, Manual):
    """The same, stepping by itself."""


EVERYTHING = set(network().state_dict())
FIRST = {name for name in EVERYTHING if name[0] in "01"}
OPTIMIZERS: list[tuple[Any, dict[str, Any]]] = [
    (torch.optim.SGD, {"weight_decay": 0.5, "momentum": 0.9}),
    (torch.optim.AdamW, {"weight_decay": 0.5, "fused": True}),
    (torch.optim.AdamW, {"weight_decay": 0.5, "foreach": True}),
    (torch.optim.RMSprop, {"weight_decay": 0.5}),
    (torch.optim.LBFGS, {"lr": 1e-3}),
]


# L-BFGS needs a closure, which a module that steps by itself would have to give.
@pytest.mark.parametrize(
    ("kind", "optimizer", "options"),
    [(kind, *chosen) for kind in (Watched, WatchedManual) for chosen in OPTIMIZERS[: None if kind is Watched else -1]],
)
def test_frozen_is_frozen_and_unfrozen_trains(kind: type[Watched], optimizer: Any, options: dict[str, Any]) -> None:
    module = kind(network(), optimizer, **options)
    fit(module, Rows(*line()), Freeze(["net.0", "net.1"], unfreeze_epoch=2), max_epochs=4)
    assert module.moved(1) == module.moved(2) == EVERYTHING - FIRST
    assert module.moved(3) >= EVERYTHING - {"0.bias", "2.bias"}, "a bias before batch norm has no gradient"


def test_without_an_epoch_it_is_for_good_and_the_optimizer_does_not_know() -> None:
    module = Watched(network(), torch.optim.AdamW)
    trainer = fit(module, Rows(*line()), Freeze("net.0*"), max_epochs=3)
    assert not any(module.moved(epoch) & {"0.weight", "0.bias"} for epoch in (1, 2, 3))
    assert sum(len(group["params"]) for group in trainer.optimizers[0].param_groups) == 8


def test_the_state_of_an_unfrozen_parameter_begins_with_its_first_gradient() -> None:
    module = Watched(network(), torch.optim.Adam)
    trainer = fit(module, Rows(*line()), Freeze("net.0", unfreeze_epoch=2), max_epochs=3)
    steps = {name: trainer.optimizers[0].state[p]["step"].item() for name, p in module.named_parameters()}
    assert steps["net.0.weight"] == 2
    assert steps["net.4.weight"] == 6


def test_statistics_stay_where_all_of_a_norm_is_frozen_only() -> None:
    module = Watched(network())
    fit(module, Rows(*line()), Freeze(["net.1", "net.3.weight"]), max_epochs=2)
    assert {name for name in module.moved(1) if "running" in name} == {"3.running_mean", "3.running_var"}
    assert not module.net.get_submodule("1").training
    assert module.net.get_submodule("3").training


def test_a_norm_without_parameters_is_frozen_by_its_layer() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False)), nn.Linear(2, 1))
    module = Watched(net)
    fit(module, Rows(*line()), Freeze("net.0"), max_epochs=2)
    assert module.moved(1) == {"1.weight", "1.bias"}


def test_what_the_module_froze_itself_stays_frozen() -> None:
    net = network()
    net.get_parameter("0.weight").requires_grad_(False)
    module = Watched(net)
    fit(module, Rows(*line()), Freeze("net.0", unfreeze_epoch=1), max_epochs=3)
    assert not any("0.weight" in module.moved(epoch) for epoch in (1, 2, 3))
    assert {name for name, p in module.named_parameters() if not p.requires_grad} == {"net.0.weight"}


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        ("net.0.weight", {"net.0.weight"}),
        ("net.0", {"net.0.weight", "net.0.bias"}),
        ("*.weight", {"net.0.weight", "net.1.weight", "net.2.weight", "net.3.weight", "net.4.weight"}),
        ("net.[02].bias", {"net.0.bias", "net.2.bias"}),
        (["net.0.bias", "net.4"], {"net.0.bias", "net.4.weight", "net.4.bias"}),
    ],
)
def test_patterns(names: Any, frozen: set[str]) -> None:
    module = Net(network())
    fit(module, Rows(*line()), Freeze(names))
    assert {name for name, parameter in module.named_parameters() if not parameter.requires_grad} == frozen


def test_it_stops_between_epochs_with_the_reporter() -> None:
    module, reports = Watched(network()), Reports(until=2)
    callback, keeper = reporter(reports)
    fit(module, Rows(*line()), Freeze("net.0", unfreeze_epoch=1), callback, max_epochs=5)
    assert len(reports) == len(keeper.weights) == 2
    assert "0.weight" in module.moved(2)


@pytest.mark.parametrize(
    ("names", "near"),
    [("net.0.wieght", r"net\.0\.weight"), ("nett.4", r"net\.4"), ("backbone", r"net\.0\.weight, net\.0\.bias")],
)
def test_a_pattern_that_matches_nothing_is_an_error(names: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"'{names}' matches none; near: .*{near}"):
        fit(Net(network()), Rows(*line()), Freeze(["net.0", names]))


@pytest.mark.parametrize("unfreeze_epoch", [None, 1])
def test_something_must_be_left_to_train(unfreeze_epoch: int | None) -> None:
    with pytest.raises(ValueError, match="must leave something to train, but net is all there is"):
        fit(Net(network()), Rows(*line()), Freeze("net", unfreeze_epoch))


@pytest.mark.parametrize("names", [[], "", None])
def test_it_has_something_to_freeze(names: Any) -> None:
    with pytest.raises(ValueError, match=r"names must hold a pattern, but got .*; to freeze nothing, leave Freeze out"):
        Freeze(names)


def test_an_epoch_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="unfreeze_epoch >= 1 must hold, but got 0"):
        Freeze("net", 0)
