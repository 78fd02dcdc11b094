"""Takes out of a TensorBoard run what a trial wrote after the state with which it goes on."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from raytune_nn.trial.hparams import BEST, LAST, TAGS

_FILES = "events.out.tfevents.*"
_EARLIER = "events.out.tfevents.0000000000.earlier"  # comes before a writer's own files, whose names hold the time
_SCALAR = "simple_value"  # how torch writes one
_HEAD, _TAIL = 12, 4  # bytes of a record around its content: length and checksum, checksum


@dataclass
class Kept:
    """What stays of a run.

    Attributes:
        step: At the mark.
        began: When the run did, in seconds since the epoch.
        scalars: Name -> its last value.
    """

    step: int
    began: float
    scalars: dict[str, float]


def cut_after(folder: Path, number: int | None) -> Kept | None:
    """Keeps of a run what was written before the mark of a state, or of the last one before it.

    A trial that took over the state of another has no mark of it in its own run, but those of its own earlier states.
    The files are replaced, not changed: an attempt that has not noticed its end yet writes into the void. What else a
    module puts into the folder (images, the runs that torch makes of ``add_scalars``) stays, where anything does. What
    the HParams page was told goes in any case: of several words on a trial it would show the first. The values of the
    report for which a state was saved stand right behind its mark, and belong to it.

    Args:
        folder: Of the run.
        number: The state's; None: nothing is kept.

    Returns:
        None where there is no such mark, and so nothing is kept.
    """
    records, end = bytearray(), 0
    kept: Kept | None = None
    began, scalars = 0.0, dict[str, float]()
    files = sorted(path for path in folder.glob(_FILES) if path.is_file())
    for path in files if number is not None else ():
        for record, event in _records(path):
            began = began or event.wall_time
            if event.HasField("summary") and event.summary.value and event.summary.value[0].tag in TAGS:
                continue
            marks = _is_mark(event) and number is not None and int(event.session_log.checkpoint_path) <= number
            behind = kept is not None and end == len(records) and _is_result(event)
            records += record
            scalars |= {value.tag: value.simple_value for value in event.summary.value if value.HasField(_SCALAR)}
            if marks:
                kept = Kept(event.step, began, scalars)
            if kept is not None and (marks or behind):
                kept.scalars, end = dict(scalars), len(records)
    if kept is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    draft = folder.with_name(f".{folder.name}")
    draft.write_bytes(records[:end])
    for path in files:
        path.unlink()
    os.replace(draft, folder / _EARLIER)
    return kept


def _is_result(event: Event) -> bool:
    return any(value.tag.startswith((BEST, LAST)) for value in event.summary.value)


def _is_mark(event: Event) -> bool:
    return bool(event.HasField("session_log") and event.session_log.status == SessionLog.CHECKPOINT)


def _records(path: Path) -> Iterator[tuple[bytes, Event]]:
    """The records of a file, whole and as events; one that a killed process left half written ends it."""
    content = path.read_bytes()
    start = 0
    while start + _HEAD <= len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        end = start + _HEAD + length + _TAIL
        if end > len(content):
            return
        yield content[start:end], Event.FromString(content[start + _HEAD : end - _TAIL])
        start = end
