"""Which clusters are not even tried: how an address is written, and who could be there. By whole commands."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran, run

from raytune_nn.cluster.access import has_token, is_loopback


@pytest.fixture
def home(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user without a token."""
    monkeypatch.setenv("HOME", str(here))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return here


@pytest.fixture
def nobody_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*arguments: Any, **keywords: Any) -> None:
        raise AssertionError("it connects")

    monkeypatch.setattr(socket, "create_connection", call)


def study(address: str) -> Ran:
    ran = run("+search=random", "cluster=existing", f"cluster.address='{address}'", "study.name=first")
    assert "Traceback" not in ran.err
    assert ran.out == ""
    return ran


@pytest.mark.usefixtures("home", "nobody_calls")
@pytest.mark.parametrize(
    "address",
    [
        *("ray://127.0.0.1:10001", "http://127.0.0.1:8265", "local", "127.0.0.1", "127.0.0.1:0", "a:99999", "a b:1"),
        *("a..b:1", ".:1", f"{'a' * 64}.b:1"),  # of which no resolver can be asked
    ],
)
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    ran = study(address)
    assert (ran.code, ran.found, ran.fix) == (2, address, "cluster.address=127.0.0.1:6379")


@pytest.mark.usefixtures("nobody_calls")
@pytest.mark.parametrize("address", ["10.0.0.1:6379", "[2001:db8::1]:6379", "0.0.0.0:6379", "192.0.2.7:6379"])
def test_what_others_can_reach_is_not_tried_without_a_token(home: Path, address: str) -> None:
    ran = study(address)
    assert ran.code == 2
    assert ran.rule.startswith("a Ray cluster that other machines can reach must ask for a token")
    assert ran.found == f"{address}, and no token for it"
    for place in ("RAY_AUTH_TOKEN_PATH=", "RAY_AUTH_TOKEN=", "~/.ray/auth_token"):
        assert place in ran.fix
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("nobody_calls")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
@pytest.mark.parametrize("usual", [True, False])
def test_a_token_that_others_can_read_is_refused(
    home: Path, mode: int, usual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".ray" / "auth_token" if usual else home / "token"
    path.parent.mkdir(exist_ok=True)
    path.write_text("a" * 64)
    path.chmod(mode)
    if not usual:
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    ran = study("127.0.0.1:6379")
    assert ran.code == 2
    assert ran.found == f"{path} has mode {mode:04o}"
    assert ran.fix == f"chmod 600 {path}"
    assert "a" * 64 not in ran.err


def test_a_token_may_be_any_bytes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_bytes(b"\xff\xfe")
    (home / "token").chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "token"))
    assert has_token()


@pytest.mark.usefixtures("nobody_calls")
@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_that_is_named_must_be_there(home: Path, content: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "token"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    ran = study("127.0.0.1:6379")
    assert (ran.code, ran.rule) == (2, "the file with the token of a Ray cluster must hold it")
    assert str(path) in ran.found


def test_nothing_there_is_told_at_once(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    began = time.monotonic()
    ran = study(address)
    assert time.monotonic() - began < 30, "Ray itself tries for minutes"
    assert (ran.code, ran.rule) == (4, "a Ray cluster must answer at cluster.address")
    assert ran.found == f"{address}: Connection refused"
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("home")
def test_with_a_token_any_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []

    def call(address: Any, *more: Any) -> None:
        tried.append(address)
        raise OSError(113, os.strerror(113))

    monkeypatch.setattr(socket, "create_connection", call)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
    assert study("192.0.2.7:6379").found == "192.0.2.7:6379: No route to host"
    assert tried == [("192.0.2.7", 6379)]


@pytest.mark.usefixtures("home", "nobody_calls")
def test_a_single_training_asks_no_cluster() -> None:
    assert run("cluster=existing", "cluster.address=127.0.0.1:1", "mode=preview").code == 2  # of the mode
    ran = run("cluster=existing", "cluster.address=127.0.0.1:1", "budget.max_epochs=0")
    assert "budget.max_epochs" in ran.err


@pytest.mark.parametrize(
    ("address", "only_here"), [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("0.0.0.0:1", False)]
)
def test_loopback(address: str, only_here: bool) -> None:
    assert is_loopback(address) == only_here
