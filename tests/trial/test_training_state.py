"""That a training which pauses and goes on is, to the last bit, the one that was never interrupted."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from event_files import Run
from put_back import isolation_undone
from trial_parts import Net, Reports, base_config, context

from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.outbox import Outbox
from raytune_nn.trial.saved_state import write_state
from raytune_nn.trial.task import Report, TrialTask

EPOCHS = 6
DIGITS = {"_target_": "raytune_nn.data.DigitsDataModule", "batch_size": 256}
NET = {"_target_": "raytune_nn.nn.MLP", "in_features": 64, "out_features": 10, "width": 16, "dropout": 0.25}
MLP = {"_target_": "raytune_nn.nn.Classification", "net": {**NET, "norm": "batch"}, "num_classes": 10}
ADAMW = {"_target_": "torch.optim.AdamW", "lr": 0.01, "weight_decay": 0.01, "fused": True}
SWA = {"_target_": "raytune_nn.trial.callbacks.StochasticWeightAveraging", "start": 0.2}
MIXUP = {"_target_": "raytune_nn.trial.callbacks.Mixup", "alpha": 0.4}


class Pieces:
    """A trial that pauses after some epochs, each piece in a process put back to its beginning."""

    def __init__(self, folder: Path, pause_after: Collection[int], config: dict[str, Any]) -> None:
        self.reports: list[Report] = []
        self.folder, self.pause_after = folder, pause_after
        self.study = context(config, folder, waits_at=tuple(range(1, EPOCHS)), pauses=bool(pause_after))
        self.isolation = Isolation(threads=1)
        self.task = TrialTask("7", {"trainer.max_epochs": EPOCHS}, ())

    def run(self) -> Pieces:
        while True:
            before = len(self.reports)
            run_trial(self.study, self.task, self.isolation, self.answer)
            last = self.reports[-1]
            assert len(self.reports) > before
            if not last.saved or last.epoch not in self.pause_after:
                return self
            saves = sum(report.saved for report in self.reports)
            self.task = TrialTask("7", self.task.params, (), (last.metrics["val_acc"],), last.epoch, saves)

    def answer(self, report: Report) -> bool:
        self.reports.append(report)
        return not report.saved or report.epoch not in self.pause_after

    @property
    def metrics(self) -> list[tuple[int, int, dict[str, float]]]:
        return [(report.epoch, report.step, report.metrics) for report in self.reports]


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def digits(**changes: Any) -> dict[str, Any]:
    trainer = {"_target_": "pytorch_lightning.Trainer", "max_epochs": EPOCHS, "accelerator": "cpu"}
    parts = {"model": MLP, "data": DIGITS, "optimizer": ADAMW, "trainer": {**trainer, "num_sanity_val_steps": 0}}
    return base_config(**{**parts, **changes})


def schedule(target: str, interval: str, **keywords: Any) -> dict[str, Any]:
    node = {"_target_": f"torch.optim.lr_scheduler.{target}", **keywords}
    return {"scheduler": node, "interval": interval, "frequency": 1, "monitor": "val_acc"}


def target(name: str, **keywords: Any) -> dict[str, Any]:
    return {name.lower(): {"_target_": f"raytune_nn.trial.callbacks.{name}", **keywords}}


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "mixup and swa": {"callbacks": {"mixup": MIXUP, "swa": SWA}},
    "a schedule by step": {"lr_scheduler": schedule("OneCycleLR", "step", max_lr=0.05, total_steps=40)},
    "a warm-up": {"lr_scheduler": {**schedule("CosineAnnealingLR", "epoch", T_max=4), "warmup": 2}},
    "plateaus": {
        "lr_scheduler": {
            **schedule("ReduceLROnPlateau", "epoch", mode="max", patience=0, threshold=0.5),
            "reduce_on_plateau": True,
        }
    },
    "momentum": {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}},
    "lbfgs": {"optimizer": {"_target_": "torch.optim.LBFGS", "lr": 0.1, "max_iter": 2, "history_size": 3}},
    "a frozen layer": {"callbacks": target("Freeze", names="net.layers.0", unfreeze_epoch=2)},
    "a growing batch": {"callbacks": target("BatchSizeSchedule", every=2, factor=2, maximum=1024, scale_lr="sqrt")},
    "accumulation": {"callbacks": target("Accumulation", every=2, factor=2, maximum=4)},
    "noise": {"callbacks": {**target("InputNoise", std=0.1), **target("GradientNoise", eta=0.1)}},
    "loaders": {"data": {**DIGITS, "num_workers": 1}},
    "early stopping": {
        "callbacks": {
            "early": {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val_acc", "patience": 3}
        }
    },
}


SLOW = ("loaders",)  # the end of a loader's processes takes seconds


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CASES]
)
def test_a_training_that_pauses_reports_what_it_would_have(name: str, tmp_path: Path) -> None:
    config = digits(**CASES[name])
    whole = Pieces(tmp_path / "whole", (), config).run()
    parts = Pieces(tmp_path / "parts", (1, 3, 4), config).run()
    assert parts.metrics == whole.metrics
    ended = EPOCHS if name != "early stopping" else len(whole.metrics)
    assert len(whole.metrics) == ended


def test_what_would_be_lost_without_the_random_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Pieces(tmp_path / "whole", (), digits()).run()
    monkeypatch.setattr("raytune_nn.trial.training_state._set_random_states", lambda states: None)
    parts = Pieces(tmp_path / "parts", (1, 3, 4), digits()).run()
    assert parts.metrics[:1] == whole.metrics[:1]
    assert parts.metrics[1:] != whole.metrics[1:], "else the tests above prove nothing"


def test_a_piece_that_died_after_its_state_leaves_no_trace(tmp_path: Path) -> None:
    """Neither in the reports nor in the TensorBoard run."""
    whole, parts = Pieces(tmp_path / "whole", (), digits()).run(), Pieces(tmp_path / "parts", (2,), digits())

    def dies(report: Report) -> bool:
        if report.epoch == 4:
            raise ZeroDivisionError
        return True

    for task in (parts.task, TrialTask("7", parts.task.params, (), (0.1,), epoch=3, saves=3)):
        with pytest.raises(ZeroDivisionError):
            run_trial(parts.study, task, parts.isolation, dies)
    reports = Reports()
    task = TrialTask("7", parts.task.params, (), (0.1,), epoch=3, saves=3)
    run_trial(parts.study, task, parts.isolation, reports)
    assert [report.metrics for report in reports] == [report.metrics for report in whole.reports[3:]]
    _same_run(tmp_path, ended=True)


def test_a_run_goes_on_where_it_paused(tmp_path: Path) -> None:
    Pieces(tmp_path / "whole", (), digits()).run()
    Pieces(tmp_path / "parts", (1, 3, 4), digits()).run()
    _same_run(tmp_path, ended=True)


def _same_run(folder: Path, ended: bool) -> None:
    whole, parts = Run(folder / "whole" / "tb" / "7"), Run(folder / "parts" / "tb" / "7")
    assert parts.tags == whole.tags
    assert {tag: parts.scalars(tag) for tag in parts.tags} == {tag: whole.scalars(tag) for tag in whole.tags}
    assert (parts.hparams(), parts.status()) == (whole.hparams(), whole.status())
    assert [path.name for path in (folder / "parts" / "tb").iterdir()] == ["7"]


def test_a_paused_run_is_closed_and_opens_again(tmp_path: Path) -> None:
    parts = Pieces(tmp_path, (2,), digits())
    run_trial(parts.study, parts.task, parts.isolation, parts.answer)
    board = Run(tmp_path / "tb" / "7")
    assert board.status() == "success", "most paused trials do not go on"
    assert board.scalars("best/val_acc")[-1][1] == pytest.approx(max(r.metrics["val_acc"] for r in parts.reports))


class TestChangedParameters:
    """A state goes on with other values than it was trained with."""

    def rates(self, folder: Path, first: dict[str, Any], then: dict[str, Any], **changes: Any) -> list[float]:
        """Learning rate of each epoch; from the third on with other parameters."""
        rates: list[float] = []

        class Watched(Net):
            def on_train_epoch_start(self) -> None:
                self.group = self.trainer.optimizers[0].param_groups[0]
                rates.append(self.group["lr"])
                decays.append(self.group["weight_decay"])

        decays: list[float] = []
        Watched.__module__, Watched.__qualname__ = "trial_parts", "Watched"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trial_parts.Watched", Watched, raising=False)
            config = digits(model={"_target_": "trial_parts.Watched"}, data={"_target_": "trial_parts.Data"}, **changes)
            pieces = Pieces(folder, (2,), config)
            steps = {"trainer.max_epochs": EPOCHS}
            task = TrialTask("7", {**first, **steps}, ())
            run_trial(pieces.study, task, pieces.isolation, pieces.answer)
            task = TrialTask("7", {**then, **steps}, (), (0.5,), epoch=2, saves=2)
            pieces.pause_after = (99,)
            del rates[2:], decays[2:]  # the epoch that was about to begin
            run_trial(pieces.study, task, pieces.isolation, pieces.answer)
        self.decays = decays
        return rates

    def test_without_a_schedule(self, tmp_path: Path) -> None:
        first = {"optimizer.lr": 0.01, "optimizer.weight_decay": 0.5}
        rates = self.rates(tmp_path, first, {"optimizer.lr": 0.002, "optimizer.weight_decay": 0.25})
        assert rates == pytest.approx([0.01] * 2 + [0.002] * 4)
        assert self.decays == pytest.approx([0.5] * 2 + [0.25] * 4)

    @pytest.mark.parametrize(
        ("name", "keywords", "warmup"),
        [
            ("ExponentialLR", {"gamma": 0.5}, 0),
            ("CosineAnnealingLR", {"T_max": 6}, 0),
            ("CosineAnnealingLR", {"T_max": 6}, 3),
        ],
    )
    def test_the_new_rate_has_the_place_of_the_old_one(
        self, name: str, keywords: dict[str, Any], warmup: int, tmp_path: Path
    ) -> None:
        node = {"lr_scheduler": {**schedule(name, "epoch", **keywords), "warmup": warmup}}
        slow, fast = {"optimizer.lr": 0.01}, {"optimizer.lr": 0.04}
        alone = self.rates(tmp_path / "alone", slow, slow, **node)
        changed = self.rates(tmp_path / "changed", slow, fast, **node)
        assert changed == pytest.approx(alone[:2] + [4 * rate for rate in alone[2:]])
        assert len(set(alone)) > 3


def test_a_validation_within_an_epoch_is_refused(tmp_path: Path) -> None:
    trainer = {**digits()["trainer"], "val_check_interval": 0.5}
    with pytest.raises(ValueError, match=r"within one: trainer\.val_check_interval=1\.0"):
        Pieces(tmp_path, (2,), digits(trainer=trainer)).run()


def test_a_state_that_would_run_code_when_it_is_loaded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "7" / "resume-1.ckpt"
    with pytest.raises(ValueError, match="must consist of tensors and plain data"):
        Outbox().put(path, partial(write_state, {"mine": Report(1, 1, 1.0, {})}))
    assert list(path.parent.iterdir()) == []
    Outbox().put(path, partial(write_state, {"a": torch.ones(2), "b": [1, "x", None]}))
    assert os.listdir(path.parent) == ["resume-1.ckpt"]


def test_nothing_is_saved_where_nobody_pauses(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path, (), digits()).run()
    assert not any(report.saved for report in pieces.reports)
    assert sorted(path.name for path in (tmp_path / "checkpoints" / "7").iterdir()) == ["config.yaml", "model.ckpt"]
