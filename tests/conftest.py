"""What all tests share."""

from __future__ import annotations

import os

import pytest

_skipped: list[str] = []


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
