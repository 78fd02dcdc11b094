"""Whether a driver that is named in a file is still there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from raytune_nn.store import holder as holders
from raytune_nn.store.holder import Holder, read_holder, this_process

NAME = """
import sys
from raytune_nn.store.holder import this_process
print(this_process("python -m raytune_nn").to_json(), flush=True)
sys.stdin.read()
"""


@contextmanager
def another() -> Iterator[tuple[subprocess.Popen[str], Holder]]:
    process = subprocess.Popen([sys.executable, "-c", NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        holder = read_holder(process.stdout.readline())
        assert holder is not None
        try:
            yield process, holder
        finally:
            process.kill()


def test_it_says_who_and_since_when() -> None:
    holder = this_process("python -m raytune_nn +search=asha")
    assert read_holder(holder.to_json()) == holder
    assert str(holder).startswith(f"pid {os.getpid()} of ")
    assert f" on {socket.gethostname()} since 20" in str(holder)
    assert str(holder).endswith(": python -m raytune_nn +search=asha")
    assert len(str(this_process("x" * 10_000))) < 500


def test_a_process_lives_until_it_is_killed_waited_for_or_not() -> None:
    with another() as (process, holder):
        assert holder.lives
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert holder.lives
        assert f"pid {process.pid} (stopped) of " in str(holder)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert holder.lives is False
        assert process.wait() == -signal.SIGKILL
        assert holder.lives is False


def test_another_process_under_its_pid_is_not_it() -> None:
    assert replace(this_process(""), started="1").lives is False


@pytest.mark.parametrize("change", [{"boot": "another"}, {"namespace": "pid:[1]"}])
def test_a_process_of_another_kernel_or_container_cannot_be_seen(change: dict[str, Any]) -> None:
    elsewhere = replace(this_process(""), **change)
    assert elsewhere.lives is None
    assert elsewhere.on_this_kernel is ("boot" not in change)


def test_without_proc_it_is_told_by_its_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "_read", lambda path: "")
    holder = this_process("")
    assert (holder.boot, holder.started, holder.lives) == (socket.gethostname(), "", None)
    assert holder.on_this_kernel


@pytest.mark.parametrize("text", ["", "{", "3", '{"pid": 1}', "[]"])
def test_anything_else_is_no_holder(text: str) -> None:
    assert read_holder(text) is None
