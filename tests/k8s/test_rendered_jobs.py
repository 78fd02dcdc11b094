"""What is rendered for all kinds of commands breaks no rule, together with k8s/base."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import rules
import yaml
from manifests import one, with_base
from rendering import render

SHORT = ("+search=asha", "mode=submit", "cluster=kuberay", "cluster.image=registry:5000/team/raytune-nn:0.1.0")
COMMANDS = {
    "defaults": "study.name=first",
    "a name that is no label": "study.name=2026-11-20_17-05-33_asha_mlp_digits",
    "scaled": "study.name=first cluster.min_workers=2 cluster.max_workers=16",
    "whole GPUs": "study.name=first resources.gpus=2 cluster.worker_gpus=8 cluster.worker_cpus=32",
    "half a GPU": "study.name=first resources.gpus=0.5 cluster.worker_gpus=1 cluster.worker_memory=12.5",
    "gangs": "study.name=first resources.workers=4 cluster.min_workers=4 cluster.max_workers=4",
    "a longer grace": "study.name=first cluster.grace_seconds=45.5",
    "no grace": "study.name=first cluster.grace_seconds=0",
    "in S3": "study.name=first study.storage=s3://b/studies cluster.claim=null cluster.secret=raytune-nn-s3",
    "a value of every character": """study.name=first '+model.note="it'\\''s 100% $HOME `id` \\\\ {a: [1, 2]}; #"'""",
    "on spot nodes": "study.name=first '+cluster.node_selector={cloud.google.com/gke-spot: \"true\"}' "
    "'+cluster.tolerations={spot: {key: cloud.google.com/gke-spot, operator: Exists, effect: NoSchedule}}'",
    "a digest": f"study.name=first cluster.image=raytune-nn:0.1.0@sha256:{'a' * 64}",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("typed", COMMANDS.values(), ids=COMMANDS)
def test_it_breaks_no_rule(tmp_path: Path, typed: str) -> None:
    objects = with_base(tmp_path, render(*SHORT, *shlex.split(typed)))
    found = rules.broken(objects)
    if "sha256" in typed:
        assert set(found) == {"image_is_a_version"}, "TensorBoard's is k8s/base's own"
        return
    allowed = {"image_is_a_version": ["several: raytune-nn:0.1.0, registry:5000/team/raytune-nn:0.1.0"]}
    assert {name: found[name] for name in found if found[name] != allowed.get(name)} == {}


def test_a_config_dir_goes_along(here: Path, tmp_path: Path) -> None:
    conf = here / "my_conf/model"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text("_target_: mine.Mine\nwidth: 3\n")
    (conf / "notes.txt").write_text("not for Hydra")
    into = tmp_path / "built"
    into.mkdir()
    objects = with_base(into, render(*SHORT, "study.name=first", "--config-dir", "my_conf", "model=mine"))
    assert set(rules.broken(objects)) <= {"image_is_a_version"}
    shipped = one(objects, "ConfigMap", "first")["data"]
    head = one(objects, "RayJob")["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (volume,) = [each["configMap"] for each in head["volumes"] if "configMap" in each]
    assert {item["path"]: shipped[item["key"]] for item in volume["items"]} == {
        "model/mine.yaml": "_target_: mine.Mine\nwidth: 3\n"
    }
    (mount,) = [each["mountPath"] for each in head["containers"][0]["volumeMounts"] if each["name"] == "conf"]
    words = shlex.split(one(objects, "RayJob")["spec"]["entrypoint"])
    assert words[words.index("--config-dir") + 1] == mount


@pytest.mark.usefixtures("here")
def test_workers_have_what_was_asked_for() -> None:
    amounts = ("cluster.worker_gpus=2", "cluster.worker_cpus=6", "cluster.worker_memory=24.5", "cluster.min_workers=3")
    (job,) = yaml.safe_load_all(render(*SHORT, "study.name=first", "cluster.max_workers=7", *amounts))
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (3, 7)
    container = group["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "6", "memory": "25088Mi", "nvidia.com/gpu": "2"}
    assert container["resources"]["limits"] == {"memory": "25088Mi", "nvidia.com/gpu": "2"}
