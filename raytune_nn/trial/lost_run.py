"""The end of a TensorBoard run whose process was lost: nobody there could write that its trial has failed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from raytune_nn.store.files import Files

_TAIL = 4096  # bytes of a file in which its last record is


def close_lost_run(run: Path, files: Files) -> None:
    """Writes into a failed trial's run that it failed, unless that is there; without the storage it stays as it is.

    Args:
        files: Of the study.
    """
    with contextlib.suppress(OSError):
        if files.is_remote:
            files.fetch_folder(run)
        events = sorted(run.glob("events.out.tfevents.*"))
        if events and not _has_end(events[-1]):
            _write_end(run)
            files.publish(*(path for path in run.glob("events.out.tfevents.*") if path not in events))


def _has_end(path: Path) -> bool:
    from raytune_nn.trial.hparams import SESSION_END

    return SESSION_END.encode() in path.read_bytes()[-_TAIL:]


def _write_end(run: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    from raytune_nn.trial.hparams import session_end

    writer = EventFileWriter(str(run))
    writer.add_event(Event(wall_time=time.time(), summary=session_end(failed=True)))
    writer.close()
