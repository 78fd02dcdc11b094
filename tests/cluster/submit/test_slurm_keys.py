"""The keys of `cluster=slurm`: what is refused before a job is written, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_slurm import RESOURCES

from raytune_nn.cluster.submit.slurm import check, planned_nodes
from raytune_nn.config.compose import conf_dir
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.config.submitters import SlurmConfig
from raytune_nn.errors import ConfigError

DEFAULTS: dict[str, Any] = yaml.safe_load((Path(conf_dir()) / "cluster" / "slurm.yaml").read_text())


def keys(**changed: Any) -> SlurmConfig:
    return SlurmConfig(**{**DEFAULTS, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"nodes": 400, "cpus_per_node": 128, "gpus_per_node": 8, "memory_per_node": 0.5},
        {"partition": "gpu,gpu-long", "account": "proj_1@site", "qos": "normal"},
        {"setup": ["module load cuda/12.4", "source ~/env/bin/activate # mine", 'export A="b c"']},
        {"sbatch": {"mail-type": "END", "gres": "gpu:a100:4", "nice": 10, "exclusive": None, "comment": "a b; c"}},
        {"temporary": "/local/scratch", "python": "/opt/my env/bin/python"},
        {"grace_seconds": 240.0, "signal_seconds": 300, "hours": 0.1},
    ],
)
def test_what_may_be_set(changed: dict[str, Any]) -> None:
    check(keys(**changed), RESOURCES)


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("nodes", 0, "cluster.nodes=1"),
        ("cpus_per_node", 0, "cluster.cpus_per_node=1"),
        ("gpus_per_node", -1, "cluster.gpus_per_node=0"),
        ("memory_per_node", 0.0, "cluster.memory_per_node=null"),
        ("memory_per_node", float("nan"), "cluster.memory_per_node=null"),
        ("hours", -1.0, "cluster.hours=24"),
        ("hours", float("inf"), "cluster.hours=24"),
        ("hours", 0.05, "cluster.hours=0.17"),
        ("start_seconds", 0, "cluster.start_seconds=1"),
        ("partition", "a b", "cluster.partition=null"),
        ("partition", "", "cluster.partition=null"),
        ("account", "--wrap=x", "cluster.account=null"),
        ("qos", "a\n#SBATCH --wrap=x", "cluster.qos=null"),
        ("signal_seconds", 60, "cluster.signal_seconds=300"),
        ("signal_seconds", 70000, "cluster.signal_seconds=300"),
        ("grace_seconds", 250.0, "cluster.signal_seconds=310"),
        ("grace_seconds", 70000.0, "cluster.grace_seconds=20"),
        ("sbatch", {"Constraint": "a100"}, "'+cluster.sbatch.constraint=a100'"),
        ("sbatch", {"c\n": 4}, "'+cluster.sbatch.constraint=a100'"),
        ("sbatch", {"nodes": 4}, "~cluster.sbatch.nodes"),
        ("sbatch", {"array": "0-9"}, "~cluster.sbatch.array"),
        ("sbatch", {"comment": "a\n#SBATCH --wrap=x"}, "cluster.sbatch.comment=null"),
        ("sbatch", {"comment": ["a"]}, "cluster.sbatch.comment=null"),
        ("setup", ["echo 'half"], "'cluster.setup=[module load cuda]'"),
        ("setup", ["cd /tmp \\"], "'cluster.setup=[module load cuda]'"),
        ("setup", ["cat <<END"], "'cluster.setup=[module load cuda]'"),
        ("setup", ["a\nb"], "'cluster.setup=[module load cuda]'"),
        ("setup", [""], "'cluster.setup=[module load cuda]'"),
        ("temporary", "tmp", "cluster.temporary=/tmp"),
        ("temporary", "/tmp/$USER", "cluster.temporary=/tmp"),
        ("temporary", "/local/scratch/of/everybody", "cluster.temporary=/tmp"),
        ("python", " ", "cluster.python=null"),
    ],
)
def test_what_is_refused(key: str, value: Any, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(keys(**{key: value}), RESOURCES)
    assert "cluster." in raised.value.rule
    assert raised.value.fix == fix
    mended, _, text = fix.removeprefix("cluster.").partition("=")
    if mended == key:
        check(keys(**{key: yaml.safe_load(text)}), RESOURCES)


@pytest.mark.parametrize(
    ("wanted", "fix"),
    [
        ({"gpus": 1}, "cluster.gpus_per_node=1"),
        ({"gpus": 0.25}, "cluster.gpus_per_node=1"),
        ({"cpus": 9}, "cluster.cpus_per_node=9"),
        ({"memory": 4}, "cluster.memory_per_node=4"),
    ],
)
def test_a_worker_must_fit_on_a_node(wanted: dict[str, Any], fix: str) -> None:
    resources = ResourcesConfig(**{**vars(RESOURCES), **wanted})
    with pytest.raises(ConfigError) as raised:
        check(keys(), resources)
    assert raised.value.fix == fix
    key, _, value = fix.removeprefix("cluster.").partition("=")
    check(keys(**{key: int(value)}), resources)


def test_each_node_of_the_job_is_a_ray_node() -> None:
    nodes = planned_nodes(keys(nodes=3, gpus_per_node=2, memory_per_node=16))
    assert [(node.cpus, node.gpus, node.memory) for node in nodes] == [(8, 2, 16)] * 3
