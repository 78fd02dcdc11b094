"""Cutting a run after a mark: what belongs to the run goes, what else stands in its folder stays."""

from __future__ import annotations

from pathlib import Path

from event_files import Run

from raytune_nn.trial.event_files import cut_after
from raytune_nn.trial.tensorboard import TrialLogger


def marked(folder: Path) -> TrialLogger:
    """A run with a point before its mark and one after it."""
    logger = TrialLogger(folder, "7", {}, ["val_acc"])
    logger.log_metrics({"loss": 0.5}, 0)
    logger.mark(1)
    logger.log_metrics({"loss": 0.25}, 1)
    return logger


def test_what_came_after_the_mark_is_gone(tmp_path: Path) -> None:
    marked(tmp_path / "7").flush()
    kept = cut_after(tmp_path / "7", 1)
    assert kept is not None
    assert (kept.step, kept.scalars) == (1, {"loss": 0.5})
    assert Run(tmp_path / "7").scalars("loss") == [(0, 0.5)]
    assert len(list((tmp_path / "7").iterdir())) == 1


def test_without_a_mark_nothing_stays(tmp_path: Path) -> None:
    marked(tmp_path / "7").flush()
    assert cut_after(tmp_path / "7", None) is None
    assert not (tmp_path / "7").exists()


def test_what_a_module_puts_beside_the_run_stays(tmp_path: Path) -> None:
    logger = marked(tmp_path / "7")
    logger.experiment.add_scalars("losses", {"train": 0.5, "val": 0.75}, 0)  # torch makes folders of them
    logger.flush()
    (tmp_path / "7" / "first.png").write_bytes(b"\x89PNG")
    beside = sorted(path.name for path in (tmp_path / "7").iterdir() if "tfevents" not in path.name)
    assert beside == ["first.png", "losses_train", "losses_val"]
    assert cut_after(tmp_path / "7", 1) is not None
    assert sorted(path.name for path in (tmp_path / "7").iterdir() if "tfevents" not in path.name) == beside
    assert (tmp_path / "7" / "first.png").read_bytes() == b"\x89PNG"
    assert Run(tmp_path / "7" / "losses_val").scalars("losses") == [(0, 0.75)]
