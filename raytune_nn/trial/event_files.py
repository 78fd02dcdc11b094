"""Takes out of a TensorBoard run what a trial wrote after the state with which it goes on."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog

_FILES = "events.out.tfevents.*"
_EARLIER = "events.out.tfevents.0000000000.earlier"  # comes before a writer's own files, whose names hold the time
_HEAD, _TAIL = 12, 4  # bytes of a record around its content: length and checksum, checksum


def cut_after(folder: Path, number: int | None) -> int | None:
    """Keeps of a run what was written before the mark of a state, or of the last one before it.

    A trial that took over the state of another has no mark of it in its own run, but those of its own earlier states.
    The files are replaced, not changed: an attempt that has not noticed its end yet writes into the void. What else a
    module puts into the folder (images, the runs that torch makes of ``add_scalars``) stays, where anything does.

    Args:
        folder: Of the run.
        number: The state's; None: nothing is kept.

    Returns:
        The step at the mark; None where there is none, and so nothing is kept.
    """
    records, end = bytearray(), 0
    step: int | None = None
    files = sorted(path for path in folder.glob(_FILES) if path.is_file())
    for path in files if number is not None else ():
        for record, event in _records(path):
            records += record
            if _is_mark(event) and number is not None and int(event.session_log.checkpoint_path) <= number:
                step, end = event.step, len(records)
    if step is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    draft = folder.with_name(f".{folder.name}")
    draft.write_bytes(records[:end])
    for path in files:
        path.unlink()
    os.replace(draft, folder / _EARLIER)
    return step


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
