"""A batch job of SLURM: a Ray cluster on its nodes, and the study's driver beside the head. The script is ``slurm.sh``.

What stands in the configuration comes into the script as quoted values of `_VALUES` and of ``#SBATCH`` lines only; the
lines of ``cluster.setup`` alone are shell.
"""

from __future__ import annotations

import contextlib
import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from raytune_nn.cluster.nodes import Node
from raytune_nn.cluster.submit.slurm_keys import check_keys, setup_command
from raytune_nn.cluster.submit.submission import Submission
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.config.submitters import SlurmConfig
from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.folder import write_text

SHARES_FILES = True
_SUBMIT_SECONDS = 60.0  # a busy controller takes its time


def check(cluster: SlurmConfig, resources: ResourcesConfig) -> None:
    """Checks the keys of ``cluster=slurm``.

    Raises:
        ConfigError: The first rule that is broken.
    """
    check_keys(cluster, resources)


def planned_nodes(cluster: SlurmConfig) -> Sequence[Node]:
    """One Ray node on each node of the job."""
    memory = cluster.memory_per_node or sys.maxsize  # unknown: `check` refuses trials that ask for some
    return [Node("one of the job's", cluster.cpus_per_node, cluster.gpus_per_node, memory)] * cluster.nodes


def render(submission: Submission) -> str:
    """The batch script.

    Raises:
        ConfigError: The path of its output is none that SLURM can write to.
    """
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {line}" for line in _directives(submission)),
        "# A study of raytune_nn, as mode=submit has written it; `sbatch` of this file again goes on with it.",
        "# shellcheck disable=SC2016  # what stands in single quotes is not the shell's",
        "",
        *map(setup_command, submission.cluster.setup),  # before there is anything of ours that they could disturb
        "",
        *(f"{name}={value}" for name, value in _values(submission).items()),
        "",
    ]
    return "\n".join(lines) + Path(__file__).with_suffix(".sh").read_text(encoding="utf-8")


def submit(submission: Submission, text: str) -> None:
    """Hands the script to sbatch, and says how to watch and to stop the job.

    Raises:
        UnusableError: There is no sbatch, it refuses the job, or the storage cannot be written.
    """
    folder = _job_folder(submission)
    script, log = folder / "job.sh", folder / "output.log"
    with _kept_if_taken(script):
        write_text(script, text)
        job = _sbatch(script)
    name, nodes = submission.study, submission.cluster.nodes
    rows = {
        "submitted": f"job {job}, study {name}: {nodes} nodes, {submission.slots} trials at once",
        "watch": f"squeue --job {job}; tail -F {shlex.quote(str(log))}",
        "tensorboard": f"tensorboard --logdir {shlex.quote(str(submission.folder / 'tb'))}",
        "stop": f"scancel --batch --signal=TERM {job}, which saves the trials' states; scancel {job} at once",
        "go on": f"sbatch {shlex.quote(str(script))}",
    }
    print("\n".join(f"{head:<11} {value}" for head, value in rows.items()))


def _job_folder(submission: Submission) -> Path:
    """Beside the study's own: that one is made once the study has begun."""
    return submission.folder.with_name(f"{submission.folder.name}.slurm")


def _directives(submission: Submission) -> Iterator[str]:
    cluster: SlurmConfig = submission.cluster
    output = str(_job_folder(submission) / "output.log")
    if "\\" in output:
        rule = "study.storage must be a path without backslashes, which have a meaning for SLURM"
        raise ConfigError(rule, output, "study.storage=studies")
    memory = cluster.memory_per_node
    options: dict[str, object] = {
        "job-name": submission.study,
        "nodes": cluster.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": cluster.cpus_per_node,
        "gpus-per-node": cluster.gpus_per_node or None,
        "mem": None if memory is None else f"{math.ceil(memory * 1024)}M",
        "time": math.ceil(cluster.hours * 60),
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "signal": f"B:USR1@{cluster.signal_seconds}",
        "open-mode": "append",
        "output": output.replace("%", "%%"),  # or SLURM fills in numbers
    }
    yield from (f"--{key}={_escaped(str(value))}" for key, value in options.items() if value is not None)
    yield "--requeue" if cluster.requeue else "--no-requeue"
    for key, value in cluster.sbatch.items():
        yield f"--{key}" if value is None else f"--{key}={_escaped(str(value))}"


def _escaped(value: str) -> str:
    """For a line of ``#SBATCH``, where a backslash takes the meaning of any character, and which no shell reads."""
    return re.sub(r"([^\w./:@,+=%-])", r"\\\1", value, flags=re.ASCII)


def _values(submission: Submission) -> Mapping[str, str]:
    """The variables that the script begins with, quoted."""
    cluster: SlurmConfig = submission.cluster
    python = cluster.python or sys.executable
    cpus, gpus, memory = cluster.cpus_per_node, cluster.gpus_per_node, cluster.memory_per_node
    step = ["srun", "--nodes=1", "--ntasks=1", f"--cpus-per-task={cpus}", "--export=ALL", "--input=none"]
    ports = ["--min-worker-port=0", "--max-worker-port=0"]  # any: by default those of two jobs on a node are the same
    ray = [python, "-m", "ray.scripts.scripts", "start", "--block", f"--num-cpus={cpus}", f"--num-gpus={gpus}", *ports]
    return {
        "WORK": shlex.quote(str(submission.work)),
        "FOLDER": shlex.quote(str(_job_folder(submission))),
        "TEMPORARY": shlex.quote(cluster.temporary),
        "START_SECONDS": str(cluster.start_seconds),
        "REQUEUE": "yes" if cluster.requeue else "no",
        "PYTHON": shlex.quote(python),
        "SRUN": _array([*step, *([f"--gpus-per-node={gpus}"] if gpus else [])]),
        "RAY": _array([*ray, *([] if memory is None else [f"--memory={int(memory * 2**30)}"])]),
        "COMMAND": _array([python, "-m", "raytune_nn", *submission.arguments]),
    }


def _array(words: Sequence[str]) -> str:
    return f"({shlex.join(words)})"


def _sbatch(script: Path) -> str:
    """Submits, and returns the job's number."""
    rule, mend = "sbatch must take the job", "cluster.dry_run=true shows the script"
    if shutil.which("sbatch") is None:
        raise UnusableError("sbatch must be there, as on a login node of SLURM", "no sbatch", mend)
    command = ["sbatch", "--parsable", str(script)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SUBMIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UnusableError(rule, f"no answer within {_SUBMIT_SECONDS:.0f} s", "squeue --me, then again") from error
    job = done.stdout.strip().partition(";")[0]  # of a federation, the cluster follows
    if done.returncode != 0 or not job.isdigit():
        raise UnusableError(rule, (done.stderr.strip() or done.stdout.strip() or "no answer"), mend)
    return job


@contextlib.contextmanager
def _kept_if_taken(script: Path) -> Iterator[None]:
    """What is written inside goes again if nothing could be submitted."""
    before = script.read_text(encoding="utf-8") if script.exists() else None
    made = [folder for folder in script.parents if not folder.exists()]
    try:
        yield
    except UnusableError:
        with contextlib.suppress(OSError):
            script.unlink() if before is None else write_text(script, before)
            for folder in made:
                folder.rmdir()
        raise
