"""torch's TensorBoard writer, with a file whose steps can be moved and which outlives a storage that refuses."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from torch.utils.tensorboard import FileWriter, SummaryWriter

from raytune_nn.store.retry import Retry
from raytune_nn.store.steady_file import SteadyFile


class EventFile(FileWriter):
    """An event file in which steps can be moved, also those of what a module writes by itself."""

    first_step = 0  # added to each
    next_step = 0  # after the last one written

    @property
    def last_step(self) -> int:
        """The last one written, as it is counted before it is moved; 0 where there is none."""
        return max(0, self.next_step - 1 - self.first_step)

    def __init__(self, folder: str, retry: Retry, *arguments: Any) -> None:
        super().__init__(folder, *arguments)
        records = self.event_writer._async_writer._writer  # it has written its first, and lets nobody choose its file
        records._writer = _Records(Path(self.event_writer._file_name), retry)

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        if step is not None:
            step = self.first_step + int(step)
            self.next_step = max(self.next_step, step + 1)
        super().add_event(event, step, walltime)

    def mark(self, number: int, step: int | None) -> None:
        log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=str(number))
        super().add_event(Event(session_log=log), self.next_step if step is None else self.first_step + step)


class Writer(SummaryWriter):
    """One run's.

    Args:
        folder: Of the run.
        retry: Waits for the storage, once there is a file.
    """

    file: EventFile

    def __init__(self, folder: Path, retry: Retry) -> None:
        self._retry = retry
        super().__init__(str(folder), flush_secs=3600)  # flushed at each report instead

    def _get_file_writer(self) -> EventFile:
        if self.file_writer is None:
            self.file = EventFile(self.log_dir, self._retry, self.max_queue, self.flush_secs, self.filename_suffix)
            self.file_writer: Any = self.file
            self.all_writers: Any = {self.log_dir: self.file}
        return self.file


class _Records:
    """What an event file is written with: a record that the storage took in part does not stay in the middle.

    Its own thread writes and may flush, a training flushes and closes.
    """

    def __init__(self, path: Path, retry: Retry) -> None:
        self._file = SteadyFile(path, retry, size=path.stat().st_size)
        self._records = bytearray()  # not in the file yet
        self._lock = threading.Lock()

    def write(self, record: bytes) -> None:
        with self._lock:
            self._records += record

    def flush(self) -> None:
        with self._lock:
            if self._records:
                self._file.append(bytes(self._records))
                self._file.trust()  # a power cut may cost a curve its last points, never a trial
                self._records.clear()

    def close(self) -> None:
        self.flush()
        self._file.close()
