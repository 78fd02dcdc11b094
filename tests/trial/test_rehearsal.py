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
from put_back import isolation_undone
from rehearsal_parts import DIGITS, MLP, chosen, digits, refused
from trial_parts import base_config, context

from raytune_nn.trial.isolation import trial_threads
from raytune_nn.trial.rehearsal import prepare, rehearse
from raytune_nn.trial.targets import TargetCheck


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def parts(does: str = "train", **changes: Any) -> dict[str, Any]:
    model = {"_target_": "rehearsal_parts.Model", "does": does}
    return base_config(**{"data": {"_target_": "rehearsal_parts.Data"}, "model": model, **changes})


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


def test_the_model_takes_a_batch_as_the_callbacks_change_it() -> None:
    rehearse([digits(callbacks=chosen("Mixup", alpha=1.0))])
    too_few = digits(callbacks=chosen("Mixup", alpha=1.0, num_classes=11))
    assert refused(too_few)[0] == "the model must take a batch of the data"


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
    isolation = prepare(context(config, Path()), TargetCheck([], [], [config]))
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
