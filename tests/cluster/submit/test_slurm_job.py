"""The batch script with a real Ray and a real study; only SLURM's own programs are stood in for."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from fake_slurm import end_in_order, fake_slurm
from processes import TIMEOUT, Place, events, new_place, rows, summary, wait_until

STUDY = ("+search=random", "study.name=first", "budget.num_trials=2", "budget.max_epochs=150", "cluster=existing")


@pytest.mark.slow
def test_a_job_that_is_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with new_place(tmp_path / "work") as place:
        slurm = fake_slurm(place, tmp_path / "fakes", sys.executable, hosts=["n0"])
        (slurm.fakes / "sleep").unlink()
        submission = slurm.submission(*STUDY, nodes=1, cpus_per_node=1, python=None)
        with slurm.start(submission) as process:
            wait_until(lambda: len(_reports(submission.folder)) > 4 or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            code, err = end_in_order(process, signal.SIGUSR1)
        assert code == 75, err
        assert slurm.calls("scontrol") == [f"scontrol requeue {slurm.job}"]
        assert summary(submission.folder)["status"] == "interrupted"
        _nothing_is_left(slurm.place)
        ran = slurm.again(SLURM_RESTART_COUNT="1").run(submission)
        assert ran.code == 0, ran.err
        assert "attempt 2" in ran.err
        assert [row["state"] for row in rows(submission.folder)] == ["complete"] * 2
        reports = _reports(submission.folder)
        assert len(reports) == len(set(reports)) == 300, "no epoch is trained twice, and none is missing"
        _nothing_is_left(slurm.place)


def _reports(study: Path) -> list[tuple[str, int]]:
    found = events(study) if (study / "journal").is_dir() else []
    return [(event["trial"], event["epoch"]) for event in found if event["type"] == "reported"]


def _nothing_is_left(place: Place) -> None:
    wait_until(lambda: not place.processes(), 20)
    assert place.leftovers() == []
    assert not list((place.work / "studies" / "first.slurm").iterdir()), "the token"
