"""Commands that get signals while they train, and what their journals say of the work that was done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from processes import TIMEOUT, Place, events, summary, wait_until

from raytune_nn.study.interrupt import HURRY_SECONDS

BUSY = 3.0  # seconds that a busy machine takes longer than the command has set itself

Send = Callable[["subprocess.Popen[str]", signal.Signals], None]


def to_driver(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As Kubernetes does."""
    process.send_signal(number)


def to_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As a terminal, `timeout` and batch systems do: to the driver, and to all in its group."""
    os.killpg(process.pid, number)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and in what time since the first signal."""

    code: int
    out: str
    err: str
    seconds: float


def journal(place: Place) -> list[dict[str, Any]]:
    return events(place.study())


def reports(place: Place) -> list[dict[str, Any]]:
    return events(place.study(), "reported")


def signalled(
    place: Place,
    arguments: tuple[str, ...],
    when: Callable[[], bool],
    *numbers: signal.Signals,
    send: Send = to_driver,
) -> Ended:
    """Starts a command, sends it the signals once it has come so far, and returns what it left.

    Args:
        when: Looked at ten times a second.
        numbers: The signals, 0.3 seconds apart.
    """
    with place.start(*arguments) as process:
        wait_until(lambda: when() or process.poll() is not None, TIMEOUT)
        assert process.poll() is None, process.communicate()
        began = time.monotonic()
        for count, number in enumerate(numbers):
            time.sleep(0.3 if count else 0)
            if process.poll() is None:
                send(process, number)
        out, err = process.communicate(timeout=TIMEOUT)
    return Ended(process.returncode, out, err, time.monotonic() - began)


def check_left(place: Place, ended: Ended, words: str) -> None:
    """A command that waits for nothing any more ends in order, unless that takes too long: then it is left as it is.

    Args:
        words: What it says where it ends in order.
    """
    assert ended.code == 75, (ended.code, ended.err)
    status = summary(place.study())["status"]
    if words in ended.err:
        assert status == "interrupted"
    else:
        assert ended.seconds > HURRY_SECONDS, ended.err
        assert status in ("running", "interrupted")
    assert "Traceback" not in ended.out + ended.err
    place.until_empty()


def trained_twice(place: Place) -> Counter[str]:
    """Epochs that were reported more than once, by trial."""
    times = Counter((event["trial"], event["epoch"]) for event in reports(place))
    return Counter(trial for trial, _ in (key for key, count in times.items() if count > 1))


def saved_last(place: Place) -> dict[str, bool]:
    """Whether the last report of each trial that had not ended says that its state was saved."""
    ended = {event["trial"] for event in journal(place) if event["type"] == "ended"}
    return {event["trial"]: event.get("saved", False) for event in reports(place) if event["trial"] not in ended}
