"""What all tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytune_nn.cluster.connect import ENVIRONMENT, local_cluster
from raytune_nn.cluster.resources import Capacity
from raytune_nn.modes.search import SLOT_MODULES
from raytune_nn.trial.dry_run import DryRun, Findings
from raytune_nn.trial.targets import TargetCheck

os.environ.update(ENVIRONMENT)  # before any test imports ray, which reads some of it only once
os.environ["RAYTUNE_NN_CACHE"] = tempfile.mkdtemp(prefix="rtnn-tests-")  # also for processes and slots that tests start
atexit.register(shutil.rmtree, os.environ["RAYTUNE_NN_CACHE"], ignore_errors=True)

_skipped: list[str] = []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory for commands that run in this process, which put it on the import path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    return tmp_path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data and the model that the headers of the options name."""
    from small_files import write_all

    folder = tmp_path_factory.mktemp("files")
    write_all(folder)
    return folder


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for modules that slots can import."""
    return tmp_path_factory.mktemp("users")


@pytest.fixture(scope="session")
def ray_cluster(users: Path) -> Iterator[str]:
    """A local Ray with two slots and a GPU that is not there, one for all tests; the folder for its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [*sys.path, str(users)])))
        with local_cluster(Capacity(cpus=2, gpus=1, slots=2), 1, SLOT_MODULES) as scratch:
            yield scratch


@pytest.fixture
def at_files(files: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder as the working directory of commands that create nothing."""
    monkeypatch.chdir(files)
    return files


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mode=plan` checks its targets in this process, which has torch in memory, and trains nothing."""
    monkeypatch.setattr(TargetCheck, "run_apart", TargetCheck.run)
    monkeypatch.setattr(DryRun, "run_apart", lambda self, told=None: Findings(self.check.run()))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers what was skipped, and why."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2] if isinstance(report.longrepr, tuple) else ''}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where nothing may be missing (CI), a skipped test is a failure, unless it wanted a GPU."""
    missing = [line for line in _skipped if "GPU" not in line]
    if os.environ.get("RAYTUNE_NN_NO_SKIPS") and missing:
        print("\nskipped, though nothing but a GPU may be missing:\n  " + "\n  ".join(missing))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
