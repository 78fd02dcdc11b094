"""What must be free where a study is, or is to be."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.store.free_space import MB, check_min_free, refuse_below


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """MB that are free; the tests set it."""
    free = [50.0]
    usage = "raytune_nn.store.free_space.shutil.disk_usage"
    monkeypatch.setattr(usage, lambda path: type("", (), {"free": int(free[0] * MB)}))
    return free


def test_less_than_is_to_stay_free_is_refused_before_anything_is_created(tmp_path: Path, free: list[float]) -> None:
    storage = tmp_path / "not" / "there"
    check_min_free(str(storage), 50)
    check_min_free(str(storage), 0)
    with pytest.raises(ConfigError, match=rf"min_free=50\.5, and 50\.0 MB are free in {tmp_path}") as caught:
        check_min_free(str(storage), 50.5)
    assert "checkpoints.min_free=0" in caught.value.fix
    assert list(tmp_path.iterdir()) == []
    free[0] = 0
    check_min_free(str(storage), 0)


@pytest.mark.parametrize("megabytes", [-1.0, float("nan"), float("inf")])
def test_what_is_no_amount_is_refused(megabytes: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"checkpoints\.min_free must be 0 or more MB"):
        check_min_free(str(tmp_path), megabytes)


def test_a_trial_that_waits_is_told_that_the_disk_is_full(tmp_path: Path, free: list[float]) -> None:
    refuse_below(str(tmp_path), 50)
    with pytest.raises(OSError, match=r"50\.0 MB are free, and no trial starts below") as refused:
        refuse_below(str(tmp_path), 51)
    assert refused.value.errno == errno.ENOSPC
