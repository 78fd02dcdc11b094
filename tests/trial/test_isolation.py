"""Isolation: whatever a trial leaves behind in its process is put back before the next."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import random
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from raytune_nn.trial.isolation import Isolation

USERS_MODULE = """
import enum
from collections import Counter, OrderedDict, defaultdict, deque

calls, ratio, name, nothing, pair = 0, 0.5, "first", None, ([1], 2)
items, table, seen = [1, [2]], {"a": {"b": 1}}, {1}
recent, counts, groups, order = deque([1], maxlen=3), Counter("aab"), defaultdict(list, a=[1]), OrderedDict(a=1, b=2)
__cache = {}
thing = object()

class Colour(enum.Enum):
    RED = 1

class Net:
    built = 0
    shapes = []
    def __init__(self): Net.built += 1
"""
CONTAINERS = ("items", "table", "seen", "recent", "counts", "groups", "order", "_" + "_cache")

# What a trial does to its process, how that shows, and what torch or Python start with.
LEAVINGS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "default device": (lambda: torch.set_default_device("meta"), lambda: torch.zeros(1).device),
    "threads": (lambda: torch.set_num_threads(2), torch.get_num_threads),
    "grad mode": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "anomaly mode": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
        torch.get_deterministic_debug_mode,
    ),
    "matmul precision": (lambda: torch.set_float32_matmul_precision("medium"), torch.get_float32_matmul_precision),
    "cudnn benchmark": (lambda: _set_cudnn("benchmark"), lambda: torch.backends.cudnn.benchmark),
    "cudnn deterministic": (lambda: _set_cudnn("deterministic"), lambda: torch.backends.cudnn.deterministic),
    "a variable": (lambda: os.environ.update(LEFT_BEHIND="1"), lambda: os.environ.get("LEFT_BEHIND")),
    "a lost variable": (lambda: os.environ.pop("PATH"), lambda: os.environ.get("PATH")),
    "cwd": (lambda: os.chdir("/"), os.getcwd),
    "sys.path": (lambda: sys.path.insert(0, "/left/behind"), lambda: list(sys.path)),
    "warnings": (lambda: warnings.simplefilter("always"), lambda: list(warnings.filters)),
    "log level": (lambda: logging.getLogger().setLevel(logging.DEBUG), lambda: logging.getLogger().level),
}


def _set_cudnn(name: str) -> None:
    setattr(torch.backends.cudnn, name, not getattr(torch.backends.cudnn, name))


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Independent of the code under test."""
    path, environment, here = list(sys.path), dict(os.environ), os.getcwd()
    threads, level, mode = torch.get_num_threads(), logging.getLogger().level, torch.get_deterministic_debug_mode()
    precision = torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    torch.set_deterministic_debug_mode(mode)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    logging.getLogger().setLevel(level)
    gc.unfreeze()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "users_module.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("users_module")
    del sys.modules["users_module"]


@pytest.mark.parametrize("name", LEAVINGS)
def test_a_setting_is_put_back(name: str) -> None:
    leave, read = LEAVINGS[name]
    isolation = Isolation(threads=1)
    before = read()
    leave()
    assert read() != before, "the test has to change something"
    isolation.restore(0)
    assert read() == before
    isolation.restore(0)
    assert read() == before


def test_a_trial_has_its_threads() -> None:
    Isolation(threads=2)
    assert (torch.get_num_threads(), _blas_threads()) == (2, {2})
    isolation = Isolation(threads=1)
    assert (torch.get_num_threads(), _blas_threads()) == (1, {1})
    isolation.restore(0, threads=2)
    assert (torch.get_num_threads(), _blas_threads()) == (2, {2})
    isolation.restore(0)
    assert (torch.get_num_threads(), _blas_threads()) == (1, {1})


def _blas_threads() -> set[int]:
    """Of numpy's library, and of scipy's."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_seed_seeds_all_generators() -> None:
    isolation = Isolation(threads=1)

    def draw(seed: int) -> tuple[float, float, float]:
        isolation.restore(seed)
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    first, other = draw(2**32 + 1), draw(2)
    assert draw(2**32 + 1) == first, "also a seed that numpy cannot take"
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_plain_globals_of_a_users_module_are_put_back(module: Any) -> None:
    isolation = Isolation(threads=1)
    for _ in range(2):  # what is put back must not be what was saved, or the second trial would change it
        module.calls, module.ratio, module.name, module.nothing = 7, None, "second", 1
        module.pair[0].append(5)
        isolation.restore(0)
        assert (module.calls, module.ratio, module.name, module.nothing) == (0, 0.5, "first", None)
        assert module.pair == ([1], 2)


def test_containers_are_put_back_in_place(module: Any) -> None:
    held = {name: getattr(module, name) for name in CONTAINERS}
    isolation = Isolation(threads=1)
    for _ in range(2):
        module.items[1].append(3)
        module.items.append(object())
        module.table["a"]["b"] = 2
        module.seen.add(9)
        module.recent.extend([2, 3, 4])
        module.counts["a"] += 1
        module.groups["b"].append(1)
        module.order.move_to_end("a")
        held["__cache"]["x"] = 1
        isolation.restore(0)
        assert (module.items, module.table, module.seen) == ([1, [2]], {"a": {"b": 1}}, {1})
        assert (list(module.recent), module.recent.maxlen) == ([1], 3)
        assert (module.counts, module.groups) == ({"a": 2, "b": 1}, {"a": [1]})
        assert list(module.order) == ["a", "b"]
        assert held["__cache"] == {}
        assert all(getattr(module, name) is container for name, container in held.items()), "others may hold them"


def test_a_container_that_was_replaced_comes_back(module: Any) -> None:
    isolation = Isolation(threads=1)
    module.items, module.table = None, []
    isolation.restore(0)
    assert (module.items, module.table) == ([1, [2]], {"a": {"b": 1}})


def test_attributes_of_a_users_class_are_put_back(module: Any) -> None:
    isolation = Isolation(threads=1)
    shapes = module.Net.shapes
    module.Net().shapes.append((1, 2))
    isolation.restore(0)
    assert module.Net.built == 0
    assert module.Net.shapes == []
    assert module.Net.shapes is shapes
    assert module.Colour(1) is module.Colour.RED


def test_what_is_not_plain_data_is_left_alone(module: Any) -> None:
    isolation = Isolation(threads=1)
    thing = module.thing = object()
    isolation.restore(0)
    assert module.thing is thing


def test_what_the_last_trial_built_is_gone(module: Any) -> None:
    isolation = Isolation(threads=1)
    model, trainer = module.Net(), module.Net()
    model.trainer, trainer.model = trainer, model  # a ring
    seen = weakref.ref(model)
    del model, trainer
    assert seen() is not None
    isolation.restore(0)
    assert seen() is None


def test_installed_packages_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation = Isolation(threads=1)
    monkeypatch.setattr(np.random, "__warningregistry__", {"x": 1}, raising=False)
    monkeypatch.setattr("yaml.__with_libyaml__", "changed")
    monkeypatch.setattr("json.decoder.FLAGS", 0)
    isolation.restore(0)
    assert importlib.import_module("json.decoder").FLAGS == 0
    assert importlib.import_module("yaml").__with_libyaml__ == "changed"
