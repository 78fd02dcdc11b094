"""The check of targets in a process of its own, beside the driver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.trial.targets import TargetCheck

NOISY = """
import atexit, os, sys
print("hello from the module")
os.write(1, b"and from below\\n")
print("a warning", file=sys.stderr)
atexit.register(print, "goodbye")
import pytorch_lightning
class Model(pytorch_lightning.LightningModule):
    def __init__(self, width): ...
    def configure_optimizers(self): ...
"""


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the user's modules, where the process of the check finds them."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def config(target: str) -> dict[str, Any]:
    return {
        "model": {"_target_": target, "width": "<width of the data>"},
        "data": {"_target_": "raytune_nn.data.DigitsDataModule"},
        "optimizer": {"_target_": None},
        "lr_scheduler": {"scheduler": None},
        "trainer": {"_target_": "pytorch_lightning.Trainer"},
    }


def test_modules_may_print_and_every_configuration_is_checked(users: Path) -> None:
    (users / "noisy.py").write_text(NOISY)
    good, bad = config("noisy.Model"), config("noisy.Model")
    bad["model"]["widht"] = 1
    with pytest.raises(ConfigError) as raised:
        TargetCheck([good, bad], []).run_apart()
    assert raised.value.rule == "model.widht must be a keyword of noisy.Model"
    assert raised.value.fix == "model.width=1"


def test_a_module_that_ends_the_process(users: Path) -> None:
    (users / "deadly.py").write_text("import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(0)")
    with pytest.raises(ConfigError) as raised:
        TargetCheck([config("deadly.Model")], []).run_apart()
    assert raised.value.rule == "the modules named by `_target_` must import without ending the process"
    assert str(raised.value.found).startswith("exit code 0")
    assert "last words" in str(raised.value.found)
