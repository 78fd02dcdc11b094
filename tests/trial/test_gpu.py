"""One of several trials on a GPU, with a stand-in for torch's view of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from trial_parts import base_config, context

from raytune_nn.errors import ConfigError
from raytune_nn.trial import rehearsal
from raytune_nn.trial.gpu import CONTEXT, is_out_of_memory, limit_memory
from raytune_nn.trial.targets import TargetCheck
from raytune_nn.trial.task import TrialTask
from raytune_nn.trial.trainable import TrialActor
from raytune_nn.trial.wind_down import Notice

GIB = 2**30


class Gpu(list[str]):
    """What is asked of it, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
        self.fraction: float | None = None
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=memory))
        monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", self._limit)

    def _limit(self, fraction: float) -> None:
        self.fraction = fraction
        self.append("limit")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch, 16 * GIB)


@pytest.mark.parametrize(("share", "allocator"), [(0.25, 3.5), (0.5, 7.5), (0.0625, 0.5)])
def test_a_share_holds_the_context_too(gpu: Gpu, share: float, allocator: float) -> None:
    limit_memory(share)
    assert gpu.fraction == pytest.approx(allocator / 16)


@pytest.mark.parametrize("gpus", [0, 1, 2])
def test_whole_gpus_have_no_limit(gpu: Gpu, gpus: float) -> None:
    limit_memory(gpus)
    assert gpu == []


def test_a_machine_without_a_gpu_has_none_to_limit(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    limit_memory(0.25)
    assert gpu == []


def test_a_share_must_be_more_than_the_context(gpu: Gpu) -> None:
    assert CONTEXT == GIB / 2
    with pytest.raises(ConfigError) as raised:
        limit_memory(1 / 32)
    assert raised.value.rule == "a trial's share of a GPU must hold more than CUDA's own 0.5 GiB"
    assert raised.value.found == "resources.gpus=0.03125 of 16.0 GiB"
    assert raised.value.fix == "resources.gpus=0.062"
    assert gpu == []


@pytest.mark.parametrize(("alone", "calls"), [(False, ["limit", "prepare"]), (True, ["prepare"])])
def test_a_slot_limits_itself_before_it_builds_anything(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alone: bool, calls: list[str]
) -> None:
    monkeypatch.setattr(rehearsal, "prepare", lambda *_: gpu.append("prepare"))
    study = context(base_config(resources={"cpus": 1, "gpus": 0.25, "workers": 1}), tmp_path)
    actor = TrialActor.__new__(TrialActor)
    actor.setup({"task": TrialTask("7", {}, (), alone=alone)}, study, TargetCheck([], []), Notice("none"))
    assert gpu == calls
    assert gpu.fraction == (None if alone else pytest.approx(3.5 / 16))


def test_a_slot_whose_share_is_too_small_refuses_the_study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpu = Gpu(monkeypatch, GIB)
    monkeypatch.setattr(rehearsal, "prepare", lambda *_: gpu.append("prepare"))
    study = context(base_config(resources={"cpus": 1, "gpus": 0.25, "workers": 1}), tmp_path)
    actor = TrialActor.__new__(TrialActor)
    actor.setup({"task": TrialTask("7", {}, ())}, study, TargetCheck([], []), Notice("none"))
    assert actor.step()["refused"][2] == "resources.gpus=1"
    assert gpu == []


def raised(*errors: BaseException) -> BaseException:
    """The last of them, raised while the one before it was handled, and so on."""
    try:
        if errors[:-1]:
            try:
                raise raised(*errors[:-1])
            except BaseException:
                raise errors[-1]  # noqa: B904  # as code that is not ours does
        raise errors[-1]
    except BaseException as error:
        return error


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


OUT = "CUDA out of memory. Tried to allocate 1 GiB"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError(OUT), True),
        (RuntimeError("CUDA error: out of memory\nCompile with ..."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (raised(torch.OutOfMemoryError(OUT), ValueError("wrapped")), True),
        (caused(ValueError("wrapped"), torch.OutOfMemoryError(OUT)), True),
        (raised(torch.OutOfMemoryError(OUT), KeyError(3), SystemExit(1)), True),
        (MemoryError(), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), False),
        (RuntimeError(3), False),
        (raised(KeyError("a"), ZeroDivisionError()), False),
    ],
)
def test_what_means_that_the_gpus_memory_was_too_small(error: Any, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
