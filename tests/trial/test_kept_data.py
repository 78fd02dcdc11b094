"""Kept data: a trial cannot tell whether its module was set up for it or for an earlier one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import compose
from put_back import isolation_undone
from pytorch_lightning import Trainer
from trial_parts import ACCURACY, Reports, context

from raytune_nn.data import DigitsDataModule
from raytune_nn.data.arrays import Arrays
from raytune_nn.trial import kept_data
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.kept_data import KeptData
from raytune_nn.trial.task import TrialTask

DIGITS: dict[str, Any] = {"_target_": "raytune_nn.data.DigitsDataModule", "batch_size": 64}
IDX = ("data=idx", "data.images=train-images-idx3-ubyte.gz", "data.labels=train-labels-idx1-ubyte.gz")
TABLE = ("data=table", "data.path=train.csv", "data.test_path=test.csv", "data.target=income")
NUMBERS = ("data=table", "data.path=table.csv", "data.target=target", "data.task=regression", "model=mlp_regression")
FORMATS = {
    "digits": (),
    "idx": (*IDX, "data.standardise=true"),
    "image_folder": ("data=image_folder", "data.path=images", "data.size=12"),
    "table": TABLE,
    "numbers": (*NUMBERS, "objective.metric=val_rmse", "objective.mode=min"),
    "text": ("data=text", "data.path=train.tsv", "data.max_length=8", "model=recurrent"),
    "audio": ("data=audio", "data.path=recordings.zip", "model=audio_cnn"),
}
VARIANTS = {
    "batch_size_schedule": ("callbacks=batch_size_schedule", "callbacks.batch_size_schedule.every=1"),
    "mixup": ("callbacks=mixup",),
    "augment": ("model=cnn", "callbacks=augment"),
    "overfit": ("+trainer.overfit_batches=2",),
    "a fold": ("data.folds=3", "data.fold=1"),
    "folds": ("objective.folds=3",),
    "a share": ("data.train_fraction=0.5",),
    "one batch": ("data.batch_size=null",),
    "principal components": (*TABLE, "data.pca=2"),
    "class weights": ("model.class_weights=${from_data:class_weights}",),
}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def configured(*overrides: str) -> dict[str, Any]:
    return dict(compose("trainer=cpu", "data.batch_size=16", "budget.max_epochs=2", *overrides).config)


def train(config: dict[str, Any], folder: Path, isolation: Isolation | None = None) -> list[dict[str, float]]:
    """The metrics of all reports; without the isolation of earlier trials, in a process that has kept nothing."""
    told = config["objective"]
    objective = replace(ACCURACY, metric=told["metric"], maximise=told["mode"] == "max", folds=told["folds"])
    reports = Reports()
    task = TrialTask("0", {}, front=())
    run_trial(context(config, folder, objective=objective), task, isolation or Isolation(threads=1), reports)
    return [report.metrics for report in reports]


@pytest.mark.usefixtures("at_files")
@pytest.mark.parametrize("overrides", [*FORMATS.values(), *VARIANTS.values()], ids=[*FORMATS, *VARIANTS])
def test_a_trial_is_what_it_is_without_the_trials_before(overrides: tuple[str, ...], tmp_path: Path) -> None:
    config = configured(*overrides)
    isolation = Isolation(threads=1)
    others = [train({**config, "seed": seed}, tmp_path / str(seed), isolation) for seed in (1, 2)]
    found = train(config, tmp_path / "later", isolation)
    assert found == train(config, tmp_path / "alone")
    assert found not in others, "the seed has to matter"


def generators() -> tuple[Any, ...]:
    numpy = np.random.get_state(legacy=False)["state"]
    return random.getstate(), torch.get_rng_state().tolist(), numpy["key"].tolist(), numpy["pos"]


def train_apart(jobs: list[tuple[dict[str, Any], Path]]) -> list[list[dict[str, float]]]:
    """Each in a fork of this process, which has trained nothing."""
    with get_context("fork").Pool(1, maxtasksperchild=1) as processes:
        return processes.starmap(train, jobs, chunksize=1)


@pytest.mark.slow
@pytest.mark.usefixtures("at_files")
def test_a_trial_is_what_it_is_in_a_process_of_its_own(tmp_path: Path) -> None:
    configs = {name: configured(*overrides) for name, overrides in FORMATS.items()}
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        jobs = [(config, tmp_path / name / "alone") for name, config in configs.items()]
        alone = processes.submit(train_apart, jobs).result()
    isolation = Isolation(threads=1)
    for (name, config), expected in zip(configs.items(), alone, strict=True):
        train({**config, "seed": 1}, tmp_path / name / "earlier", isolation)
        assert train(config, tmp_path / name / "later", isolation) == expected, name


@pytest.mark.usefixtures("at_files")
@pytest.mark.parametrize("overrides", FORMATS.values(), ids=FORMATS)
def test_setting_up_draws_from_no_global_generator(overrides: tuple[str, ...]) -> None:
    node = configured(*overrides)["data"]
    before = generators()
    KeptData().build(node)
    assert generators() == before


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kind of each module of digits that is set up."""
    made: list[str] = []
    read = DigitsDataModule.read

    def noted(self: DigitsDataModule) -> Arrays:
        made.append(type(self).__name__)
        return read(self)

    monkeypatch.setattr(DigitsDataModule, "read", noted)
    return made


