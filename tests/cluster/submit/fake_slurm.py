"""Programs that stand in for SLURM's, Ray's and our own while a batch script runs: on one machine, and within a second.

Each writes its call to ``calls``. What else they do is told by files in their folder: ``fails-<host>``,
``dies-<host>``, ``stays-out-<host>``, ``keeps`` (the job is not requeued), and ``driver``, the bash that stands for
the study.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from processes import Finished, Place, wait_until

from raytune_nn.cluster.submit.slurm import render
from raytune_nn.cluster.submit.submission import Submission
from raytune_nn.config.compose import conf_dir
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.config.submitters import SlurmConfig

RESOURCES = ResourcesConfig(cpus=1, gpus=0, memory=None, workers=1)
_PROGRAMS = {
    "sleep": "exec /bin/sleep 0.05",
    "getent": "echo 0.0.0.0 STREAM",  # an address that leads back here
    "scontrol": """
        if [ "$1" = show ]; then tr , '\\n' <<<"$3"; exit; fi
        echo "scontrol $*" >>"$FAKES/calls"
        [ ! -e "$FAKES/keeps" ]""",
    "sbatch": """
        echo "sbatch $*" >>"$FAKES/calls"
        if [ -e "$FAKES/refuses" ]; then echo 'sbatch: error: invalid partition specified: none' >&2; exit 1; fi
        echo '4711;north'""",
    "srun": """
        while [ "$1" != bash ]; do
            case $1 in --nodelist=*) export FAKE_HOST=${1#*=} ;; esac
            flags+=("$1"); shift
        done
        echo "srun ${flags[*]}" >>"$FAKES/calls"
        export SLURM_NTASKS=1
        "$@" & task=$!
        trap 'kill -USR2 $task' USR2
        trap 'kill -TERM $task' TERM
        while kill -0 $task 2>/dev/null; do wait $task; code=$?; done
        echo "step ended on $FAKE_HOST" >>"$FAKES/calls"
        exit $code""",
    "python": """
        words="$*"
        case $2 in
        raytune_nn.cluster.submit.joined)
            while [ "$(find "$FAKES" -name 'up-*' | wc -l)" -lt "$4" ]; do sleep 1; done ;;
        raytune_nn)
            printf '%s\\n' "${@:3}" >"$FAKES/arguments"
            pwd >"$FAKES/folder"
            . "$FAKES/driver" ;;
        ray.scripts.scripts)
            echo "ray ${words#* start }" >>"$FAKES/calls"
            env | grep -E '^(RAY|SLURM)' >"$FAKES/environment-$FAKE_HOST"
            cp -p "$RAY_AUTH_TOKEN_PATH" "$FAKES/token"
            if [ -e "$FAKES/fails-$FAKE_HOST" ]; then echo 'no room for the object store'; exit 3; fi
            [ -e "$FAKES/stays-out-$FAKE_HOST" ] || touch "$FAKES/up-$FAKE_HOST"
            trap 'echo "ray told to end" >>"$FAKES/calls"; exit 143' TERM
            case $words in *--head*)
                port=${words##*--port=}
                "$REAL_PYTHON" "$FAKES/listen.py" "${port%% *}" & ;;
            esac
            while [ ! -e "$FAKES/dies-$FAKE_HOST" ]; do sleep 1; done
            exit 9 ;;
        esac""",
}
_LISTEN = """
import socket, sys, time
with socket.create_server(("0.0.0.0", int(sys.argv[1]))):
    time.sleep(60)
"""


@dataclass(frozen=True)
class FakeSlurm:
    """A place to run rendered scripts in, and its programs' folder."""

    place: Place
    fakes: Path
    job: int

    def submission(self, *arguments: str, study: str = "first", **keys: Any) -> Submission:
        """Of a study on nodes ``n0``, ``n1``, …, by default two."""
        defaults = yaml.safe_load((Path(conf_dir()) / "cluster" / "slurm.yaml").read_text())
        mine = {"nodes": 2, "python": str(self.fakes / "python"), "temporary": str(self.place.temporary)}
        cluster = SlurmConfig(**{**defaults, **mine, **keys})
        folder = self.place.work / "studies" / study
        return Submission(arguments, study, folder, self.place.work, RESOURCES, 2 * cluster.nodes, cluster)

    def does(self, driver: str = "exit 0", **files: str) -> None:
        """What the study does, and which of the files that tell the others are there (underscores for dashes)."""
        (self.fakes / "driver").write_text(driver)
        for name, text in files.items():
            (self.fakes / name.replace("_", "-")).write_text(text)

    def run(self, submission: Submission) -> Finished:
        """Runs the script to its end."""
        return self.place.run(str(self.script(submission)), command=("bash",))

    @contextmanager
    def start(self, submission: Submission) -> Iterator[subprocess.Popen[str]]:
        """Its script, running."""
        with self.place.start(str(self.script(submission)), command=("bash",)) as process:
            yield process

    def script(self, submission: Submission) -> Path:
        path = self.place.work / "job.sh"
        path.write_text(render(submission))
        return path

    def calls(self, of: str = "") -> list[str]:
        """Of all programs, or of one, in their order."""
        path = self.fakes / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(of)]

    def told(self, name: str) -> list[str]:
        """The lines of a file that a program wrote."""
        path = self.fakes / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_for(self, name: str) -> None:
        wait_until(lambda: (self.fakes / name).exists(), 30)

    def again(self, **environment: str) -> FakeSlurm:
        """The same place with other variables."""
        there = {**self.place.environment, **environment}
        return replace(self, place=replace(self.place, environment=there))


def fake_slurm(place: Place, fakes: Path, real_python: str, hosts: Sequence[str] = ("n0", "n1")) -> FakeSlurm:
    """Writes the programs."""
    fakes.mkdir()
    for name, text in _PROGRAMS.items():
        (fakes / name).write_text(f"#!/bin/bash\n{text}\n")
        (fakes / name).chmod(0o755)
    (fakes / "listen.py").write_text(_LISTEN)
    job = 5600 * 7 + os.getpid() % 5600
    environment = {
        "PATH": f"{fakes}:{os.environ['PATH']}",
        "FAKES": str(fakes),
        "REAL_PYTHON": real_python,
        "SLURM_JOB_ID": str(job),
        "SLURM_JOB_NODELIST": ",".join(hosts),
    }
    return FakeSlurm(replace(place, environment=environment), fakes, job)


def end_in_order(process: subprocess.Popen[str], by: signal.Signals) -> tuple[int, str]:
    """Signals the batch script alone, as SLURM does; its exit code and what it said."""
    process.send_signal(by)
    _, err = process.communicate(timeout=60)
    return process.returncode, err
