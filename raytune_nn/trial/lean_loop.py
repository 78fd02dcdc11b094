"""Lightning's loop without what it does for every batch to no effect.

With small networks most of an epoch is the loop around them; ``scripts/bench/epoch.py`` measures what these six things
are of it. Leaving them out changes neither a value nor an order. The libraries have no options for them.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from types import SimpleNamespace
from typing import Any

import torch
from lightning_fabric.utilities import registry
from pytorch_lightning import LightningModule
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.trainer.connectors.logger_connector.result import _ResultMetric
from pytorch_lightning.utilities import signature_utils
from torch.utils.data import Subset, TensorDataset, default_collate
from torch.utils.data._utils.fetch import _MapDatasetFetcher
from torchmetrics import Metric

_NOTHING = contextlib.nullcontext()


@functools.cache
def lighten() -> None:
    """Replaces the six in this process, for good."""
    _MapDatasetFetcher.fetch = _fetching_rows_at_once(_MapDatasetFetcher.fetch)  # type: ignore[method-assign]
    _ResultMetric.to = _unless_there(_ResultMetric.to)  # type: ignore[method-assign]
    PassThroughProfiler.profile = lambda self, action: _NOTHING  # type: ignore[assignment,method-assign,return-value]
    LightningModule.__setattr__ = _without_search(LightningModule.__setattr__)  # type: ignore[method-assign]
    # Each Trainer would search all installed packages for callbacks.
    registry.entry_points = functools.cache(registry.entry_points)  # type: ignore[attr-defined,assignment]
    signature_utils.inspect = SimpleNamespace(getfullargspec=_signature)  # type: ignore[attr-defined,assignment]


def _fetching_rows_at_once(fetch: Any) -> Any:
    """Torch fetches each row of a TensorDataset by itself and stacks them again: one index cuts the whole batch."""

    @functools.wraps(fetch)
    def fetch_rows(self: Any, rows: Any) -> Any:
        dataset, numbers = self.dataset, rows
        if not self.auto_collation or self.collate_fn is not default_collate or type(rows) is not list:
            return fetch(self, rows)
        while type(dataset) is Subset:  # of random_split
            numbers, dataset = [dataset.indices[number] for number in numbers], dataset.dataset
        if type(dataset) is not TensorDataset or not all(_is_plain(tensor) for tensor in dataset.tensors):
            return fetch(self, rows)
        index = torch.tensor(numbers)
        if index.dtype is not torch.int64 or index.ndim != 1:
            return fetch(self, rows)
        return [tensor[index.to(tensor.device)] for tensor in dataset.tensors]

    return fetch_rows


def _is_plain(tensor: torch.Tensor) -> bool:
    """Stacking keeps other memory formats than the usual one, where indexing does not."""
    return type(tensor) is torch.Tensor and tensor.layout is torch.strided and tensor.is_contiguous()


def _unless_there(to: Any) -> Any:
    """Each ``self.log`` moves what it has summed to the value's device, through a search of all that it holds."""

    @functools.wraps(to)
    def move(self: Any, device: torch.device) -> Any:
        parts = vars(self).values()
        elsewhere = any(isinstance(part, torch.Tensor) and part.device != device for part in parts)
        return to(self, device) if elsewhere or any(isinstance(part, Metric) for part in parts) else self

    return move


def _without_search(set_attribute: Any) -> Any:
    """Lightning notes the running hook in the module some fifty times a batch, where torch searches for the name."""

    @functools.wraps(set_attribute)
    def set_directly(self: Any, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            set_attribute(self, name, value)

    return set_directly


_of_function = functools.lru_cache(maxsize=256)(inspect.getfullargspec)


def _signature(hook: Any) -> inspect.FullArgSpec:
    """Lightning reads the signature of a hook whenever it calls it; of a method it is that of its function."""
    function = hook.__func__ if inspect.ismethod(hook) else None
    return _of_function(function) if inspect.isfunction(function) else inspect.getfullargspec(hook)
