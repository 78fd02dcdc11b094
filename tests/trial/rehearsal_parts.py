"""A module and data that fail at a place of choice, on the way to the first batch, and trials that get there."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from trial_parts import base_config

from raytune_nn.errors import ConfigError
from raytune_nn.trial.rehearsal import rehearse

calls: list[str] = []

DIGITS = {
    "_target_": "raytune_nn.data.DigitsDataModule",
    "image": True,
    "batch_size": 64,
}
MLP = {
    "_target_": "raytune_nn.nn.Classification",
    "net": {
        "_target_": "raytune_nn.nn.MLP",
        "in_features": "${from_data:num_features}",
        "out_features": "${from_data:num_classes}",
        "activation": "relu",
    },
    "num_classes": "${from_data:num_classes}",
}
VAE = {
    "_target_": "raytune_nn.nn.Autoencoding",
    "net": {"_target_": "raytune_nn.nn.VAE", "input_shape": "${from_data:input_shape}"},
}
ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01}


def _reach(place: str, does: str) -> None:
    """Notes the place, and fails there if it is to."""
    calls.append(place)
    what, _, where = does.partition(" in ")
    if where != place:
        return
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "out of memory":
        raise MemoryError
    if what == "out of gpu memory":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
    raise SystemExit(3) if what == "exit" else KeyError(does)  # MARK


class Model(LightningModule):
    """One weight. ``does``: ``train``, ``leave traces``, or ``<what> in <place>``."""

    def __init__(self, does: str) -> None:
        super().__init__()
        self.does = does
        self.weight = torch.nn.Parameter(torch.zeros(1))
        if does.endswith(" in init"):
            _reach("init", does)
        if does == "leave traces":
            os.environ["REHEARSED"] = "yes"
            torch.set_num_threads(1)

    def setup(self, stage: str) -> None:
        _reach("setup", self.does)

    def configure_model(self) -> None:
        _reach("configure_model", self.does)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        _reach("configure_optimizers", self.does)
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_fit_start(self) -> None:
        _reach("fit_start", self.does)

    def on_train_start(self) -> None:
        _reach("train_start", self.does)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        _reach("training_step", self.does)
        return self.weight.square().sum()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        _reach("validation_step", self.does)

    def teardown(self, stage: str) -> None:
        _reach("teardown", self.does)


class Data(LightningDataModule):
    """Two rows; ``does`` as for the model."""

    def __init__(self, does: str = "train") -> None:
        super().__init__()
        self.does = does

    def prepare_data(self) -> None:
        _reach("data prepare", self.does)

    def setup(self, stage: str) -> None:
        _reach("data setup", self.does)

    def train_dataloader(self) -> Any:
        if "train_dataloader" in self.does:
            _reach("train_dataloader", self.does)
        return DataLoader(TensorDataset(torch.zeros(2, 1)))

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(torch.zeros(2, 1)))


def digits(**changes: Any) -> dict[str, Any]:
    """A trial on the digits."""
    return base_config(**{"data": DIGITS, "model": MLP, "optimizer": ADAM, **changes})


def chosen(name: str, **keywords: Any) -> dict[str, Any]:
    """``callbacks`` with one of ours."""
    return {name.lower(): {"_target_": f"raytune_nn.trial.callbacks.{name}", **keywords}}


def refused(*configs: dict[str, Any]) -> tuple[str, str, str]:
    """Rule, value found and fix of what the rehearsal says."""
    with pytest.raises(ConfigError) as raised:
        rehearse(configs)
    return raised.value.rule, str(raised.value.found), raised.value.fix
