"""Files that would run code when they are unpickled: where a training starts from them, they are refused unread."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run


class Touches:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def weights() -> dict[str, torch.Tensor]:
    return {"net.0.weight": torch.zeros(1)}


def write_pickle(path: Path, bad: Touches) -> None:
    path.write_bytes(pickle.dumps({"state_dict": bad}))


def write_zip(path: Path, bad: Touches) -> None:
    torch.save({"state_dict": weights(), "hyper_parameters": {"deep": [bad]}}, path)


def write_old(path: Path, bad: Touches) -> None:
    torch.save({**weights(), "extra": bad}, path, _use_new_zipfile_serialization=False)


def write_as_tensor(path: Path, bad: Touches) -> None:
    torch.save(bad, path)


WRITERS = [write_pickle, write_zip, write_old, write_as_tensor]


@pytest.mark.parametrize("write", WRITERS)
def test_it_would_run_where_it_is_unpickled_without_care(write: Any, tmp_path: Path) -> None:
    write(tmp_path / "file", Touches(tmp_path / "it_ran"))
    if write is write_pickle:
        pickle.loads((tmp_path / "file").read_bytes())
    else:
        torch.load(tmp_path / "file", weights_only=False)
    assert (tmp_path / "it_ran").exists()


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("strict", ["true", "false"])
@pytest.mark.usefixtures("checked_here")
def test_no_model_starts_from_it(write: Any, strict: str, here: Path) -> None:
    write(here / "model.ckpt", Touches(here / "it_ran"))
    ran = run("mode=plan", "model_weights=model.ckpt", f"model_weights_strict={strict}")
    assert ran.code == 2
    assert ran.rule == "model_weights must be a file of tensors, as torch.load(weights_only=True) reads it"
    assert "weights_only=False" not in ran.err
    assert [path.name for path in here.iterdir()] == ["model.ckpt"]
