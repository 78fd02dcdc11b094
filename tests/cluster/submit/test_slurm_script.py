"""The batch script, run against programs that stand in for SLURM's, Ray's and the study."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_slurm import FakeSlurm, end_in_order, fake_slurm
from processes import new_place, wait_until

from raytune_nn.cluster.submit.slurm import render

SAVES = 'trap "touch $FAKES/saved; exit 75" TERM; touch "$FAKES/running"; while :; do sleep 1; done'


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[FakeSlurm]:
    """Two nodes; afterwards nothing may be left of the job but its own folder."""
    (tmp_path / "work").mkdir()
    with new_place(tmp_path / "work") as place:
        slurm = fake_slurm(place, tmp_path / "fakes", sys.executable)
        yield slurm
        wait_until(lambda: not slurm.place.processes(), 10)
        assert slurm.place.leftovers() == [], "Ray's folders go with their nodes"
        folder = place.work / "studies" / "first.slurm"
        assert not folder.exists() or list(folder.iterdir()) == [], "the token goes too"


def test_one_ray_node_starts_on_each_node_and_the_study_beside_the_head(slurm: FakeSlurm) -> None:
    slurm.does()
    ran = slurm.run(slurm.submission("+search=asha", "study.name=first", "cluster=existing"))
    assert ran.code == 0, ran.err
    port = 10000 + slurm.job % 5600 * 4
    assert slurm.told("arguments") == ["+search=asha", "study.name=first", "cluster=existing", _address(slurm)]
    assert slurm.told("folder") == [str(slurm.place.work)]
    starts, rays = slurm.calls("srun"), slurm.calls("ray --block")
    assert [line.split("--nodelist=")[1] for line in starts] == ["n0", "n1"]
    assert f"--head --node-ip-address=0.0.0.0 --port={port}" in rays[0]
    assert f"--address=0.0.0.0:{port}" in rays[1]
    assert all("--num-cpus=8 --num-gpus=0" in line for line in rays)
    assert slurm.calls("scontrol") == []
    assert len(slurm.calls("ray told to end")) == len(slurm.calls("step ended")) == 2


def test_two_jobs_beside_each_other_use_other_ports(slurm: FakeSlurm) -> None:
    slurm.does()
    slurm.run(slurm.submission())
    slurm.again(SLURM_JOB_ID=str(slurm.job + 1)).run(slurm.submission())
    words = [word for line in slurm.calls("ray --block") for word in line.split()]
    found = [word for word in words if "port=" in word and "worker" not in word]
    assert len(found) == 8
    assert set(found[:4]).isdisjoint(found[4:])


def test_ray_asks_for_a_token_that_nobody_else_sees(slurm: FakeSlurm) -> None:
    slurm.does()
    ran = slurm.run(slurm.submission())
    token = (slurm.fakes / "token").read_text()
    assert len(token) == 64
    assert (slurm.fakes / "token").stat().st_mode & 0o777 == 0o600
    assert token not in ran.out + ran.err + "".join(slurm.calls())
    for host in ("n0", "n1"):
        there = slurm.told(f"environment-{host}")
        assert "RAY_AUTH_MODE=token" in there
        assert not [line for line in there if line.startswith(("RAY_AUTH_TOKEN=", "SLURM_NTASKS="))]
    assert not list(slurm.place.work.rglob(".token*"))


def test_a_job_of_one_node_is_reached_by_no_other(slurm: FakeSlurm) -> None:
    slurm.does()
    alone = slurm.again(SLURM_JOB_NODELIST="n0")
    assert alone.run(alone.submission(nodes=1)).code == 0
    assert slurm.told("arguments")[-1].startswith("cluster.address=127.0.0.1:")
    assert "--node-ip-address=127.0.0.1" in slurm.calls("ray")[0]


@pytest.mark.parametrize("host", ["n0", "n1"])
def test_a_job_fails_where_ray_does_not_start(slurm: FakeSlurm, host: str) -> None:
    slurm.does(**{f"fails_{host}": ""})
    ran = slurm.run(slurm.submission())
    assert ran.code == 4
    assert "ended with code 3" in ran.err
    assert "no room for the object store" in ran.err
    assert f"raytune_nn job: Ray did not start on {host}" in ran.err
    assert slurm.told("arguments") == [], "no study began"
    assert slurm.calls("scontrol") == [], "it would fail again"


def test_a_job_fails_where_a_node_never_joins(slurm: FakeSlurm) -> None:
    slurm.does(stays_out_n1="")
    ran = slurm.run(slurm.submission(start_seconds=1))
    assert ran.code == 4
    assert "Ray did not start on all nodes within 1 s" in ran.err
    assert slurm.told("arguments") == []


def test_near_the_end_of_its_time_the_study_saves_and_the_job_is_requeued(slurm: FakeSlurm) -> None:
    assert "SIGUSR1: trials save their states" in saved_at(slurm, signal.SIGUSR1)
    assert slurm.calls()[-1] == f"scontrol requeue {slurm.job}", "after all of Ray has ended"


def test_a_preempted_or_cancelled_job_saves_and_leaves_requeueing_to_slurm(slurm: FakeSlurm) -> None:
    saved_at(slurm, signal.SIGTERM)
    assert slurm.calls("scontrol") == []


def saved_at(slurm: FakeSlurm, number: signal.Signals) -> str:
    """What a job says that gets a signal while its driver trains, and has saved."""
    slurm.does(SAVES)
    with slurm.start(slurm.submission()) as process:
        slurm.wait_for("running")
        code, err = end_in_order(process, number)
    assert code == 75
    assert (slurm.fakes / "saved").exists()
    return err


def test_a_signal_to_all_steps_leaves_ray_to_the_trials_that_save(slurm: FakeSlurm) -> None:
    slow = (
        'trap "sleep 1; sleep 1; ls $FAKES/up-* >$FAKES/saved; grep -c told $FAKES/calls >>$FAKES/saved; exit 75" TERM'
    )
    slurm.does(f'{slow}; touch "$FAKES/running"; while :; do sleep 1; done')
    with slurm.start(slurm.submission()) as process:
        slurm.wait_for("running")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        steps = [int(pid) for pid in children if b"/srun\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(steps) == 2
        for step in steps:
            os.kill(step, signal.SIGTERM)
        code, _ = end_in_order(process, signal.SIGTERM)
    assert code == 75
    assert slurm.told("saved")[-1] == "0", "nobody had told Ray to end while the study saved"


def test_a_signal_before_the_study_began_requeues_as_well(slurm: FakeSlurm) -> None:
    slurm.does(stays_out_n1="")
    with slurm.start(slurm.submission()) as process:
        slurm.wait_for("up-n0")
        wait_until(lambda: len(slurm.calls("ray --block")) == 2, 30)
        code, _ = end_in_order(process, signal.SIGUSR1)
    assert code == 75
    assert slurm.told("arguments") == []
    assert slurm.calls("scontrol") == [f"scontrol requeue {slurm.job}"]


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_other_exit_codes_pass_through(slurm: FakeSlurm, code: int) -> None:
    slurm.does(f"exit {code}")
    assert slurm.run(slurm.submission()).code == code
    assert slurm.calls("scontrol") == []


def test_a_study_that_was_interrupted_goes_back_to_the_queue(slurm: FakeSlurm) -> None:
    slurm.does("exit 75")
    assert slurm.run(slurm.submission()).code == 75
    assert slurm.calls("scontrol") == [f"scontrol requeue {slurm.job}"]
    assert slurm.run(slurm.submission(requeue=False)).code == 75
    assert len(slurm.calls("scontrol")) == 1
    slurm.does("exit 75", keeps="")
    ran = slurm.run(slurm.submission())
    assert (ran.code, "SLURM did not take it back: sbatch" in ran.err) == (75, True)


def test_a_restart_runs_the_same_command(slurm: FakeSlurm) -> None:
    slurm.does('[ -n "${SLURM_RESTART_COUNT:-}" ] || exit 75')
    submission = slurm.submission("study.name=first")
    first = slurm.run(submission)
    typed = slurm.told("arguments")
    second = slurm.again(SLURM_RESTART_COUNT="1").run(submission)
    assert (first.code, second.code) == (75, 0)
    assert ("attempt 1" in first.err, "attempt 2" in second.err) == (True, True)
    assert slurm.told("arguments") == typed


def test_a_node_that_is_lost_is_told_and_the_study_goes_on(slurm: FakeSlurm) -> None:
    slurm.does('touch "$FAKES/dies-n1"; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done; exit 0')
    ran = slurm.run(slurm.submission())
    assert ran.code == 0
    assert "ended with code 9" in ran.err
    assert ran.err.count("Ray on n1 has ended; what ran there goes on elsewhere") == 1


def test_setup_comes_first_and_its_failure_ends_the_job(slurm: FakeSlurm) -> None:
    slurm.does('echo "$SITE" >"$FAKES/site"')
    lines = ["export SITE=north driver=9 steps=9", "hosts=x"]
    assert slurm.run(slurm.submission(setup=lines)).code == 0
    assert slurm.told("site") == ["north"]
    ran = slurm.run(slurm.submission(setup=["ls /nowhere  # it's gone", "export SITE=south"]))
    assert ran.code == 4
    assert "raytune_nn job: cluster.setup failed: ls /nowhere" in ran.err
    assert len(slurm.calls("srun")) == 2, "those of the first job"


HOSTILE = "a b;touch $(touch x)`touch x`\"'%j#\\é"


def test_hostile_words_arrive_as_they_are(slurm: FakeSlurm) -> None:
    slurm.does()
    words = (f"study.name={HOSTILE}", "'; touch x; '", "$HOME", "-n", "*", "")
    submission = slurm.submission(*words, study=HOSTILE.replace("\\", ""), sbatch={"comment": HOSTILE})
    ran = slurm.run(submission)
    assert ran.code == 0, ran.err
    assert slurm.told("arguments") == [*words, _address(slurm)]
    assert not list(slurm.place.work.rglob("x"))
    for folder in (submission.folder.parent).iterdir():
        folder.rmdir()
    read = [_as_sbatch_reads(line) for line in render(submission).splitlines() if line.startswith("#SBATCH ")]
    assert [f"--job-name={submission.study}"] in read
    assert [f"--comment={HOSTILE}"] in read
    assert all(len(words) == 1 for words in read)
    output = str(submission.folder).replace("%", "%%")
    assert [f"--output={output}.slurm/output.log"] in read


def test_shellcheck_finds_nothing(slurm: FakeSlurm) -> None:
    keys: dict[str, Any] = {
        "gpus_per_node": 4,
        "memory_per_node": 1.5,
        "setup": ["export A=1"],
        "sbatch": {"mail-type": "END"},
    }
    script = slurm.script(slurm.submission("+search=asha", f"study.name={HOSTILE}", **keys))
    program = Path(sys.executable).with_name("shellcheck")
    found = subprocess.run([program, "--enable=quote-safe-variables", script], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def _address(slurm: FakeSlurm) -> str:
    return f"cluster.address=0.0.0.0:{10000 + slurm.job % 5600 * 4}"


def _as_sbatch_reads(line: str) -> list[str]:
    """The words of a line: a backslash keeps the character after it, quotes group, # begins a comment."""
    reader = shlex.shlex(line.removeprefix("#SBATCH "), posix=True)
    reader.whitespace_split, reader.commenters, reader.escapedquotes = True, "#", "\"'"
    return list(reader)
