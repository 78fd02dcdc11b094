"""The keys of cluster=kuberay: what breaks a rule is refused with the value and the mend."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import inside, refused

from raytune_nn.config.compose import Composed
from raytune_nn.modes.capacity import find_capacity

SHORT = ("+search=asha", "mode=submit", "cluster=kuberay", "cluster.image=raytune-nn:0.1.0")
SPOT = "cloud.google.com/gke-spot"
REFUSED = {
    "cluster.image=team/raytune-nn": ("with a tag", "team/raytune-nn", "cluster.image=team/raytune-nn:0.1.0"),
    "cluster.image=host:5000/raytune-nn": ("with a tag", "host:5000/raytune-nn", "host:5000/raytune-nn:0.1.0"),
    "cluster.image='a b:1'": ("with a tag", "a b:1", "cluster.image="),
    "cluster.image=raytune-nn:latest": ("must be a version", "raytune-nn:latest", "cluster.image=raytune-nn:0.1.0"),
    "cluster.image=???": ("must have a value", "???", "cluster.image="),
    "cluster.namespace=My_Team": ("must be a DNS label", "My_Team", "cluster.namespace=my-team"),
    f"cluster.namespace={'a' * 64}": ("63 characters at most", "a" * 64, f"cluster.namespace={'a' * 63}"),
    "cluster.claim=Studies_1": ("name of an object", "Studies_1", "cluster.claim=studies-1"),
    "cluster.secret=-x-": ("name of an object", "-x-", "cluster.secret=x"),
    "cluster.min_workers=0": ("at least 1", "0", "cluster.min_workers=1"),
    "cluster.min_workers=3": ("max_workers must be", "min_workers=3, cluster.max_workers=1", "cluster.max_workers=3"),
    "cluster.worker_cpus=0": ("at least 1", "0", "cluster.worker_cpus=1"),
    "cluster.worker_gpus=-1": ("at least 0", "-1", "cluster.worker_gpus=0"),
    "cluster.worker_memory=nan": ("at least 2", "nan", "cluster.worker_memory=2"),
    "cluster.head_memory=0.5": ("at least 2", "0.5", "cluster.head_memory=2"),
    "cluster.head_cpus=0": ("greater than 0", "0", "cluster.head_cpus=2"),
    "cluster.retries=0": ("at least 1", "0", "cluster.retries=1"),
    "cluster.start_minutes=0": ("greater than 0", "0", "cluster.start_minutes=30"),
    "cluster.max_hours=-1": ("greater than 0", "-1", "cluster.max_hours=168"),
    "+cluster.node_selector={a_: b}": ("labels of nodes", "a_: b", "+cluster.node_selector={"),
    f"+cluster.node_selector={{{SPOT}: '$x'}}": ("labels of nodes", f"{SPOT}: $x", "+cluster.node_selector={"),
    f"cluster.node_selector={{{SPOT}: x}}": ("added by a +", "cluster.node_selector={", "'+cluster.node_selector={"),
    "cluster.tolerations={spot: {key: x}}": ("added by a +", "cluster.tolerations={", "'+cluster.tolerations={"),
    "+cluster.tolerations={spot: {efect: NoSchedule}}": (
        "has the keys",
        "spot.efect",
        "~cluster.tolerations.spot.efect",
    ),
    "+cluster.tolerations={spot: {effect: Never}}": ("one of NoSchedule", "Never", "spot.effect=NoSchedule"),
    "+cluster.tolerations={spot: {value: true}}": ("must be text", "True", 'cluster.tolerations.spot.value="true"'),
    "cluster.workers=2": ("must be a key", "cluster.workers=2", "cluster.worker_"),
    "resources.cpus=8": ("must fit on one node", "8 CPUs", "resources.cpus=4"),
    "resources.gpus=1": ("must fit on one node", "1 GPUs", "resources.gpus=0"),
    "resources.memory=16": ("must fit on one node", "16 GiB", "resources.memory=8"),
    "resources.workers=5": ("all workers of a trial must fit", "4 of them fit", "resources.workers=4"),
    "mode=run": ("mode=submit", "cluster.submitter=kuberay", "mode=submit"),
    "cluster.address=auto": ("a cluster of its own", "auto", "cluster.address=null"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("typed", REFUSED)
def test_what_breaks_a_rule_is_refused(typed: str) -> None:
    rule, found, fix = REFUSED[typed]
    ran = refused(*SHORT, typed, task=_capacity)
    assert rule in ran.rule
    assert found in ran.found or found in ran.rule
    assert fix in ran.fix


@pytest.mark.usefixtures("here")
def test_what_a_worker_lacks_is_said_with_what_it_has() -> None:
    found = refused(*SHORT, "resources.gpus=2", "cluster.worker_gpus=1", task=_capacity).found
    assert found == "1 CPUs, 2 GPUs; the largest node, a worker Pod (cluster.worker_…), has 4 CPUs, 1 GPUs, 8.0 GiB"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "image", ["a:1", "registry:5000/team/a:v1.2-cuda", f"a@sha256:{'0' * 64}", f"a:1@sha256:{'0' * 64}"]
)
def test_an_image_that_is_a_version_is_taken(image: str) -> None:
    inside(_capacity, *SHORT, f"cluster.image={image}")


@pytest.mark.usefixtures("here")
def test_slots_are_those_of_all_workers() -> None:
    sizes = ("cluster.worker_cpus=8", "cluster.worker_gpus=2", "cluster.max_workers=3")
    assert inside(_capacity, *SHORT, *sizes, "resources.gpus=0.5")[1].slots == 12
    assert inside(_capacity, *SHORT, *sizes, "resources.cpus=3")[1].slots == 6


def _capacity(composed: Composed) -> Any:
    return find_capacity(composed.settings)
