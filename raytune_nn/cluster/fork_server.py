"""A process that has imported what all slots need, and forks Ray's workers.

Each worker of Ray is a new Python that imports ray, torch and Lightning: four seconds of a core, and a few hundred MB.
Here one process imports them while Ray itself starts; a worker is a fork of it, and shares its memory as long as
nobody writes there. Ray runs ``fork_client.py`` where it would start a worker; should the server be gone, that starts
the worker as Ray would.

Where a slot has a GPU, this is not used: a CUDA that was touched does not survive a fork.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

SOCKET_VARIABLE = "RAYTUNE_NN_FORK_SERVER"  # where fork_client.py finds the path of the socket
STATUS_SECONDS = 1.0  # in which the server knows of the end of a worker that Ray knows of


@contextlib.contextmanager
def fork_server(folder: str, modules: Sequence[str], quiet: bool) -> Iterator[None]:
    """Runs the server while inside, and tells where it is by the environment.

    Args:
        folder: Of this driver alone: whoever can write to the socket runs code.
        modules: What the server imports.
        quiet: Hides what the imports print; a worker that imports them itself says it again.
    """
    path = os.path.join(folder, "fork-server")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1024)  # requests wait here until everything is imported
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(listener.fileno()), *modules],
        stdin=subprocess.PIPE,  # its end is the driver's
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if quiet else None,
        pass_fds=[listener.fileno()],
        start_new_session=True,
    )
    listener.close()
    os.environ[SOCKET_VARIABLE] = path
    try:
        yield
    finally:
        os.environ.pop(SOCKET_VARIABLE, None)  # of two servers, the second to end finds none
        server.kill()
        server.communicate()


def exit_status(pid: int) -> int | None:
    """How a worker of this machine ended: its exit code, or negative, the signal; None where that is not known."""
    server = os.environ.get(SOCKET_VARIABLE)
    if server is None:
        return None
    path, until = _status_path(os.path.dirname(server), pid), time.monotonic() + STATUS_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > until:
            return None
        time.sleep(0.01)
    with open(path) as file:
        return int(file.read())


def _status_path(folder: str, pid: int) -> str:
    return os.path.join(folder, f"status-{pid}")


def _serve(listener: socket.socket, modules: Sequence[str]) -> NoReturn:
    gc.disable()  # collecting while so much is imported, and nothing thrown away, takes a quarter of the time
    for name in modules:
        importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy every page
    gc.enable()
    signal.signal(signal.SIGCHLD, functools.partial(_reap, os.path.dirname(listener.getsockname())))
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            sys.exit()
        connection, _ = listener.accept()
        with connection:
            _fork(connection, listener)


def _reap(folder: str, number: int, frame: FrameType | None) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            _note_status(folder, *ended)


def _note_status(folder: str, pid: int, status: int) -> None:
    """For ``exit_status``; where that is not possible, as in a full folder, it is not known."""
    path = _status_path(folder, pid)
    with contextlib.suppress(OSError):
        with open(f"{path}.draft", "w") as file:
            file.write(str(os.waitstatus_to_exitcode(status)))
        os.replace(f"{path}.draft", path)


def _fork(connection: socket.socket, listener: socket.socket) -> None:
    message, streams, _, _ = socket.recv_fds(connection, 65536, 3)
    while message and not message.endswith(b"\n"):
        message += connection.recv(65536)
    if message:
        worker = os.fork()
        if worker == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _run(connection, json.loads(message), streams)
        with contextlib.suppress(OSError):  # of an earlier process of this number
            os.remove(_status_path(os.path.dirname(listener.getsockname()), worker))
    for stream in streams:
        os.close(stream)


def _run(connection: socket.socket, request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Becomes the process that was asked for."""
    os.setpgid(0, 0)  # Ray ends a worker by its group
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:] = request["arguments"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    connection.sendall(b"%d\n" % os.getpid())
    connection.close()
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    os._exit(status)  # what the server would do at its end is not ours to do


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
