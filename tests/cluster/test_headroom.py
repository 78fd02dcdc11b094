"""Whether a GPU has room for the trials that share it, with a stand-in for nvidia-smi."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from raytune_nn.cluster.headroom import check_headroom
from raytune_nn.cluster.resources import Capacity
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.errors import ConfigError

Gpus = Callable[..., Path]
GIB = 1024  # MiB


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gpus:
    """Makes an nvidia-smi that answers these lines; returns the file with the arguments it was called with."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    asked = tmp_path / "asked"

    def make(*lines: str, code: int = 0) -> Path:
        tool = tmp_path / "nvidia-smi"
        text = "\n".join(lines)
        tool.write_text(f"#!/bin/sh\necho \"$@\" > {asked}\necho '{text}'\nexit {code}\n")
        tool.chmod(0o755)
        return asked

    return make


def check(share: float, slots: int = 8, count: float = 1) -> None:
    check_headroom(Capacity(8, count, slots), ResourcesConfig(cpus=1, gpus=share, memory=None, workers=1))


def refused(share: float, slots: int = 8, count: float = 1) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        check(share, slots, count)
    return raised.value


def test_an_empty_gpu_has_room(gpus: Gpus) -> None:
    gpus(f"0, {24 * GIB - 4}, 4")
    check(0.25)
    check(0.5)


def test_what_else_is_on_it_leaves_too_little(gpus: Gpus) -> None:
    gpus(f"0, {18 * GIB}, {6 * GIB}")
    error = refused(0.25)
    assert error.rule == "the free memory of a GPU must hold the trials that share it"
    assert error.found == (
        "18.0 of 24.0 GiB are free on GPU 0, and resources.gpus=0.25 promises 6.0 GiB to each of 4 trials"
    )
    assert error.fix == "resources.gpus=0.34, or end what else is on it (nvidia-smi)"
    check(0.34)


@pytest.mark.parametrize(
    ("free", "share", "fix"), [(23, 0.25, None), (22, 0.25, "0.26"), (15, 0.25, "0.51"), (11, 0.5, "1")]
)
def test_what_mends_it_does(gpus: Gpus, free: int, share: float, fix: str | None) -> None:
    """A little that is missing is left to the trial that fails for it."""
    gpus(f"0, {free * GIB}, {(24 - free) * GIB}")
    if fix is None:
        check(share)
    else:
        assert refused(share).fix.startswith(f"resources.gpus={fix},")
        check(float(fix))


def test_slots_that_the_cores_do_not_allow_need_no_room(gpus: Gpus) -> None:
    gpus(f"0, {13 * GIB}, {11 * GIB}")
    check(0.25, slots=2)
    refused(0.25, slots=3)


def test_only_the_gpus_of_the_study_are_asked_about(gpus: Gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = gpus(f"0, {24 * GIB}, 0", f"1, 0, {24 * GIB}")
    check(0.5, count=1)
    assert "-i" not in asked.read_text()
    assert "on GPU 1, " in str(refused(0.5, count=2).found)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c")
    refused(0.5, count=2)
    assert asked.read_text().endswith("-i GPU-a,GPU-b\n")


@pytest.mark.parametrize("share", [0, 0.6, 1, 2])
def test_a_gpu_that_nobody_shares_is_not_asked_about(gpus: Gpus, share: float) -> None:
    asked = gpus(f"0, 0, {24 * GIB}")
    check(share)
    assert not asked.exists()


def test_other_lines_of_the_tool_and_cells_that_it_does_not_know_count_for_nothing(gpus: Gpus) -> None:
    warning = "WARNING: infoROM is corrupted at gpu 0000:02:00.0, see the manual, or the log"
    gpus(warning, "", f"0, {24 * GIB}, [N/A]", f"3, {24 * GIB},", f"1, [N/A], {24 * GIB}", warning, f"2, {24 * GIB}, 0")
    check(0.5, count=4)
    gpus(warning, f"0, {24 * GIB}, 0", warning, f"1, 0, {24 * GIB}")
    check(0.5, count=1)
    assert "on GPU 1, " in str(refused(0.5, count=2).found)


def test_where_nobody_can_tell_nothing_is_refused(gpus: Gpus) -> None:
    check(0.25)
    gpus("0, [N/A], [N/A]")
    check(0.25)
    gpus("No devices were found", code=6)
    check(0.25)
