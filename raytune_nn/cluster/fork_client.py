"""What Ray runs to start a worker: asks the fork server for it, and lives as long as the worker.

Run by its path, and without any import of this package, since it is there before each worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
from typing import Any, NoReturn

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="


def main(arguments: list[str]) -> None:
    """Starts the worker of this command line of Ray's, and waits for its end."""
    context: dict[str, Any] = next(
        (json.loads(text.removeprefix(CONTEXT)) for text in arguments if text.startswith(CONTEXT)), {}
    )
    special = (context.get("command_prefix"), context.get("override_worker_entrypoint"))
    variables: dict[str, str] = context.get("env_vars", {})
    references = any("$" in value for value in variables.values())  # Ray knows what they refer to
    if any(special) or references or context.get("py_executable", sys.executable) != sys.executable:
        _as_ray_would(arguments)
    worker = [text for text in arguments if not text.startswith((CONTEXT, LANGUAGE))]
    try:
        pid = _ask(worker, {**os.environ, **variables})
    except (OSError, ValueError):  # the server is gone, or ended before it answered
        _as_ray_would(arguments)
    with contextlib.suppress(ProcessLookupError):  # it has ended
        select.select([os.pidfd_open(pid)], [], [])


def _ask(worker: list[str], environment: dict[str, str]) -> int:
    request = {"arguments": worker, "environment": environment, "folder": os.getcwd()}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["RAYTUNE_NN_FORK_SERVER"])
        message = json.dumps(request).encode() + b"\n"
        rest = message[socket.send_fds(connection, [message], [0, 1, 2]) :]
        if rest:  # to send nothing fails where the answer is there already
            connection.sendall(rest)
        return int(connection.makefile().readline())


def _as_ray_would(arguments: list[str]) -> NoReturn:
    from ray._private import ray_constants, workers

    script = os.path.join(next(iter(workers.__path__)), ray_constants.SETUP_WORKER_FILENAME)
    os.execv(sys.executable, [sys.executable, script, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
