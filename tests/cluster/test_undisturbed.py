"""The processes that start while signals wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from ray._private import services

from raytune_nn.cluster.undisturbed import WAITING, undisturbed


def test_a_process_of_rays_hears_signals_in_a_session_of_its_own() -> None:
    script = "import os, signal; print(os.getsid(0), int(signal.SIGTERM in signal.pthread_sigmask(0, ())))"
    with undisturbed():
        assert set(WAITING) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        process = services.ConsolePopen([sys.executable, "-c", script], stdout=subprocess.PIPE, preexec_fn=lambda: None)
        out, _ = process.communicate()
    session, blocked = map(int, out.split())
    assert (session, blocked) == (process.pid, 0)
    assert session != os.getsid(0)
    assert not set(WAITING) & signal.pthread_sigmask(signal.SIG_BLOCK, ())