def test_the_same_configuration_is_set_up_once(reads: list[str]) -> None:
    kept = KeptData()
    first, second = kept.build(DIGITS), kept.build(dict(DIGITS))
    assert first is not second
    assert len(reads) == 1
    for _ in range(2):
        second.setup("fit")  # as Lightning does
    assert len(reads) == 1


@pytest.mark.parametrize(
    "other", [{"batch_size": 32}, {"folds": 2}, {"train_fraction": 0.5}, {"train_fraction": 1}, {"image": True}]
)
def test_another_configuration_is_set_up_anew_and_both_are_kept(other: dict[str, Any], reads: list[str]) -> None:
    kept = KeptData()
    for _ in range(2):
        for node in ({**DIGITS, "train_fraction": 1.0}, {**DIGITS, **other}):
            data: Any = kept.build(node)
    assert len(reads) == 2
    assert all(getattr(data, name) == value for name, value in other.items() if name != "image")


def test_what_a_trial_does_to_its_module_stays_there() -> None:
    kept = KeptData()
    first: Any = kept.build(DIGITS)
    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    first.trainer, first.batch_size, first.num_classes, first.mine = trainer, 7, 3, True
    for changed in (first.class_weights, first._parts):
        changed.clear()
    second: Any = kept.build(DIGITS)
    alone = DigitsDataModule()
    alone.setup("fit")
    assert second.trainer is None
    assert not hasattr(second, "mine")
    assert (second.batch_size, second.num_classes) == (64, 10)
    assert second.class_weights == alone.class_weights
    for part, (arrays, rows) in alone._parts.items():
        assert all(map(torch.equal, (*arrays, rows), (*second._parts[part][0], second._parts[part][1])))


class MyDigits(DigitsDataModule):
    """A user's."""


def my_digits() -> DigitsDataModule:
    return DigitsDataModule()


@pytest.mark.parametrize("target", ["MyDigits", "my_digits"])
def test_a_users_module_is_left_alone(target: str, reads: list[str]) -> None:
    kept = KeptData()
    node = {"_target_": f"test_kept_data.{target}"}
    for times in (1, 2):
        data = kept.build(node)
        assert not hasattr(data, "class_weights")
        data.setup("fit")
        assert len(reads) == times


def test_a_module_that_fails_to_set_up_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptData()
    with monkeypatch.context() as broken:
        broken.setattr(DigitsDataModule, "read", lambda self: (torch.zeros(0), torch.zeros(0)))
        with pytest.raises(ValueError, match="at least one"):
            kept.build(DIGITS)
    assert hasattr(kept.build(DIGITS), "class_weights")


def test_what_was_used_longest_ago_goes_first(reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptData()
    one, two, three = ({**DIGITS, "batch_size": size} for size in (1, 2, 3))
    kept.build(one)
    # Floats of 64 pixels and a label of each row, and the numbers of all rows, once.
    size = 1797 * (64 * 4 + 8 + 8)
    monkeypatch.setattr(kept_data, "MOST_BYTES", 2 * size)
    for node in (two, one, three):  # while the third is built, two others may stay
        kept.build(node)
    assert len(reads) == 3
    monkeypatch.setattr(kept_data, "MOST_BYTES", 2 * size - 1)
    kept.build({**DIGITS, "batch_size": 4})  # drops two, then one
    kept.build(three)
    assert len(reads) == 4
    kept.build(one)
    assert len(reads) == 5
