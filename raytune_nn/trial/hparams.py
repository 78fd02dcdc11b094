"""What TensorBoard's HParams page is told: the columns of a study, what a trial was given, and how it ended.

TensorBoard takes the columns from whichever run it reads first, so each run names all parameters of the space. A trial
gives the values that it has; a parameter that does not exist under its choices stays empty.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Value  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from raytune_nn.space.domains import Choice, Domain
from raytune_nn.space.space import Space

SESSION_END = metadata.SESSION_END_INFO_TAG
TAGS = (metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG, SESSION_END)
BEST, LAST = "best/", "last/"  # before a metric's name: what the page shows of it


def columns(space: Space, params: Mapping[str, Any], metrics: Sequence[str]) -> Summary:
    """The columns: each parameter of the space, or of the trial where there is none, and of each metric two values.

    Args:
        metrics: Names of the objective's.
    """
    domains: dict[str, list[Domain]] = {}
    for path, domain, _ in space.paths():
        domains.setdefault(path, []).append(domain)
    infos = [_column(path, of_branches) for path, of_branches in sorted(domains.items())]
    infos += [_column(path, [Choice((value,))]) for path, value in params.items() if path not in domains]
    tags = [f"{which}{metric}" for metric in metrics for which in (BEST, LAST)]
    shown = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in tags]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=shown)
    return _summary(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment))


def session_start(params: Mapping[str, Any], began: float) -> Summary:
    """What a trial was given, of a run that began at this time (seconds since the epoch)."""
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=began)
    for path, value in params.items():
        start.hparams[path].CopyFrom(_shown(value))
    return _summary(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start))


def session_end(failed: bool) -> Summary:
    """How a trial ended; of one that runs there is none, which the page calls unknown."""
    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    return _summary(SESSION_END, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _summary(tag: str, content: Any) -> Summary:
    value = Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])


def _column(path: str, domains: Sequence[Domain]) -> Any:
    """A parameter, with what it can be in any branch: an interval of numbers, or a list."""
    corners = [value for domain in domains for value in domain.corners()]
    numbers = all(_is_number(value) for value in corners)
    kind = api_pb2.DATA_TYPE_FLOAT64 if numbers else api_pb2.DATA_TYPE_STRING
    if numbers and not any(isinstance(domain, Choice) for domain in domains):
        interval = api_pb2.Interval(min_value=min(corners), max_value=max(corners))
        return api_pb2.HParamInfo(name=path, type=kind, domain_interval=interval)
    listed = {value.SerializeToString(): value for value in map(_shown, corners)}
    return api_pb2.HParamInfo(name=path, type=kind, domain_discrete=ListValue(values=listed.values()))


def _shown(value: Any) -> Value:
    """The page knows numbers and text; others are shown as text."""
    return Value(number_value=value) if _is_number(value) else Value(string_value=str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
