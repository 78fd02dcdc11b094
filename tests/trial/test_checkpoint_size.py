"""How large checkpoints will be is known before the first is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from put_back import isolation_undone
from test_training_state import ADAMW, MLP, NET, digits
from trial_parts import Net, Reports, context

from raytune_nn.errors import ConfigError
from raytune_nn.store.free_space import check_room
from raytune_nn.trial.checkpoint_size import checkpoint_size
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.rehearsal import measured, prepare, rehearse
from raytune_nn.trial.targets import TargetCheck
from raytune_nn.trial.task import TrialTask

WIDE = {**MLP, "net": {**NET, "width": 128}}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def optimizer(name: str, **keywords: Any) -> dict[str, Any]:
    return {"_target_": f"torch.optim.{name}", "lr": 0.01, **keywords}


@pytest.mark.parametrize(
    "node",
    [
        ADAMW,
        optimizer("AdamW", amsgrad=True),
        optimizer("SGD"),
        optimizer("SGD", momentum=0.9),
        optimizer("RMSprop", momentum=0.9, centered=True),
        optimizer("Adagrad"),
        optimizer("NAdam"),
        optimizer("LBFGS", history_size=3, max_iter=4),
    ],
    ids=lambda node: node["_target_"],
)
def test_it_is_about_what_is_written(node: dict[str, Any], tmp_path: Path) -> None:
    config = digits(model=WIDE, optimizer=node)
    study = context(config, tmp_path, waits_at=(), copy_seconds=1e-9)
    run_trial(study, TrialTask("7", {"trainer.max_epochs": 3}, ()), Isolation(threads=1), Reports())
    size = rehearse([config])
    assert size is not None
    for name, expected in (("model.ckpt", size.model), ("resume-2.ckpt", size.state)):
        written = (tmp_path / "checkpoints" / "7" / name).stat().st_size
        assert written <= expected <= 1.4 * written + 16_000, name


def test_of_an_optimizer_that_is_not_known_two_tensors_a_parameter_are_assumed() -> None:
    class Mine(torch.optim.Optimizer):
        pass

    module = Net(width=1000)
    plain = checkpoint_size(module, [torch.optim.SGD(module.parameters(), lr=0.1)])
    mine = checkpoint_size(module, [Mine(module.parameters(), {})])
    assert plain.state == plain.model == mine.model
    assert 2 * 8_000 < mine.state - mine.model < 2 * 10_000


def test_a_lazy_layer_has_no_size_yet() -> None:
    module = Net()
    module.layer = torch.nn.LazyLinear(1)
    assert checkpoint_size(module, [torch.optim.SGD([module.frozen], lr=0.1)]).model < 20_000


def test_what_does_not_build_is_not_measured() -> None:
    small, large = measured([digits(), digits(model={"_target_": "nowhere.Net"}), digits(model=WIDE)])
    assert large.model > small.model


def test_a_storage_that_is_too_small_is_refused_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = digits(resources={"cpus": 1})
    check = TargetCheck([], [], [config])
    size = rehearse([config])
    assert size is not None
    needed = size.model + 2 * size.state  # the last, and the one before
    usage = "raytune_nn.store.free_space.shutil.disk_usage"
    monkeypatch.setattr(usage, lambda path: type("", (), {"free": needed}))
    saving = context(config, tmp_path / "not" / "there", pauses=True)
    prepare(saving, check)
    monkeypatch.setattr(usage, lambda path: type("", (), {"free": needed - 1}))
    with pytest.raises(ConfigError, match=rf"MB are needed, and 0\.\d MB are free in {tmp_path}"):
        prepare(saving, check)
    (tmp_path / "not" / "there" / "checkpoints").mkdir(parents=True)
    prepare(saving, check)  # a study that has begun waits for room
    (tmp_path / "not" / "there" / "checkpoints").rmdir()
    prepare(replace(saving, pauses=False), check)  # a study that saves no states needs no room for one
    with pytest.raises(ConfigError, match=r"study\.storage must have room"):
        check_room(str(tmp_path), needed)
