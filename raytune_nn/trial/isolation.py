"""Keeps one trial from changing the next on a slot that runs many.

A slot imports its libraries once and trains trial after trial. What a trial can leave behind (torch's global settings,
the environment, the working directory, random states, globals of the user's modules) is put back before each.
"""

from __future__ import annotations

import copy
import gc
import logging
import os
import random
import sys
import sysconfig
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from raytune_nn.trial.instantiate import setting
from raytune_nn.trial.kept_data import KeptData

_MAPPINGS_AND_SETS = (dict, set, Counter, OrderedDict, defaultdict)
_SEQUENCES = (list, deque)
_PLAIN = (bool, int, float, str, bytes, type(None), tuple, *_MAPPINGS_AND_SETS, *_SEQUENCES)
LIBRARIES = tuple({sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = __name__.partition(".")[0]

_SETTINGS: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [  # (read, write) of what torch keeps globally
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (lambda: torch.backends.cudnn.benchmark, lambda on: setattr(torch.backends.cudnn, "benchmark", on)),
    (
        lambda: torch.backends.cudnn.deterministic,
        lambda on: setattr(torch.backends.cudnn, "deterministic", on),
    ),
    (lambda: _default_device(), torch.set_default_device),
    (os.getcwd, os.chdir),
    (lambda: logging.getLogger().level, lambda level: logging.getLogger().setLevel(level)),
]


def trial_threads(config: Mapping[str, Any]) -> int:
    """Threads of a trial's own process: its CPUs, less those that its loaders' processes occupy; at least one.

    Args:
        config: The study's configuration or a trial's, interpolations unresolved.
    """
    workers = setting(config, "data.num_workers") if "num_workers" in config["data"] else 0
    return max(1, int(float(setting(config, "resources.cpus"))) - int(workers or 0))


class Isolation:
    """The state of this process before its first trial; ``restore`` brings it back.

    Args:
        threads: CPU threads that a trial may use, unless it says otherwise.

    Attributes:
        data: Builds the trials' data modules; what it keeps for the next trial is no trial's to change.

    Take it once the user's modules are imported: their globals are part of it.
    """

    def __init__(self, threads: int) -> None:
        self.data = KeptData()
        self._pools = ThreadpoolController()
        self._use_threads(threads)
        self._threads = threads
        self._settings = [(write, read()) for read, write in _SETTINGS]
        self._environment = dict(os.environ)
        self._path = list(sys.path)
        self._filters = list(warnings.filters)
        self._globals = [(owner, _plain_values(owner)) for owner in _users_namespaces()]
        gc.collect()
        gc.freeze()  # what the libraries brought stays, so that collecting between trials takes no time

    def restore(self, seed: int, threads: int | None = None) -> None:
        """Puts everything back and seeds all generators.

        Args:
            seed: The trial's seed, for python, numpy and torch.
            threads: CPU threads of this trial; None: as many as of any.
        """
        for write, value in self._settings:
            write(value)
        self._use_threads(self._threads if threads is None else threads)
        if os.environ != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        sys.path[:] = self._path
        warnings.filters[:] = self._filters  # type: ignore[index]
        for owner, values in self._globals:
            _put_back(owner, values)
        gc.collect()  # trainer, model and loaders refer to each other in rings
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)

    def _use_threads(self, number: int) -> None:
        """Also for numpy and scipy: how many threads share a sum decides its last bits, so it is not the machine's."""
        torch.set_num_threads(number)
        self._pools.limit(limits=number, user_api="blas")


def _default_device() -> torch.device | None:
    """None for the CPU: to set it would make each call of torch look at it."""
    device = torch.get_default_device()
    return None if device == torch.device("cpu") else device


def _users_namespaces() -> Iterator[ModuleType | type]:
    """Modules that are neither Python's, nor installed packages', nor ours, and the classes defined in them."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path is None or path.startswith(LIBRARIES) or name.partition(".")[0] in (_OURS, "__main__"):
            continue
        yield module
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == name:
                yield value


def _plain_values(owner: ModuleType | type) -> dict[str, Any]:
    return {
        name: copy.deepcopy(value)
        for name, value in vars(owner).items()
        if not (name.startswith("__") and name.endswith("__")) and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    """Whether a value consists of plain data only, at every depth."""
    if type(value) not in _PLAIN:
        return False
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    return not isinstance(value, (set, tuple, *_SEQUENCES)) or all(_is_plain(item) for item in value)


def _put_back(owner: ModuleType | type, values: dict[str, Any]) -> None:
    """Containers are restored in place, since other modules may hold the same object."""
    for name, saved in values.items():
        current: Any = vars(owner).get(name)
        fresh = copy.deepcopy(saved)
        if type(current) is type(saved) and isinstance(saved, _SEQUENCES):
            current.clear()
            current.extend(fresh)
        elif type(current) is type(saved) and isinstance(saved, _MAPPINGS_AND_SETS):
            current.clear()
            current.update(fresh)
        else:
            setattr(owner, name, fresh)
