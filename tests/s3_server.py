"""An S3 server on loopback, moto's, in a process of its own; and a gate before it that can be shut for a while."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from uuid import uuid4

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTS",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@cache
def s3_server() -> int:
    """Its port; it ends with the tests."""
    return _start({})


@cache
def strict_s3_server() -> int:
    """One that knows nobody's credentials; buckets ``bucket`` and ``other`` are there."""
    return _start({"INITIAL_NO_AUTH_ACTION_COUNT": "2"}, ("bucket", "other"))


def _start(settings: Mapping[str, str], buckets: tuple[str, ...] = ()) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **settings},
    )
    atexit.register(process.wait)
    atexit.register(process.kill)
    _until_up(port)
    for bucket in buckets:
        make_bucket(port, bucket)
    return port


def _until_up(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.05)


def make_bucket(port: int, name: str = "") -> str:
    """A new bucket; returns its name."""
    name = name or f"bucket-{uuid4().hex[:12]}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", method="PUT", data=b"")
    urllib.request.urlopen(request, timeout=30).close()
    return name


def url_of(bucket: str, port: int, prefix: str = "studies") -> str:
    """As ``study.storage`` takes it."""
    return f"s3://{bucket}/{prefix}?endpoint_override=127.0.0.1:{port}&scheme=http"


class Gate:
    """Passes connections on to a server, on a port of its own, unless it is shut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._shut = False
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Ends all connections, and any that is made, at once."""
        self._shut = True
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """The server is back."""
        self._shut = False

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._shut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open -= {source}
        source.close()


@contextlib.contextmanager
def gate(port: int) -> Iterator[Gate]:
    """One before a server."""
    gate = Gate(port)
    try:
        yield gate
    finally:
        gate.close()
