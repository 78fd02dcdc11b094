"""One TensorBoard run a trial: its scalars, its sampled parameters, and how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from torch.utils.tensorboard import FileWriter, SummaryWriter
from torch.utils.tensorboard.summary import hparams

from raytune_nn.store.retry import Retry
from raytune_nn.store.steady_file import SteadyFile
from raytune_nn.trial.event_files import cut_after
from raytune_nn.trial.run_upload import RunUpload


class TrialLogger(Logger):
    """Writes to ``folder``; the module's own ``save_hyperparameters`` is not logged, only what was sampled.

    Args:
        folder: ``tb/<trial>``.
        trial: The trial's id, shown as the run's name.
        params: Dotted path -> sampled value.
        objective: The metrics that stand beside them in the HParams table.
        after: Number of the training state with which the trial goes on: what was written after it is taken out. None:
            it begins, and nothing of an earlier attempt stays.
        retry: Waits for the storage, once there is a file.
        upload: Sends the files to an object store; None: they are where they belong.
    """

    def __init__(
        self,
        folder: Path,
        trial: str,
        params: Mapping[str, Any],
        objective: Sequence[str],
        after: int | None = None,
        retry: Retry | None = None,
        upload: RunUpload | None = None,
    ) -> None:
        super().__init__()
        self._upload = upload
        self._folder, self._trial = folder, trial
        self._objective = [f"final/{metric}" for metric in objective]
        self._marked = cut_after(folder, after)
        self._writer = _Writer(folder, retry or Retry())
        self._closed = False
        if self._marked is not None:
            self._writer.file.next_step = self._marked
            return
        shown = {path: _shown(value) for path, value in params.items()}
        experiment, start, _ = hparams(shown, dict.fromkeys(self._objective))  # type: ignore[no-untyped-call]
        self._add(experiment)
        self._add(start)

    @property
    def name(self) -> str:
        return self._folder.parent.name

    @property
    def version(self) -> str:
        return self._trial

    @property
    def save_dir(self) -> str:
        return str(self._folder.parent)

    @property
    def log_dir(self) -> str:
        return str(self._folder)

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        """The writer, for modules that add images or histograms by ``self.logger.experiment``."""
        return self._writer

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: only sampled values are logged, at the start."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds one point a metric; ``epoch`` is Lightning's own bookkeeping and left out."""
        for name, value in metrics.items():
            if name != "epoch" and not self._closed:  # torch's writer would begin another file
                self._writer.add_scalar(name, value, step)

    def continue_steps(self) -> None:
        """A training that follows in the same run counts its steps from 0; they are shown after those before it."""
        self._writer.file.first_step = self._writer.file.next_step

    def go_on(self, step: int) -> None:
        """The trial goes on from a state whose next step is this one, be it another trial's: no step comes twice."""
        if self._marked is not None:
            self._writer.file.first_step = max(0, self._marked - step)

    def mark(self, number: int, step: int | None = None) -> None:
        """Notes in the run that the trial's state of this number belongs here.

        Args:
            step: The next step; None: that after the last one written.
        """
        self._writer.file.mark(number, step)
        self._writer.flush()
        if self._upload is not None:
            self._upload.send()

    def flush(self) -> None:
        """Puts what was logged into the file."""
        self._writer.flush()
        if self._upload is not None:
            self._upload.send_now_and_then()

    def close(self, values: Sequence[float] | None, failed: bool) -> None:
        """Writes the final value of each metric and the true status into the run, and closes it."""
        self._writer.file.first_step = 0
        if values is not None:
            for name, value in zip(self._objective, values, strict=True):
                self._writer.add_scalar(name, value, 0)
        status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
        self._add(_session_end(status))
        self._writer.close()
        self._closed = True
        if self._upload is not None:
            self._upload.finish()

    def _add(self, event: Any) -> None:
        self._writer.file.add_summary(event)


class SilentLogger(TrialLogger):
    """Of a worker that writes nothing, since another one does; Lightning keeps modules from writing there."""

    def __init__(self, folder: Path, trial: str) -> None:
        Logger.__init__(self)
        self._folder, self._trial = folder, trial

    def continue_steps(self) -> None:
        pass

    def go_on(self, step: int) -> None:
        pass

    def mark(self, number: int, step: int | None = None) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self, values: Sequence[float] | None, failed: bool) -> None:
        pass


class _File(FileWriter):
    """An event file in which steps can be moved, also those of what a module writes by itself."""

    first_step = 0  # added to each
    next_step = 0  # after the last one written

    def __init__(self, folder: str, retry: Retry, *arguments: Any) -> None:
        super().__init__(folder, *arguments)
        records = self.event_writer._async_writer._writer  # it has written its first, and lets nobody choose its file
        records._writer = _EventFile(Path(self.event_writer._file_name), retry)

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        if step is not None:
            step = self.first_step + int(step)
            self.next_step = max(self.next_step, step + 1)
        super().add_event(event, step, walltime)

    def mark(self, number: int, step: int | None) -> None:
        log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=str(number))
        super().add_event(Event(session_log=log), self.next_step if step is None else self.first_step + step)


class _Writer(SummaryWriter):
    """torch's writer, with that file in place of its own."""

    file: _File

    def __init__(self, folder: Path, retry: Retry) -> None:
        self._retry = retry
        super().__init__(str(folder), flush_secs=3600)  # flushed at each report instead

    def _get_file_writer(self) -> _File:
        if self.file_writer is None:
            self.file = _File(self.log_dir, self._retry, self.max_queue, self.flush_secs, self.filename_suffix)
            self.file_writer: Any = self.file
            self.all_writers: Any = {self.log_dir: self.file}
        return self.file


class _EventFile:
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


def _session_end(status: Any) -> Summary:
    """HParams' own mark of how a run ended; torch's helper can only say success."""
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    content = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


def _shown(value: Any) -> float | str:
    """HParams know numbers and text; of a boolean torch's helper would make a number."""
    return value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else str(value)
