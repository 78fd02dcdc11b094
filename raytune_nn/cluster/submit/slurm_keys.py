"""The keys of ``cluster=slurm``, each with its rule."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import subprocess

from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.config.submitters import SlurmConfig
from raytune_nn.errors import ConfigError

LONGEST_SOCKET = 107  # bytes of a socket's path
_SOCKET = "/rtnn-1234567890.99-9999/session_2026-12-31_23-59-59_123456_1234567/sockets/plasma_store"
_NAME = re.compile(r"[A-Za-z0-9_][\w.,:@+=/-]*", re.ASCII)
_OURS = (  # options of sbatch that other keys set, or that would make another job of it
    *("job-name", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "gpus", "mem", "time"),
    *("partition", "account", "qos", "signal", "open-mode", "output", "requeue", "no-requeue", "array", "wrap"),
    *("chdir", "export", "export-file", "parsable", "wait", "test-only", "help", "usage", "version", "uid", "gid"),
)


def check_keys(cluster: SlurmConfig, resources: ResourcesConfig) -> None:
    """Checks each key, and what has to fit to what.

    Raises:
        ConfigError: The first rule that is broken.
    """
    _check_amounts(cluster)
    for key in ("cpus", "gpus"):
        asked, there = getattr(resources, key), getattr(cluster, f"{key}_per_node")
        if asked > there:
            rule = f"a worker of a trial must fit on a node: resources.{key} <= cluster.{key}_per_node"
            found = f"resources.{key}={asked:g}, cluster.{key}_per_node={there}"
            raise ConfigError(rule, found, f"cluster.{key}_per_node={math.ceil(asked)}")
    if resources.memory is not None and cluster.memory_per_node is None:
        rule = "with resources.memory the memory of a node must be known"
        raise ConfigError(rule, "cluster.memory_per_node=null", f"cluster.memory_per_node={resources.memory:g}")
    for key in ("partition", "account", "qos"):
        name = getattr(cluster, key)
        if name is not None and not _NAME.fullmatch(name):
            raise ConfigError(f"cluster.{key} must be a name that SLURM knows", repr(name), f"cluster.{key}=null")
    _check_times(cluster)
    _check_sbatch(cluster)
    _check_setup(cluster.setup)
    _check_paths(cluster)


def _check_amounts(cluster: SlurmConfig) -> None:
    for key, least in (("nodes", 1), ("cpus_per_node", 1), ("gpus_per_node", 0), ("start_seconds", 1)):
        value = getattr(cluster, key)
        if value < least:
            raise ConfigError(f"cluster.{key} must be at least {least}", value, f"cluster.{key}={least}")
    memory = cluster.memory_per_node
    if memory is not None and not 0 < memory < math.inf:
        rule = "cluster.memory_per_node (GiB) must be positive"
        raise ConfigError(rule, memory, "cluster.memory_per_node=null")
    if not 0 < cluster.hours < math.inf:
        raise ConfigError("cluster.hours must be positive", cluster.hours, "cluster.hours=24")


def _check_times(cluster: SlurmConfig) -> None:
    """Within the lead the trials save, the driver and Ray end, and SLURM is asked to requeue."""
    lead, least = cluster.signal_seconds, math.ceil(cluster.grace_seconds) + 60
    if not least <= lead <= 65535:
        raise ConfigError(
            "cluster.signal_seconds must be cluster.grace_seconds and a minute for the end itself, and 65535 at most",
            f"cluster.signal_seconds={lead}, cluster.grace_seconds={cluster.grace_seconds:g}",
            f"cluster.signal_seconds={max(300, least)}" if least <= 65535 else "cluster.grace_seconds=20",
        )
    if lead >= cluster.hours * 3600:
        raise ConfigError(
            "cluster.hours must be longer than cluster.signal_seconds, or a job ends before it begins",
            f"cluster.hours={cluster.hours:g}, cluster.signal_seconds={lead}",
            f"cluster.hours={lead / 1800:.2g}",
        )


def _check_sbatch(cluster: SlurmConfig) -> None:
    for key, value in cluster.sbatch.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]+", str(key)):
            rule = "a key of cluster.sbatch must be the long name of an option of sbatch"
            raise ConfigError(rule, repr(key), "'+cluster.sbatch.constraint=a100'")
        if key in _OURS:
            rule = "cluster.sbatch must not set what the job's other keys do, or what would make another job of it"
            raise ConfigError(rule, key, f"~cluster.sbatch.{key}")
        if isinstance(value, dict | list | bool) or not str(value).isprintable():
            rule = "a value of cluster.sbatch must be a text of one line or a number; null for an option without one"
            raise ConfigError(rule, f"{key}: {value!r}", f"cluster.sbatch.{key}=null")


def _check_setup(lines: list[str]) -> None:
    """They are shell, and whole commands: half of one would change what the script after them means."""
    for line in lines:
        if not line.isprintable() or not _is_command(line):
            rule = "a line of cluster.setup must be a whole command of bash"
            raise ConfigError(rule, repr(line), "'cluster.setup=[module load cuda]'")


def _is_command(line: str) -> bool:
    """Whether bash reads it as one, without running it; where there is no bash, the job will tell."""
    shell = shutil.which("bash")
    if shell is None:
        return True
    read = subprocess.run([shell, "-n", "-c", setup_command(line)], capture_output=True)
    return read.returncode == 0 and not read.stderr  # a warning: it goes on after the line


def setup_command(line: str) -> str:
    """As the script has it: a failure ends the job."""
    told = shlex.quote(f"raytune_nn job: cluster.setup failed: {line}")
    return f"{{ {line}\n}} || {{ echo {told} >&2; exit 4; }}"


def _check_paths(cluster: SlurmConfig) -> None:
    folder = cluster.temporary
    if not re.fullmatch(r"(/[\w.-]+)+", folder, re.ASCII):
        rule = "cluster.temporary must be the absolute path of a folder on each node"
        raise ConfigError(rule, repr(folder), "cluster.temporary=/tmp")
    if len(folder + _SOCKET) > LONGEST_SOCKET:
        rule = f"cluster.temporary must be of {LONGEST_SOCKET - len(_SOCKET)} characters at most, for Ray's sockets"
        raise ConfigError(rule, f"{folder}: {len(folder)}", "cluster.temporary=/tmp")
    if cluster.python is not None and not (cluster.python.strip() and cluster.python.isprintable()):
        raise ConfigError("cluster.python must be a program", repr(cluster.python), "cluster.python=null")
