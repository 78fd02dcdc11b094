"""The command that runs inside a job."""

from __future__ import annotations

from raytune_nn.cluster.submit.submission import arguments_inside
from raytune_nn.config.schema import ClusterConfig

CLUSTER = ClusterConfig(
    cpus=16,
    gpus=None,
    address=None,
    report_every=0.25,
    grace_seconds=40,
    min_nodes=None,
    wait_minutes=10,
    max_slots=None,
)
HANDED_ON = (
    "cluster=existing",
    "cluster.cpus=16",
    "cluster.report_every=0.25",
    "cluster.grace_seconds=40",
    "cluster.wait_minutes=10",
)


def test_what_only_the_submitter_needs_is_replaced() -> None:
    overrides = ["+search=asha", "mode=submit", "cluster=slurm", "cluster.nodes=4", "+cluster.sbatch.nice=3"]
    more = ["cluster.cpus=16", "~cluster.sbatch.x", "study.name=first", "+model.cluster=2", "model.mode=x"]
    typed = [*overrides, "--config-dir", "cluster=mine", *more]
    inside = arguments_inside(typed, [*overrides, *more], None, CLUSTER)
    kept = ("+search=asha", "--config-dir", "cluster=mine", "study.name=first", "+model.cluster=2", "model.mode=x")
    assert inside == (*kept, *HANDED_ON), "of flags nothing is replaced"


def test_a_study_that_nobody_named_is_named_once() -> None:
    assert arguments_inside(["+search=asha"], ["+search=asha"], "2026_asha", CLUSTER) == (
        "+search=asha",
        "study.name=2026_asha",
        *HANDED_ON,
    )
