"""The private Ray: what it leaves in the system, and how its start can fail. Its use is tested in tests/study."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.cluster.connect import local_cluster
from raytune_nn.cluster.resources import Capacity
from raytune_nn.errors import UnusableError

SESSION = "/r/session_2026-12-31_23-59-59_123456_1234567/sockets/plasma_store"


class FakeRay:
    """What ``ray.init`` was asked for, and how often Ray was shut down."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.token: tuple[int, int] | None = None
        self.shutdowns = 0
        self.fails: Callable[[], None] = lambda: None

    def init(self, **keywords: Any) -> None:
        self.asked = keywords
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        self.token = (stat.S_IMODE(token.stat().st_mode), len(token.read_text()))
        assert token.parent == Path(keywords["_temp_dir"]).parent
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray sets its own
        self.fails()

    def shutdown(self) -> None:
        self.shutdowns += 1


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeRay]:
    import ray
    import ray._private.worker

    fake = FakeRay()
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", fake.init)
    monkeypatch.setattr(ray, "shutdown", fake.shutdown)
    monkeypatch.setattr(ray._private.worker, "print_to_stdstream", lambda data, ignore_prefix: print(data))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with tempfile.TemporaryDirectory(prefix="rtc-", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        yield fake
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(environment)


def capacity(cpus: float = 2, gpus: float = 0, slots: int = 2) -> Capacity:
    return Capacity(cpus, gpus, slots)


def leftovers() -> list[str]:
    return os.listdir(os.environ["TMPDIR"])


def test_it_starts_a_ray_of_its_own_and_takes_it_down(ray: FakeRay) -> None:
    with local_cluster(capacity(2.5, 1.0, slots=5), verbose=1) as scratch:
        assert Path(scratch).parent == Path(os.environ["TMPDIR"])
        assert {key: ray.asked[key] for key in ("address", "num_cpus", "num_gpus", "_temp_dir")} == {
            "address": "local",
            "num_cpus": 2,
            "num_gpus": 1,
            "_temp_dir": os.path.join(scratch, "r"),
        }
        assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == "5"
        assert ray.shutdowns == 0
    assert ray.shutdowns == 1
    assert leftovers() == []


def test_its_clients_need_a_token_that_nobody_else_can_read(ray: FakeRay) -> None:
    with local_cluster(capacity(), verbose=1):
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert ray.token == (0o600, 64)
        assert ray.asked["include_dashboard"] is False


@pytest.mark.parametrize(("verbose", "shown"), [(0, False), (1, False), (2, True)])
def test_it_speaks_where_asked_only(
    ray: FakeRay, verbose: int, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    from ray._private import worker

    with local_cluster(capacity(), verbose):
        worker.print_to_stdstream({"lines": ["A worker died"]}, ignore_prefix=False)
        assert (ray.asked["log_to_driver"], ray.asked["configure_logging"]) == (shown, shown)
    assert ("A worker died" in capsys.readouterr().out) is shown


@pytest.mark.parametrize("length", [0, 100])
def test_its_sockets_have_short_paths_whatever_the_temporary_folder(
    ray: FakeRay, length: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if length:
        long = tmp_path / ("long" * (length // 4))
        long.mkdir()
        monkeypatch.setenv("TMPDIR", str(long))
    with local_cluster(capacity(), verbose=1) as scratch:
        assert len(scratch + SESSION) <= 107
        assert Path(scratch).parent == Path("/tmp" if length else os.environ["TMPDIR"])
    assert not Path(scratch).exists()


def test_a_ray_that_does_not_start_is_an_unusable_cluster(ray: FakeRay) -> None:
    def fail() -> None:
        raise RuntimeError("no memory")

    ray.fails = fail
    with pytest.raises(UnusableError, match="RuntimeError: no memory"), local_cluster(capacity(), verbose=1):
        pytest.fail("there is no cluster")
    assert ray.shutdowns == 1
    assert leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_ray_starts_is_heard_once_it_is_there(ray: FakeRay, number: signal.Signals) -> None:
    started = []

    def signalled() -> None:
        from ray._private import utils

        utils.set_sigterm_handler(lambda *_: pytest.fail("Ray's handler"))  # type: ignore[no-untyped-call]
        signal.raise_signal(number)
        started.append(True)

    ray.fails = signalled
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), local_cluster(capacity(), verbose=1):
            pytest.fail("there is no cluster")
    finally:
        signal.signal(number, before)
    assert started
    assert ray.shutdowns == 1
    assert leftovers() == []


def test_the_handler_of_sigterm_is_the_callers_again(ray: FakeRay) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with local_cluster(capacity(), verbose=1):
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_inside_takes_it_down_as_well(ray: FakeRay) -> None:
    with pytest.raises(ZeroDivisionError), local_cluster(capacity(), verbose=1):
        raise ZeroDivisionError
    assert ray.shutdowns == 1
    assert leftovers() == []
