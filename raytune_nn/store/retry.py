"""What to do where the storage refuses: try again for a while, since a share comes back and a full disk is emptied."""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from raytune_nn.errors import ConfigError, InterruptedStudyError, UnusableError

T = TypeVar("T")
Tell = Callable[[str, bool], None]

FIRST, LONGEST = 0.1, 5.0  # seconds between two tries: twice as many after each
LOOK = 0.2  # seconds in which a signal is noticed
PASSING = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EREMOTEIO", "ESTALE", "ENODEV", "ENXIO"),  # the device, or the server's view of a file, is away
        *("ENOTCONN", "ECONNABORTED", "ECONNRESET", "ETIMEDOUT", "ESHUTDOWN"),
        *("EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
        *("ENOSPC", "EDQUOT", "EROFS", "EBUSY"),
    )
    if hasattr(errno, name)
)


class Retry:
    """Repeats what the storage of one study refuses, with growing pauses.

    Also waited for is the study's folder itself: a share that is not mounted shows an empty folder in its place, into
    which nothing may be written.

    Args:
        study: Its folder, which is there while its journal's folder is. None: that is not looked at.
        seconds: Of waiting, after which an action is given up; 0: at once.
        tell: Told why at each pause of a wait, and whether it is the first.
        guard: Called before each try; raises where this process may not write any more.
    """

    def __init__(
        self,
        study: Path | None = None,
        seconds: float = 0.0,
        tell: Tell = lambda reason, first: None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = None if study is None else study / "journal"
        self._seconds, self._tell, self._guard = seconds, tell, guard
        self._ended = self._spent = False
        self._waits: list[tuple[float, str]] = []

    def run(self, action: Callable[[], T], path: Path | None = None) -> T:
        """Does something that may be repeated when half done.

        Args:
            path: What it is about, for errors that do not say it themselves.

        Raises:
            OSError: One that does not pass by itself, such as a missing permission.
            UnusableError: The storage did not come back in time; or the action's own, where it is for good.
            InterruptedStudyError: A signal came meanwhile.
        """
        began, delay, reason = time.monotonic(), FIRST, ""
        while True:
            try:
                self._check_there()
                self._guard()
                done = action()
                self._check_there()  # or it was done somewhere else
            except (OSError, UnusableError) as error:
                refusal = error if isinstance(error, OSError) else error.__cause__
                if not (_passes(refusal) or self._may_be_gone(refusal, first=not reason)):
                    raise
                waited = time.monotonic() - began
                if self._ended:
                    raise _interrupted(refusal, path) from error
                if self._spent or waited >= self._seconds:
                    self._spent = True  # nothing of what follows waits again
                    raise _given_up(refusal, path, self._seconds) from error
                first, reason = not reason, reason or _described(refusal, path)
                self._tell(reason, first)
                self._sleep(min(delay, self._seconds - waited))
                delay = min(2 * delay, LONGEST)
            else:
                if reason:
                    self._waits.append((time.monotonic() - began, reason))
                return done

    def end(self) -> None:
        """Nobody waits any more: what is refused from now on is given up at once."""
        self._ended = True

    def take_waits(self) -> list[tuple[float, str]]:
        """The waits since the last call that came to a good end: seconds, and why."""
        waits, self._waits = self._waits, []
        return waits

    def _check_there(self) -> None:
        if self._journal is not None and not os.path.isdir(self._journal):
            raise OSError(errno.ENODEV, "the study's folder is gone", str(self._journal.parent))

    def _may_be_gone(self, refusal: BaseException | None, first: bool) -> bool:
        """Whether the folder went, or came back, in the middle of an action that did not find something in it."""
        missing = isinstance(refusal, FileNotFoundError)
        return missing and self._journal is not None and (first or not os.path.isdir(self._journal))

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._ended and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))


def check_storage_timeout(seconds: float) -> None:
    """Checks ``failures.storage_timeout``.

    Raises:
        ConfigError: It is negative, or not a finite number.
    """
    if not 0 <= seconds < math.inf:
        rule = "failures.storage_timeout must be 0 (no wait) or more seconds"
        raise ConfigError(rule, seconds, "failures.storage_timeout=300")


def _passes(refusal: BaseException | None) -> bool:
    """Whether it may pass by itself; of a copied tree the reasons are known as texts only."""
    return isinstance(refusal, shutil.Error) or (isinstance(refusal, OSError) and refusal.errno in PASSING)


def _described(refusal: BaseException | None, path: Path | None) -> str:
    if not isinstance(refusal, OSError):
        return str(refusal)
    place = refusal.filename or path
    reason = refusal.strerror or str(refusal)
    return f"{place}: {reason}" if place else reason


def _given_up(refusal: BaseException | None, path: Path | None, seconds: float) -> UnusableError:
    waited = f", for {seconds:g} s (failures.storage_timeout)" if seconds else ""
    return UnusableError(
        "the study's folder must stay readable and writable",
        f"{_described(refusal, path)}{waited}",
        "free the disk or mend the storage, then run the same command",
    )


def _interrupted(refusal: BaseException | None, path: Path | None) -> InterruptedStudyError:
    return InterruptedStudyError(
        "the study was interrupted while it waited for its storage; what is in its journal is kept",
        _described(refusal, path),
        "mend the storage, then run the same command",
    )
