"""The columns of TensorBoard's HParams table, and what a trial shows in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from event_files import Run

from raytune_nn.space.parse import parse_space
from raytune_nn.trial.tensorboard import TrialLogger

SPACE = parse_space(
    {
        "optimizer": {
            "choose": {
                "sgd": {"momentum": {"dist": "uniform", "low": 0.0, "high": 0.9}},
                "adamw": {"lr": {"dist": "loguniform", "low": 1e-4, "high": 0.5}},
            },
            "lr": {"dist": "loguniform", "low": 1e-3, "high": 1e-1},
        },
        "model": {
            "depth": {"dist": "randint", "low": 1, "high": 4},
            "norm": {"dist": "choice", "options": ["layer", None, False, 3]},
        },
        "data": {"batch_size": {"dist": "choice", "options": [32, 64]}},
    }
)


def shown(folder: Path, params: dict[str, Any]) -> Run:
    logger = TrialLogger(folder / "0", "0", params, ["val_acc"], space=SPACE)
    logger.flush()
    return Run(folder / "0")


def test_each_run_has_a_column_for_every_parameter_of_the_space(tmp_path: Path) -> None:
    columns = shown(tmp_path, {"optimizer": "sgd", "optimizer.lr": 0.01, "optimizer.momentum": 0.5}).columns()
    assert columns == {
        "data.batch_size": [32.0, 64.0],
        "model.depth": (1.0, 4.0),
        "model.norm": ["layer", "None", "False", 3.0],
        "optimizer": ["adamw", "sgd"],
        "optimizer.lr": (0.0001, 0.5),  # of both branches
        "optimizer.momentum": (0.0, 0.9),
    }


def test_what_does_not_exist_under_the_choices_is_empty_and_not_zero(tmp_path: Path) -> None:
    params = {"optimizer": "adamw", "optimizer.lr": 0.01, "model.norm": None}
    assert shown(tmp_path, params).hparams() == {"optimizer": "adamw", "optimizer.lr": 0.01, "model.norm": "None"}


@pytest.mark.parametrize(("value", "listed"), [(0.5, 0.5), (True, "True"), ([1, 2], "[1, 2]")])
def test_a_value_outside_of_any_space_has_a_column_too(tmp_path: Path, value: object, listed: object) -> None:
    assert shown(tmp_path, {"trainer.x": value}).columns()["trainer.x"] == [listed]
