"""Checkpoints: written where a report may be the study's best, and loadable without trust."""

from __future__ import annotations

import enum
import errno
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
import torch
import yaml
from pytorch_lightning import Trainer
from trial_parts import ACCURACY, Data, Net, quiet

from raytune_nn.config.objective import Goal, Objective, Values
from raytune_nn.config.schema import Take
from raytune_nn.errors import UnusableError
from raytune_nn.trial.checkpoint import Checkpointer

CONFIG = {"model": {"_target_": "trial_parts.Net", "width": 1}, "seed": 3}


class Colour(enum.Enum):
    RED = 1


class Hoarder(Net):
    """Keeps in its hyperparameters, and adds to its checkpoint, what only unpickling brings back."""

    def __init__(self, net: torch.nn.Module, colour: Colour, rate: float) -> None:
        super().__init__()
        self.hparams.update({"net": net, "colour": colour, "rate": rate})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.update(history=[1, 2], lock=lambda: None)


class Plain(Net):
    """Keeps numbers only."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.hparams.update({"rate": rate})


def fitted(model: Net) -> Trainer:
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(model, datamodule=Data())
    return trainer


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return fitted(Plain(rate=0.25))


def checkpointer(folder: Path, best: float | None, objective: Objective = ACCURACY) -> Checkpointer:
    return Checkpointer(folder / "checkpoints" / "7", CONFIG, objective, () if best is None else ((best,),))


def kept(keeper: Checkpointer, trainer: Trainer, values: Sequence[float | None]) -> list[bool]:
    return [keeper.keep(trainer, None if value is None else (value,)) == "7" for value in values]


def load(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "checkpoints" / "7" / "model.ckpt", weights_only=True)
    return loaded


def test_a_report_that_cannot_be_the_studys_best_writes_nothing(tmp_path: Path, trainer: Trainer) -> None:
    values = [0.25, 0.5, None, math.nan, math.inf]
    assert kept(checkpointer(tmp_path, best=0.5), trainer, values) == [False] * 5
    assert list(tmp_path.iterdir()) == []


def test_the_first_value_of_a_study_is_its_best(tmp_path: Path, trainer: Trainer) -> None:
    assert kept(checkpointer(tmp_path, best=None), trainer, [0.0]) == [True]


def test_each_better_report_raises_the_bar(tmp_path: Path, trainer: Trainer) -> None:
    values = [0.25, 0.75, 0.625, 0.75, 0.875]
    assert kept(checkpointer(tmp_path, best=0.5), trainer, values) == [False, True, False, False, True]


def test_where_lower_is_better_a_lower_value_is_kept(tmp_path: Path, trainer: Trainer) -> None:
    loss = Objective("val_loss", maximise=False, take=Take.best)
    assert kept(checkpointer(tmp_path, 0.5, loss), trainer, [0.75, 0.25, 0.375]) == [False, True, False]


def test_where_the_last_report_counts_a_worse_one_is_kept_as_well(tmp_path: Path, trainer: Trainer) -> None:
    last = Objective("val_acc", maximise=True, take=Take.last)
    keeper = checkpointer(tmp_path, 0.5, last)
    assert kept(keeper, trainer, [0.875, 0.75, 0.25, 0.625]) == [True, True, False, True]


TWO = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))


@pytest.mark.parametrize(
    ("take", "written"),
    [(Take.best, [False, True, False, False, True]), (Take.last, [False, True, False, True, True])],
)
def test_of_several_metrics_the_trials_value_is_kept_if_no_trial_dominates_it(
    tmp_path: Path, trainer: Trainer, take: Take, written: list[bool]
) -> None:
    """Dominated; not; dominated; not, but the trial's value only if the last report counts; equal to one there."""
    front: tuple[Values, ...] = ((0.75, 0.5), (0.5, 0.25))
    keeper = Checkpointer(tmp_path / "7", CONFIG, replace(TWO, take=take), front)
    reports = [(0.375, 0.5), (0.5, 0.125), (0.625, 0.625), (0.25, 0.0625), (0.75, 0.5)]
    assert [keeper.keep(trainer, values) == "7" for values in reports] == written


def test_a_trial_that_goes_on_keeps_what_beats_its_own_reports_too(tmp_path: Path, trainer: Trainer) -> None:
    keeper = Checkpointer(tmp_path / "7", CONFIG, ACCURACY, front=((0.25,),), values=(0.5,))
    assert [keeper.keep(trainer, (value,)) == "7" for value in (0.375, 0.625)] == [False, True]


def test_model_and_configuration_lie_side_by_side(tmp_path: Path, trainer: Trainer) -> None:
    checkpointer(tmp_path, best=None).keep(trainer, (0.5,))
    folder = tmp_path / "checkpoints" / "7"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "model.ckpt"]
    assert yaml.safe_load((folder / "config.yaml").read_text()) == CONFIG


def test_the_model_loads_without_unpickling(tmp_path: Path, trainer: Trainer) -> None:
    checkpointer(tmp_path, best=None).keep(trainer, (0.5,))
    loaded, model = load(tmp_path), trainer.lightning_module
    assert all(torch.equal(loaded["state_dict"][name], value) for name, value in model.state_dict().items())
    assert set(loaded["state_dict"]) == set(model.state_dict())
    assert loaded["hyper_parameters"] == {"rate": 0.25}
    assert "optimizer_states" not in loaded


def test_what_only_unpickling_brings_back_is_left_out(tmp_path: Path) -> None:
    trainer = fitted(Hoarder(torch.nn.Linear(1, 1), Colour.RED, rate=0.25))
    checkpointer(tmp_path, best=None).keep(trainer, (0.5,))
    loaded = load(tmp_path)
    assert loaded["history"] == [1, 2]
    assert "state_dict" in loaded
    assert not {"hyper_parameters", "lock"} & set(loaded)


def test_a_model_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = checkpointer(tmp_path, best=None)
    keeper.keep(trainer, (0.5,))
    before = (tmp_path / "checkpoints" / "7" / "model.ckpt").read_bytes()

    def fail(checkpoint: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UnusableError, match=r"/7/model\.ckpt: disk full"):
        keeper.keep(trainer, (0.75,))
    assert (tmp_path / "checkpoints" / "7" / "model.ckpt").read_bytes() == before
    assert sorted(os.listdir(tmp_path / "checkpoints" / "7")) == ["config.yaml", "model.ckpt"]
