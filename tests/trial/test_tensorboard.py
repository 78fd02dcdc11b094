"""The TensorBoard run of a trial, read back as TensorBoard reads it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from event_files import Run
from tensorboard.plugins.hparams import metadata

from raytune_nn.store.files import IN_FOLDER
from raytune_nn.store.retry import Retry
from raytune_nn.trial.lost_run import close_lost_run
from raytune_nn.trial.tensorboard import TrialLogger

PARAMS = {
    "optimizer.lr": 0.125,
    "model.depth": 3,
    "model.norm": "layer",
    "model.bias": False,
    "model.dropout": None,
    "model.sizes": [64, 64],
}


@pytest.fixture
def logger(tmp_path: Path) -> TrialLogger:
    return TrialLogger(tmp_path / "tb" / "7", "7", PARAMS, ["val_acc"])


def read(logger: TrialLogger) -> Run:
    return Run(Path(logger.log_dir))


def test_it_knows_where_it_writes(logger: TrialLogger, tmp_path: Path) -> None:
    assert (logger.name, logger.version) == ("tb", "7")
    assert (logger.save_dir, logger.log_dir) == (str(tmp_path / "tb"), str(tmp_path / "tb" / "7"))


def test_metrics_become_scalars_but_for_the_epoch(logger: TrialLogger) -> None:
    logger.log_metrics({"val_acc": 0.25, "epoch": 0.0}, step=4)
    logger.log_metrics({"val_acc": 0.5, "train_loss": 2.0, "epoch": 1.0}, step=8)
    logger.flush()
    run = read(logger)
    assert run.tags == ["train_loss", "val_acc"]
    assert run.scalars("val_acc") == [(4, 0.25), (8, 0.5)]
    assert run.scalars("train_loss") == [(8, 2.0)]


def test_a_record_that_a_full_disk_took_in_part_does_not_stay_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal").mkdir()
    refused: list[str] = []
    logger = TrialLogger(
        tmp_path / "tb" / "7", "7", {}, ["val_acc"], retry=Retry(tmp_path, 60.0, lambda why, first: refused.append(why))
    )
    write = os.pwrite

    def full(file: int, content: bytes, position: int) -> int:
        if len(refused) < 2:
            write(file, content[:20], position)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content, position)

    for step in range(3):
        logger.log_metrics({"val_acc": step / 4}, step=step)
        monkeypatch.setattr(os, "pwrite", full if step == 1 else write)
        logger.flush()
    logger.close(failed=False)
    assert len(refused) == 2
    assert read(logger).scalars("val_acc") == [(0, 0.0), (1, 0.25), (2, 0.5)]
    assert read(logger).status() == "success"


def test_what_is_flushed_can_be_read_before_the_end(logger: TrialLogger) -> None:
    logger.flush()
    run = read(logger)
    assert run.hparams() == {
        "optimizer.lr": 0.125,
        "model.depth": 3.0,
        "model.norm": "layer",
        "model.bias": "False",
        "model.dropout": "None",
        "model.sizes": "[64, 64]",
    }
    assert run.metrics() == ["best/val_acc", "last/val_acc"]
    assert run.status() is None


def test_a_modules_own_hyperparameters_are_not_logged(logger: TrialLogger) -> None:
    logger.log_hyperparams({"secret": 1, "width": 64})
    logger.close(failed=False)
    run = read(logger)
    assert set(run.hparams()) == set(PARAMS)
    assert run.tags == []


def test_the_writer_is_there_for_modules(logger: TrialLogger) -> None:
    logger.experiment.add_scalar("mine", 1.0, 2)
    logger.close(failed=True)
    assert read(logger).scalars("mine") == [(2, 1.0)]


@pytest.mark.parametrize(("failed", "status"), [(False, "success"), (True, "failure")])
def test_the_end_has_the_true_status(logger: TrialLogger, failed: bool, status: str) -> None:
    logger.log_metrics({"val_acc": 0.25}, step=4)
    logger.close(failed)
    run = read(logger)
    assert run.status() == status
    assert run.last_tag() == metadata.SESSION_END_INFO_TAG


def test_a_trial_that_is_to_go_on_has_no_status(logger: TrialLogger) -> None:
    logger.close(None)
    assert read(logger).status() is None


def test_each_of_several_metrics_has_its_best_and_its_last_value(tmp_path: Path) -> None:
    logger = TrialLogger(tmp_path / "tb" / "0", "0", PARAMS, ["val_acc", "val_loss"])
    for step, (values, best) in enumerate([((0.75, 0.25), True), ((0.5, 0.125), False)]):
        logger.log_metrics({"val_acc": values[0]}, step=4 * step)
        logger.log_result(values, best)
    logger.close(failed=False)
    run = read(logger)
    assert run.metrics() == ["best/val_acc", "last/val_acc", "best/val_loss", "last/val_loss"]
    assert (run.scalars("best/val_acc"), run.scalars("best/val_loss")) == ([(0, 0.75)], [(0, 0.25)])
    assert (run.scalars("last/val_acc"), run.scalars("last/val_loss")) == (
        [(0, 0.75), (4, 0.5)],
        [(0, 0.25), (4, 0.125)],
    )


def test_a_trial_that_goes_on_shows_its_present_parameters_and_keeps_its_best_value(logger: TrialLogger) -> None:
    logger.flush()
    began = read(logger).began()
    logger.log_metrics({"val_acc": 0.75}, step=0)
    logger.log_result((0.75,), best=True)
    logger.mark(1)
    logger.close(failed=False)
    folder = Path(logger.log_dir)
    again = TrialLogger(folder, "7", PARAMS | {"optimizer.lr": 0.25}, ["val_acc"], after=1)
    again.flush()
    run = Run(folder)
    assert run.hparams()["optimizer.lr"] == 0.25
    assert run.status() is None, "it runs"
    assert run.began() == pytest.approx(began, abs=1.0)
    assert again.best == (0.75,)
    again.close(failed=True)
    assert Run(folder).status() == "failure"


def test_a_trial_without_a_value_shows_none(logger: TrialLogger) -> None:
    logger.close(failed=True)
    run = read(logger)
    assert run.tags == []
    assert run.status() == "failure"


def test_a_study_without_a_space_has_a_run_too(tmp_path: Path) -> None:
    logger = TrialLogger(tmp_path / "tb" / "0", "0", {}, ["val_acc"])
    logger.log_result((0.5,), best=True)
    logger.close(failed=False)
    assert read(logger).scalars("best/val_acc") == [(0, 0.5)]


def test_the_run_of_a_lost_process_gets_its_end_and_one_that_has_it_none(logger: TrialLogger) -> None:
    folder = Path(logger.log_dir)
    logger.flush()
    close_lost_run(folder, IN_FOLDER)
    assert Run(folder).status() == "failure"
    files = len(list(folder.iterdir()))
    close_lost_run(folder, IN_FOLDER)
    assert len(list(folder.iterdir())) == files == 2
    close_lost_run(folder.with_name("none"), IN_FOLDER)
    assert not folder.with_name("none").exists()


def test_nothing_is_written_after_the_end(logger: TrialLogger) -> None:
    logger.close(failed=False)
    logger.log_metrics({"val_acc": 0.25}, step=4)
    logger.flush()
    run = read(logger)
    assert run.tags == []
    assert run.last_tag() == metadata.SESSION_END_INFO_TAG
