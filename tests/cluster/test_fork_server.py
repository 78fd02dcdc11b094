"""The fork server with scripts in place of Ray's worker, each a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.cluster import fork_client
from raytune_nn.cluster.fork_server import SOCKET_VARIABLE, exit_status, fork_server

WORKER = """
import json, os, sys
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgid(0), "arguments": sys.argv[1:], "here": os.getcwd(),
    "path": sys.path[0], "name": __name__, "imported": "wave" in sys.modules, "variable": os.environ.get("OF_US"),
}), flush=True)
"""


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[None]:
    with fork_server(str(tmp_path), ["wave"], quiet=False):
        yield


def command(worker: Path, *arguments: str, context: str = "{}") -> list[str]:
    """As Ray writes it."""
    ours = ["--language=PYTHON", f"{fork_client.CONTEXT}{context}"]
    return [sys.executable, fork_client.__file__, *ours, str(worker), *arguments]


def run(worker: Path, *arguments: str, context: str = "{}", **keywords: Any) -> dict[str, Any]:
    done = subprocess.run(
        command(worker, *arguments, context=context), capture_output=True, text=True, check=True, timeout=60, **keywords
    )
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.usefixtures("server")
def test_a_worker_is_a_fork_with_what_it_was_given(worker: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OF_US": "1"}
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    said = run(worker, "--a=1", "two words", env=environment, cwd=folder)
    assert said["imported"], "by the server"
    assert said["arguments"] == ["--a=1", "two words"], "without what is meant for the program that starts it"
    assert (said["here"], said["path"]) == (str(folder), str(tmp_path))
    assert (said["variable"], said["name"]) == ("1", "__main__")
    assert said["group"] == said["pid"], "Ray ends a worker by its group"
    assert "OF_US" not in os.environ
    other = run(worker)
    assert other["parent"] == said["parent"]
    assert (other["pid"] != said["pid"], other["variable"]) == (True, None)


@pytest.mark.usefixtures("server")
def test_the_client_lives_as_long_as_the_worker_which_leaves_nothing(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    with subprocess.Popen(command(sleeper), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        pid = int(client.stdout.readline())
        assert client.poll() is None
        os.killpg(pid, signal.SIGKILL)
        assert client.wait(30) == 0
    until(lambda: gone(pid))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("line", "status"), [("raise SystemExit", 0), ("raise ValueError('so it is')", 1)])
def test_a_worker_that_ends_ends_as_a_script_would(tmp_path: Path, line: str, status: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"print('here', flush=True)\n{line}")
    done = subprocess.run(command(script), capture_output=True, text=True, timeout=60)
    assert done.stdout == "here\n", "once: the server does not go on in it"
    assert ("ValueError: so it is" in done.stderr) is bool(status)


@pytest.mark.usefixtures("server")
def test_a_worker_that_ended_at_once_is_not_started_again(
    worker: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def too_late(pid: int) -> int:
        until(lambda: gone(pid))
        return pidfd_open(pid)

    pidfd_open = os.pidfd_open
    monkeypatch.setattr(os, "pidfd_open", too_late)
    monkeypatch.setattr(fork_client, "_as_ray_would", lambda arguments: pytest.fail("once more"))
    fork_client.main(command(worker)[2:])
    assert capfd.readouterr().out.count("pid") == 1


def test_without_a_server_the_worker_starts_as_ray_starts_it(
    worker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "nobody"))
    said = run(worker, "--a=1", "two words")
    assert (said["imported"], said["arguments"]) == (False, ["--a=1", "two words"])


def test_a_server_that_cannot_import_is_one_that_is_not_there(worker: Path, tmp_path: Path) -> None:
    with fork_server(str(tmp_path), ["there_is_no_such_module"], quiet=True):
        assert not run(worker)["imported"]


@pytest.mark.usefixtures("server")
def test_variables_that_ray_sets_are_set(worker: Path) -> None:
    said = run(worker, context=json.dumps({"env_vars": {"OF_US": "2"}, "command_prefix": []}))
    assert (said["imported"], said["variable"]) == (True, "2")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("wish", [{"env_vars": {"OF_US": "${HOME}"}}, {"command_prefix": ["OF_US=1"]}])
def test_a_worker_that_wants_more_than_a_fork_starts_as_ray_starts_it(
    worker: Path, wish: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/root")
    assert not run(worker, context=json.dumps(wish))["imported"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_its_driver(tmp_path: Path, how: signal.Signals) -> None:
    driver = f"""
import time
from raytune_nn.cluster.fork_server import fork_server
with fork_server({str(tmp_path)!r}, ["wave"], quiet=False):
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(how)
        process.wait(30)
    until(lambda: gone(int(server)))


def test_the_environment_is_as_it_was(tmp_path: Path) -> None:
    with fork_server(str(tmp_path), ["wave"], quiet=False):
        assert SOCKET_VARIABLE in os.environ
    assert SOCKET_VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("os._exit(4)", 4),
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
    ],
)
def test_how_a_worker_ended_is_known(end: str, status: int, tmp_path: Path, server: None) -> None:
    worker = tmp_path / "ending.py"
    worker.write_text(f"import os\nprint(os.getpid(), flush=True)\n{end}\n")
    done = subprocess.run(command(worker), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    assert exit_status(int(done.stdout)) == status


def test_how_another_process_ended_is_not(server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.cluster.fork_server.STATUS_SECONDS", 0.05)
    assert exit_status(os.getpid()) is None
    monkeypatch.delenv(SOCKET_VARIABLE)
    assert exit_status(os.getpid()) is None
