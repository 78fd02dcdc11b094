"""What went wrong in a study, by cause: trials that fail alike are counted, not listed.

Two failures have one cause where type and message of the exception and the innermost line of the user's own code are
the same, numbers, addresses and what stands in quotes aside. A cause keeps the traceback of its first trial, so that
what is kept does not grow with the number of failures.
"""

from __future__ import annotations

import itertools
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

MOST_CAUSES = 100  # kept apart; what comes after them is counted as one
MOST_TRIALS = 10  # of a cause, by name
REASON = 300  # characters of a reason at most
HEAD, TAIL = 6_000, 10_000  # characters of a long traceback that stay; what matters stands at its end
OTHERS = "another cause; the journal has its traceback"

_PACKAGE = f"{Path(__file__).parents[1]}/"
_LIBRARIES = tuple({f"{sysconfig.get_path(key)}/" for key in ("stdlib", "platstdlib", "purelib", "platlib")})
_HEAD = re.compile(r"^(?:Original )?Traceback \(most recent call last\):$", re.MULTILINE)  # the second: of a loader's
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<name>.+))?$')
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Diagnosis(NamedTuple):
    """What a failure is told from others by."""

    reason: str  # type and first line of the message
    place: str = ""  # file, line and function; empty where there is no traceback

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Diagnosis:
        """As the journal has it."""
        return cls(event.get("reason", ""), event.get("place", ""))

    @property
    def cause(self) -> Diagnosis:
        """The same of all failures of the cause."""
        return Diagnosis(_VARYING.sub("#", self.reason), self.place)

    def __str__(self) -> str:
        return f"{self.reason} ({self.place})" if self.place else self.reason


def diagnose(error: str) -> Diagnosis:
    """Reads a traceback; of several, one raised after the other, the last. Other texts have their reason at the end."""
    *_, last = _HEAD.split(error)
    frames = [found for found in map(_FRAME.match, last.splitlines()) if found]
    if not frames:
        return Diagnosis(_last_line(error))
    after = itertools.dropwhile(lambda line: not _FRAME.match(line), last.splitlines())
    told = [line for line in after if line[:1] not in ("", " ")]
    place = max(enumerate(frames), key=lambda item: (_nearness(item[1]["file"]), item[0]))[1]
    name = f", {place['name']}" if place["name"] else ""
    reason = told[0] if told else _last_line(error)
    return Diagnosis(reason[:REASON], f"{Path(place['file']).name}:{place['line']}{name}")


def shorten(error: str) -> str:
    """A traceback for the journal: of a very long one head and tail."""
    left_out = len(error) - HEAD - TAIL
    return error if left_out <= 0 else f"{error[:HEAD]}\n… {left_out} characters left out …\n{error[-TAIL:]}"


def brief(error: str) -> str:
    """A traceback without the frames of libraries, but for the innermost one, which raised the exception."""
    blocks = list(_blocks(error.strip().splitlines()))
    lines: list[str] = []
    skipped = 0
    for number, (_, block) in enumerate(blocks):
        followed = number + 1 < len(blocks) and blocks[number + 1][0]
        frame = _FRAME.match(block[0])
        if frame is not None and followed and _nearness(frame["file"]) < 2:
            skipped += 1
            continue
        lines += [f"  … {skipped} frame{'s' if skipped > 1 else ''} of libraries"] if skipped else []
        skipped = 0
        lines += block
    return "\n".join(lines)


@dataclass
class Cause:
    """Why some trials failed, or had to be tried again."""

    diagnosis: Diagnosis  # of the first
    error: str  # of the first
    trials: list[str] = field(default_factory=list)  # the first that failed
    count: int = 0  # trials that failed
    retried: list[str] = field(default_factory=list)  # the first that were tried again
    retries: int = 0  # attempts after which the trial was tried again


@dataclass
class Causes:
    """Counts failures by cause."""

    _causes: dict[Diagnosis, Cause] = field(default_factory=dict)

    def failed(self, trial: str, diagnosis: Diagnosis, error: str) -> None:
        """A trial failed for good."""
        cause = self._cause(diagnosis, error)
        cause.count += 1
        cause.trials += [trial] if len(cause.trials) < MOST_TRIALS else []

    def retried(self, trial: str, diagnosis: Diagnosis, error: str) -> None:
        """An attempt failed, and the trial is tried again."""
        cause = self._cause(diagnosis, error)
        cause.retries += 1
        cause.retried += [trial] if len(cause.retried) < MOST_TRIALS and trial not in cause.retried else []

    @property
    def of_failures(self) -> list[Cause]:
        """Why trials failed, the most frequent cause first."""
        return _sorted((cause.count, cause) for cause in self._causes.values())

    @property
    def of_retries(self) -> list[Cause]:
        """Why trials were tried again, the most frequent cause first."""
        return _sorted((cause.retries, cause) for cause in self._causes.values())

    def _cause(self, diagnosis: Diagnosis, error: str) -> Cause:
        key = diagnosis.cause
        if key not in self._causes and len(self._causes) >= MOST_CAUSES:
            key = diagnosis = Diagnosis(OTHERS)
        return self._causes.setdefault(key, Cause(diagnosis, error))


def _sorted(counted: Iterable[tuple[int, Cause]]) -> list[Cause]:
    return [cause for count, cause in sorted(counted, key=lambda item: -item[0]) if count]


def _nearness(file: str) -> int:
    """How near a file is to what the user wrote: 0 a library, 1 this package, 2 the user's own."""
    if file.startswith("<") or file.startswith(_LIBRARIES) or "/site-packages/" in file:
        return 0
    return 1 if file.startswith(_PACKAGE) else 2


def _blocks(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """A frame with the lines of source under it, or another line, in their order."""
    block: list[str] = []
    for line in lines:
        if block and line.startswith("    "):
            block.append(line)
            continue
        if block:
            yield True, block
        block = [line] if _FRAME.match(line) else []
        if not block:
            yield False, [line]
    if block:
        yield True, block


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word of what went wrong"])[-1].strip()[:REASON]
