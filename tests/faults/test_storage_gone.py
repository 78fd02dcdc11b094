"""A share that is gone under a study, or read-only, and comes back; and a device that fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import block_device, device_of, is_mounted, mount, mount_image, mount_point, unmount
from processes import Place, new_place, summary
from storage_studies import Studies, count, is_still


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.slow
def test_a_share_that_is_gone_or_read_only_for_a_while_costs_nothing_but_time(place: Place) -> None:
    """No file is written into the empty folder in its place."""
    server = place.work / "server"
    server.mkdir()
    with mount_point() as share:
        mount("--bind", server, share)
        studies = Studies(place, share)
        with studies.start() as command:
            command.until_ended(1)
            unmount(share)
            command.until_said("waiting for the storage: ")
            assert f"{studies.study}: the study's folder is gone" in command.out
            assert is_still(server / "first", 1.5)
            assert list(share.iterdir()) == []
            mount("--bind", server, share)
            command.until_said("the storage is back after ")
            command.until_ended(2)
            mount("--bind", "-o", "ro", server, share)  # over the other: no moment without any
            command.until_said(": Read-only file system")
            unmount(share)
            code, err = command.finish()
        assert code == 0, err
        studies.check_whole()
        assert count(studies.study, "started") == count(studies.study, "ended"), "no trial failed and began anew"


@pytest.mark.slow
def test_a_study_outlasts_frozen_writes_and_a_device_that_fails_can_be_repaired(place: Place) -> None:
    with block_device(64) as (point, image):
        studies = Studies(place, point)
        typed = ("checkpoints.min_free=0", "failures.storage_timeout=3", "failures.max_retries=0")
        with studies.start(*typed) as command:
            command.until_ended(1)
            began = time.monotonic()
            # It thaws by itself: nobody could read a test's end.
            freeze = f"fsfreeze -f {point} && echo frozen && sleep 8; fsfreeze -u {point}"
            with subprocess.Popen(["sh", "-c", freeze], stdout=subprocess.PIPE, text=True) as frozen:
                assert frozen.stdout is not None
                assert frozen.stdout.readline() == "frozen\n"
                assert is_still(studies.study, 3.0), "what is written waits in the system"
            assert frozen.returncode == 0
            assert time.monotonic() - began > 8
            command.until_ended(3)
            assert "waiting for the storage" not in command.out, "slow is not refused"
            subprocess.run(["sync", "--file-system", str(point)], check=True)
            Path(f"/sys/fs/ext4/{device_of(point)}/trigger_fs_error").write_text("1")
            code, err = command.finish()
        assert code == 4, err
        assert "Read-only file system, for 3 s (failures.storage_timeout)" in err
        assert "Traceback" not in err
        assert place.leftovers() == []
        unmount(point)
        assert not is_mounted(point)
        mount_image(image, point)
        assert summary(studies.study)["status"] == "running", "there was nowhere to write another"
        code, _, err = studies.run(*typed)
        assert code == 0, err
        studies.check_whole()
