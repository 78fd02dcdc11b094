"""Before the first trial everything is built and taken to the first batch, and what fails is told in plain words."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rehearsal_parts
import torch
from trial_parts import base_config, isolation_undone

from raytune_nn.errors import ConfigError
from raytune_nn.trial.isolation import trial_threads
from raytune_nn.trial.rehearsal import prepare, rehearse
from raytune_nn.trial.targets import TargetCheck

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


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def digits(**changes: Any) -> dict[str, Any]:
    return base_config(**{"data": DIGITS, "model": MLP, "optimizer": ADAM, **changes})


def parts(does: str = "train", **changes: Any) -> dict[str, Any]:
    model = {"_target_": "rehearsal_parts.Model", "does": does}
    return base_config(**{"data": {"_target_": "rehearsal_parts.Data"}, "model": model, **changes})


def refused(*configs: dict[str, Any]) -> tuple[str, str, str]:
    with pytest.raises(ConfigError) as raised:
        rehearse(configs)
    return raised.value.rule, str(raised.value.found), raised.value.fix


def test_what_can_begin_passes_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rehearse([digits()])
    assert list(tmp_path.iterdir()) == []


def test_a_module_is_taken_to_its_first_batch_and_no_step_further() -> None:
    rehearsal_parts.calls.clear()
    rehearse([parts()])
    assert rehearsal_parts.calls == [
        "data prepare", "data setup", "setup", "configure_model", "configure_optimizers", "fit_start", "train_start",
        "teardown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "found", "fix"),
    [
        ({"data": {**DIGITS, "val_fraction": 2}}, "val_fraction", "data.val_fraction=…"),
        ({"model": {**MLP, "net": {**MLP["net"], "activation": "rleu"}}}, "got 'rleu'", "model.net.activation=…"),  # type: ignore[dict-item]
        ({"init": {"_target_": "raytune_nn.nn.init.initialise", "gain": "x"}}, "gain must be", "init.gain=…"),
        ({"optimizer": {**ADAM, "lr": -1}}, "ValueError: Invalid learning rate: -1 (adam.py", "optimizer.lr=…"),
        ({"optimizer": {**ADAM, "lr": "fast"}}, "TypeError: ", "optimizer.lr=…"),
        ({"trainer": {**base_config()["trainer"], "precision": "31"}}, "Precision '31'", "trainer.precision=…"),
        ({"model": {**VAE, "reconstruction": "bernouli"}}, "got 'bernouli'", "model.reconstruction=…"),
    ],
)
def test_the_key_that_is_wrong_is_named(changes: dict[str, Any], found: str, fix: str) -> None:
    told = refused(digits(**changes))
    assert found in told[1]
    assert told[2] == fix


COSINE = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": {"from_trainer": "total", "share": 1.0}}


@pytest.mark.parametrize(
    ("lr_scheduler", "rule", "fix"),
    [
        ({"frequency": 3}, "lr_scheduler.frequency must not be more than the 2 epochs", "lr_scheduler.frequency=…"),
        ({"warmup": 3}, "lr_scheduler.warmup must be shorter than the training", "lr_scheduler.warmup=…"),
        ({"interval": "step", "warmup": 99}, "lr_scheduler.warmup must be shorter", "lr_scheduler.warmup=…"),
    ],
)
def test_a_schedule_that_is_too_long(lr_scheduler: dict[str, Any], rule: str, fix: str) -> None:
    schedule = {"scheduler": COSINE, "interval": "epoch", "frequency": 1, "warmup": 0, **lr_scheduler}
    trainer = {**base_config()["trainer"], "max_epochs": 2}
    told = refused(digits(lr_scheduler=schedule, trainer=trainer))
    assert told[1].startswith(rule)
    assert told[2] == fix


def test_what_lightning_says_of_the_trainer_while_a_schedule_is_built() -> None:
    schedule = {"scheduler": COSINE, "interval": "step", "frequency": 1}
    trainer = {**base_config()["trainer"], "limit_train_batches": 0.01}
    told = refused(digits(lr_scheduler=schedule, trainer=trainer))
    assert told[0] == "the trainer must be built, and take the model"
    assert told[2] == "trainer.limit_train_batches=…"


def chosen(name: str, **keywords: Any) -> dict[str, Any]:
    return {name.lower(): {"_target_": f"raytune_nn.trial.callbacks.{name}", **keywords}}


@pytest.mark.parametrize(
    ("changes", "found", "fix"),
    [
        ({"callbacks": chosen("Freeze", names="net.stem")}, "'net.stem' matches none", "callbacks.freeze.names=…"),
        (
            {"callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=32, scale_lr="none")},
            "batch_size <= maximum",
            "callbacks.batchsizeschedule.maximum=…",
        ),
        (
            {
                "callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=512, scale_lr="none"),
                "data": {**DIGITS, "batch_size": None},
            },
            "DigitsDataModule.batch_size is None",
            "data.batch_size=…",
        ),
        (
            {
                "callbacks": chosen("Accumulation", every=1, factor=2, maximum=4),
                "trainer": {**base_config()["trainer"], "accumulate_grad_batches": 2},
            },
            "accumulate_grad_batches",
            "trainer.accumulate_grad_batches=…",
        ),
        (
            {
                "callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=512),
                "lr_scheduler": {"scheduler": COSINE, "interval": "step", "frequency": 1},
            },
            "a schedule by steps (CosineAnnealingLR)",
            "lr_scheduler.interval=…",
        ),
        (
            {"callbacks": chosen("Augment", padding=1), "data": {**DIGITS, "image": False}},
            "Augment needs images of shape (batch, channels, height, width), but got float32 of shape (64, 64)",
            "other values under `callbacks.augment`, or leave it out",
        ),
    ],
)
def test_what_a_callback_refuses_is_told_as_its_own(changes: dict[str, Any], found: str, fix: str) -> None:
    told = refused(digits(**changes))
    assert told[0] == "the callbacks must be built, and fit model and data"
    assert found in told[1]
    assert told[2] == fix


def test_the_model_takes_a_batch_as_the_callbacks_change_it() -> None:
    rehearse([digits(callbacks=chosen("Mixup", alpha=1.0))])
    too_few = digits(callbacks=chosen("Mixup", alpha=1.0, num_classes=11))
    assert refused(too_few)[0] == "the model must take a batch of the data"


def test_the_value_that_is_told_first_is_the_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("label\ttext\na\tb\n")
    text = {"_target_": "raytune_nn.data.TextDataModule", "path": str(tmp_path / "rows.tsv"), "text_column": "text"}
    told = refused(digits(data={**text, "label_column": "txt"}))
    assert "has no column 'txt', but 'label', 'text'" in told[1]
    assert told[2] == "data.label_column=…"


def test_a_network_that_does_not_fit_the_data_is_found_by_a_batch() -> None:
    narrow = {**MLP, "net": {**MLP["net"], "in_features": 63}}  # type: ignore[dict-item]
    rule, found, _ = refused(digits(model=narrow))
    assert rule == "the model must take a batch of the data"
    assert found.startswith("MLP wants rows of in_features=63 numbers, but got rows of 64")
    few = {**MLP, "num_classes": 3, "net": {**MLP["net"], "out_features": 3}}  # type: ignore[dict-item]
    assert "0 <= label < num_classes = 3 must hold" in refused(digits(model=few))[1]
    cnn = {**MLP, "net": {"_target_": "raytune_nn.nn.CNN", "in_channels": 1, "num_classes": 10}}
    assert refused(digits(model=cnn, data={**DIGITS, "image": False}))[2] == "data.image=true, or another model"


@pytest.mark.parametrize(
    ("does", "rule"),
    [
        ("fail in data prepare", "the data must load"),
        ("fail in data setup", "the data must load"),
        ("fail in train_dataloader", "the data must load"),
        ("fail in init", "the model must be built"),
        ("fail in setup", "the model must be built"),
        ("fail in configure_model", "the model must be built"),
        ("fail in configure_optimizers", "optimizer and schedule must be built on the model's parameters"),
        ("exit in init", "the model must be built"),
    ],
)
def test_somebody_elses_error_comes_with_their_own_line(does: str, rule: str) -> None:
    place = {"_target_": "rehearsal_parts.Data", "does": does}
    told = refused(parts(does, data=place))
    line = next(
        n for n, text in enumerate(Path(rehearsal_parts.__file__).read_text().splitlines(), 1) if "MARK" in text
    )
    kind = "SystemExit" if does.startswith("exit") else "KeyError"
    assert told[0] == rule
    assert told[1] == f"{kind}: {'3' if kind == 'SystemExit' else repr(does)} (rehearsal_parts.py:{line})"


def test_what_a_trial_would_do_later_is_not_done() -> None:
    rehearse([parts("fail in training_step")])
    rehearse([parts("fail in validation_step", trainer={**base_config()["trainer"], "num_sanity_val_steps": 2})])


@pytest.mark.parametrize("does", ["out of memory in init", "out of gpu memory in setup"])
def test_too_little_memory_is_no_reason_to_refuse(does: str) -> None:
    rehearse([parts(does)])


def test_ctrl_c_is_not_the_configurations_fault() -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            rehearse([parts("interrupt in setup")])
    finally:
        signal.signal(signal.SIGINT, handler)


def test_placeholders_of_the_base_are_no_fault_where_a_trial_builds() -> None:
    rehearse([parts("fail in init"), parts("fail in setup"), parts()])
    rule, found, _ = refused(parts("fail in init"), parts("fail in setup"))
    assert (rule, found.partition(" (")[0]) == ("the model must be built", "KeyError: 'fail in setup'")


def test_a_process_is_ready_with_nothing_left_of_the_rehearsal() -> None:
    rehearsal_parts.calls.clear()
    os.environ.pop("REHEARSED", None)
    config = {**parts("leave traces"), "resources": {"cpus": 3}, "search": None}
    isolation = prepare(config, {}, TargetCheck([], [], [config]))
    assert os.environ["REHEARSED"] == "yes"
    assert len(rehearsal_parts.calls) > 3
    isolation.restore(0)
    assert "REHEARSED" not in os.environ
    assert torch.get_num_threads() == 3
    assert rehearsal_parts.calls == []


@pytest.mark.parametrize(
    ("cpus", "data", "threads"),
    [
        (1, {}, 1),
        (4, {}, 4),
        (4, {"num_workers": 1}, 3),
        (4, {"num_workers": 4}, 1),
        (0.5, {"num_workers": 0}, 1),
        (2.5, {"num_workers": None}, 2),
        (4, {"num_workers": "${seed}"}, 1),
    ],
)
def test_loaders_processes_have_their_share_of_the_cpus(cpus: float, data: dict[str, Any], threads: int) -> None:
    assert trial_threads({"seed": 3, "resources": {"cpus": cpus}, "data": data}) == threads
