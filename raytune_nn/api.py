"""Studies from Python, such as in a notebook: the command line without its process.

import raytune_nn
study = raytune_nn.run(["+search=asha", "study.name=first", "verbose=0"])
study.best.params, study.trials.sort_values("value"), raytune_nn.load_study("studies/first").results
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.store.bucket import is_url, read_url
from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.journal import read_journal
from raytune_nn.store.locate import locate_study
from raytune_nn.store.record import StudyRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Best:
    """The trial that won.

    Args:
        trial: Its id.
        value: The objective, by ``objective.take``; of several metrics the first.
        params: That gave this value: dotted path to value.
        model: Path or URL of its ``model.ckpt``; None where there is none.
    """

    trial: str
    value: float
    params: dict[str, Any]
    model: str | None


class Study:
    """A study as its journal was when this was made.

    Attributes:
        name: Of the study.
        path: Its folder, or its URL.
        status: running, complete, interrupted, failed or invalid.
    """

    def __init__(self, folder: StudyFolder, record: StudyRecord) -> None:
        self._folder, self._record = folder, record
        self.name, self.path, self.status = folder.name, folder.url or str(folder.path), record.status

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, as in ``trials.parquet``."""
        from raytune_nn.report.typed_tables import typed_trials

        frame: pd.DataFrame = typed_trials(self._record).to_pandas()
        return frame

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row a report, as in ``results.parquet``; read when it is first asked for."""
        from raytune_nn.report.typed_tables import typed_reports

        frame: pd.DataFrame = typed_reports(read_journal(self._folder.journal)).to_pandas()
        return frame

    @cached_property
    def best(self) -> Best | None:
        """The winner; None where no trial has come to a value."""
        trial = self._record.best
        if trial is None or trial.value is None:
            return None
        model = self._folder.best / MODEL
        with usable(self._folder.shown(model)):
            there = self._folder.files.has(model)
        return Best(trial.id, trial.value, dict(trial.value_params), self._folder.shown(model) if there else None)

    def __repr__(self) -> str:
        return f"<Study {self.name}: {self.status}, {len(self._record.trials)} trials>"


def run(overrides: Sequence[str] = (), config_dir: str | os.PathLike[str] | None = None) -> Study:
    """Trains a study, or a single trial, as ``python -m raytune_nn`` with these overrides does, and returns it.

    It shows what ``verbose`` says, resumes a study of the same ``study.name``, and leaves signal handlers and Hydra as
    they were. Ctrl-C winds the study down. It can be called again in the same process, one study at a time.

    Args:
        overrides: Such as ``["+search=asha", "budget.num_trials=8"]``.
        config_dir: Of the user's own groups (``--config-dir``).

    Raises:
        RaytuneError: Whatever ends the command with another exit code than 0: bad configuration, a study without a
            successful trial, one that was interrupted (the same call resumes it), …
    """
    from raytune_nn.cli import run_arguments
    from raytune_nn.study.interrupt import Signals

    _check_call(overrides)
    arguments = [*overrides, *([] if config_dir is None else ["--config-dir", os.fspath(config_dir)])]
    with Signals() as signals, _hydra_to_itself():
        folder = run_arguments(arguments, signals)
    if folder is None:
        raise _other_mode("another mode")
    return _read(folder)


def load_study(path: str | os.PathLike[str]) -> Study:
    """Reads a study, which may run at the moment; call it again for what came since.

    Args:
        path: Its folder, or its URL on an object store (``s3://bucket/studies/first``).

    Raises:
        ConfigError: There is no study.
        UnusableError: Its journal is damaged, or the storage cannot be read.
    """
    place = os.fspath(path)
    if is_url(place):
        bucket = read_url(place)
        folder = locate_study(bucket.above.url, bucket.prefix.rpartition("/")[2])
        shutil.rmtree(folder.path, ignore_errors=True)  # of one that was replaced since it was read
    else:
        there = Path(os.path.abspath(os.path.expanduser(place)))
        folder = locate_study(str(there.parent), there.name)
    return _read(folder)


def _read(folder: StudyFolder) -> Study:
    from raytune_nn.modes.existing import read_existing

    return Study(folder, read_existing(folder).record)


def _check_call(overrides: Sequence[str]) -> None:
    """What the command line cannot get wrong."""
    if threading.current_thread() is not threading.main_thread():
        rule = "raytune_nn.run must be called in the main thread, which alone hears Ctrl-C and SIGTERM"
        raise ConfigError(rule, threading.current_thread().name, "a process of its own: python -m raytune_nn …")
    if isinstance(overrides, str):
        raise ConfigError("overrides must be a list of texts", repr(overrides), f"raytune_nn.run([{overrides!r}])")
    for override in overrides:
        if override.startswith("-"):
            rule = "overrides must read key=value: flags belong to the command line"
            raise ConfigError(rule, override, "raytune_nn.run(overrides, config_dir='my_conf')")
        if override.lstrip("+").startswith("mode=") and override.partition("=")[2] != "run":
            raise _other_mode(override)
    if (ray := sys.modules.get("ray")) is None:
        return
    if ray.is_initialized():
        raise ConfigError("a study starts a Ray of its own", "this process is connected to one", "ray.shutdown()")
    if os.environ.get("RAY_AUTH_MODE") != "token":  # set by the study before this one
        rule = "nothing may import ray before the first study: it then reads how it is to be set up"
        raise ConfigError(rule, "ray is imported", "raytune_nn.run before that, in a new process or kernel")


def _other_mode(found: str) -> RaytuneError:
    return ConfigError("raytune_nn.run trains; other modes belong to the command line", found, "mode=run")


@contextmanager
def _hydra_to_itself() -> Iterator[None]:
    """Hydra keeps what it composes last in global places, where the caller may have something."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    everywhere, config, word = GlobalHydra.instance(), HydraConfig.instance(), "HYDRA_FULL_ERROR"
    earlier = everywhere.hydra, config.cfg, os.environ.get(word)
    everywhere.clear()
    try:
        yield
    finally:
        everywhere.hydra, config.cfg, full_error = earlier
        if full_error is None:
            os.environ.pop(word, None)
        else:
            os.environ[word] = full_error
