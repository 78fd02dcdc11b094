"""Reads a TensorBoard run back, with TensorBoard's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata, plugin_data_pb2


class Run:
    """The run in one folder; of one that went on, ``last_tag`` is that of its last file."""

    def __init__(self, folder: Path) -> None:
        *_, self._file = sorted(folder.iterdir())
        self._events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        self._events.Reload()

    @property
    def tags(self) -> list[str]:
        return sorted(self._events.Tags()["scalars"])

    def scalars(self, tag: str) -> list[tuple[int, float]]:
        """(step, value) of each point."""
        return [(event.step, event.value) for event in self._events.Scalars(tag)]

    def hparams(self) -> dict[str, Any]:
        """What the session started with."""
        start = self._plugin(metadata.SESSION_START_INFO_TAG).session_start_info
        return {name: _plain(value) for name, value in start.hparams.items()}

    def metrics(self) -> list[str]:
        """The metrics that the HParams table shows."""
        experiment = self._plugin(metadata.EXPERIMENT_TAG).experiment
        return [info.name.tag for info in experiment.metric_infos]

    def began(self) -> float:
        """When the session started, in seconds since the epoch."""
        return float(self._plugin(metadata.SESSION_START_INFO_TAG).session_start_info.start_time_secs)

    def columns(self) -> dict[str, Any]:
        """The parameters that the HParams table shows, each with the ends of its interval or its list."""
        shown: dict[str, Any] = {}
        for info in self._plugin(metadata.EXPERIMENT_TAG).experiment.hparam_infos:
            interval = info.domain_interval
            listed = [_plain(value) for value in info.domain_discrete.values]
            shown[info.name] = listed or (interval.min_value, interval.max_value)
        return shown

    def status(self) -> str | None:
        """How the session ended; None while it has not."""
        if metadata.SESSION_END_INFO_TAG not in self._events.summary_metadata:
            return None
        end = self._plugin(metadata.SESSION_END_INFO_TAG).session_end_info
        assert end.end_time_secs > 0
        return {1: "success", 2: "failure"}[end.status]

    def last_tag(self) -> str:
        """The tag of the last event in the file."""
        tags = [value.tag for event in EventFileLoader(str(self._file)).Load() for value in event.summary.value]
        return str(tags[-1])

    def _plugin(self, tag: str) -> Any:
        content = self._events.summary_metadata[tag].plugin_data.content
        return plugin_data_pb2.HParamsPluginData.FromString(content)


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("kind"))
