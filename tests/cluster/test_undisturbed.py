"""Signals that come while Ray starts or ends, and the processes that start meanwhile."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

import pytest
import ray
from ray._private import services
from ray._private.state import state

from raytune_nn.cluster.undisturbed import SIGNALS, end_ray, undisturbed

WHILE_IMPORTING = """
import signal, sys
from raytune_nn.cluster.undisturbed import import_ray

class Finder:
    def find_spec(self, name, *_):
        if name == "ray._private.node":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)  # where these tests run in the background, it is ignored
try:
    import_ray()
except KeyboardInterrupt:
    print("heard", "ray._private.node" in sys.modules)
"""


def test_a_signal_does_not_leave_half_of_ray() -> None:
    ended = subprocess.run([sys.executable, "-c", WHILE_IMPORTING], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "heard True\n", "")


def test_a_process_of_rays_hears_signals_in_a_session_of_its_own() -> None:
    script = "import os, signal; print(os.getsid(0), int(signal.SIGTERM in signal.pthread_sigmask(0, ())))"
    with undisturbed():
        assert set(SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        process = services.ConsolePopen([sys.executable, "-c", script], stdout=subprocess.PIPE, preexec_fn=lambda: None)
        out, _ = process.communicate()
    session, blocked = map(int, out.split())
    assert (session, blocked) == (process.pid, 0)
    assert session != os.getsid(0)
    assert not set(SIGNALS) & signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_sigterm_is_heard_while_ray_ends_and_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_ray_does() -> None:
        ctypes.CDLL(None).signal(int(signal.SIGTERM), 0)  # the system's default, which Python does not see
        state.disconnect()  # type: ignore[no-untyped-call]
        os.kill(os.getpid(), signal.SIGTERM)
        ctypes.CDLL(None).signal(int(signal.SIGTERM), 0)

    monkeypatch.setattr(ray, "shutdown", as_ray_does)
    monkeypatch.setattr(state, "disconnect", lambda: None)
    heard: list[int] = []
    earlier = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        end_ray()
        assert heard == [signal.SIGTERM]
        os.kill(os.getpid(), signal.SIGTERM)
        assert len(heard) == 2
    finally:
        signal.signal(signal.SIGTERM, earlier)
