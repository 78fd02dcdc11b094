"""The overlays build, break no rule, and are what the command renders."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
import rules
import yaml
from manifests import K8S, OVERLAYS, build, of_kind, one, overlay, pods
from pyarrow import fs
from rendering import printed, render

from raytune_nn.store.bucket import Bucket

IMAGE = "cluster.image=raytune-nn:0.1.0"
FIRST = ("+search=asha", "mode=submit", "cluster=kuberay", IMAGE, "study.name=first", "cluster.max_workers=4")
S3 = ("study.storage=s3://bucket/studies", "cluster.claim=null", "cluster.secret=raytune-nn-s3")


def test_each_overlay_is_listed() -> None:
    assert sorted(path.name for path in (K8S / "overlays").iterdir()) == sorted(OVERLAYS)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_breaks_no_rule(name: str) -> None:
    assert rules.broken(overlay(name)) == {}


def test_each_rule_says_what_it_is_for() -> None:
    assert all((rule.__doc__ or "").endswith(".") for rule in rules.RULES)
    assert len({rule.__name__ for rule in rules.RULES}) == len(rules.RULES)


@pytest.mark.usefixtures("here")
def test_the_study_of_the_overlay_is_what_the_command_prints() -> None:
    assert (K8S / "overlays/rayjob/rayjob.yaml").read_text() == printed(*FIRST)
    assert not os.listdir(), "a dry run leaves nothing"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("typed", "growth"),
    [
        (("cluster.min_workers=2", "cluster.max_workers=2"), ["cluster.min_nodes=2"]),
        (("cluster.max_workers=3", "resources.cpus=2"), ["cluster.min_nodes=1", "cluster.max_slots=6"]),
        (("cluster.max_workers=3", "cluster.max_slots=5"), ["cluster.max_slots=5", "cluster.min_nodes=1"]),
        (("cluster.max_workers=3", "cluster.cpus=8"), ["cluster.min_nodes=1", "cluster.max_slots=8"]),
        (("cluster.max_workers=3", "cluster.min_nodes=3"), ["cluster.min_nodes=3", "cluster.max_slots=12"]),
    ],
)
def test_the_study_grows_and_shrinks_with_the_pods(typed: tuple[str, ...], growth: list[str]) -> None:
    job = next(each for each in yaml.safe_load_all(render(*FIRST[:-1], *typed)) if each["kind"] == "RayJob")
    words = job["spec"]["entrypoint"].split()
    assert [word for word in words if word.startswith(("cluster.min_nodes", "cluster.max_slots"))] == growth


@pytest.mark.usefixtures("here")
def test_the_study_in_s3_is_what_is_rendered() -> None:
    assert (K8S / "overlays/s3/rayjob.yaml").read_text() == printed(*FIRST, *S3)


def test_what_a_prefix_renames_is_found_under_its_new_name(tmp_path: Path) -> None:
    for name in ("rayjob", "s3"):
        objects = _above(tmp_path / name, name, "namePrefix: mine-")
        assert one(objects, "RayJob")["metadata"]["name"] == "mine-first"
        assert list(rules.references_lead_somewhere(objects)) == []


def test_without_our_references_a_prefix_leads_nowhere(tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    base = tmp_path / "k8s/base/kustomization.yaml"
    base.write_text(base.read_text().partition("configurations:")[0])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kustomization.yaml").write_text("resources: [../k8s/overlays/rayjob]\nnamePrefix: mine-\n")
    found = "\n".join(rules.references_lead_somewhere(build(tmp_path / "mine")))
    assert "no PersistentVolumeClaim raytune-nn-studies" in found
    assert "no ServiceAccount raytune-nn-head" in found


def test_one_line_changes_the_image_of_all_pods(tmp_path: Path) -> None:
    line = "images: [{name: raytune-nn, newName: registry.example/tuner, newTag: '2.0'}]"
    for name in OVERLAYS:
        objects = _above(tmp_path / name, name, line)
        images = {each["image"] for _, template in pods(objects) for each in template["spec"]["containers"]}
        assert images == {"registry.example/tuner:2.0"}


def test_single_node_needs_no_kuberay() -> None:
    assert {each["apiVersion"] for each in overlay("single-node")} == {
        "v1",
        "apps/v1",
        "batch/v1",
        "networking.k8s.io/v1",
    }
    assert one(overlay("single-node"), "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_on_spot_nodes_the_driver_is_on_another_one() -> None:
    cluster = one(overlay("spot"), "RayJob")["spec"]["rayClusterSpec"]
    label = {"cloud.google.com/gke-spot": "true"}
    assert [group["template"]["spec"]["nodeSelector"] for group in cluster["workerGroupSpecs"]] == [label]
    head = cluster["headGroupSpec"]["template"]["spec"]
    (term,) = head["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": next(iter(label)), "operator": "DoesNotExist"}]
    assert "nodeSelector" not in head


def test_in_s3_nothing_waits_for_a_claim() -> None:
    assert of_kind(overlay("s3"), "PersistentVolumeClaim") == []
    assert "persistentVolumeClaim" not in str(overlay("s3"))


def test_tensorboards_copy_has_new_and_grown_files_of_the_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("mirror", K8S / "overlays/s3/mirror.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(Bucket, "filesystem", lambda bucket: fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))
    there, here = tmp_path / "bucket" / "there", tmp_path / "here"
    for path in ("first/tb/0/events", "first/checkpoints/0/model.ckpt", "first/tb/1/events"):
        (there / path).parent.mkdir(parents=True)
        (there / path).write_text(path)
    assert module.mirror("s3://bucket/there", here) == 2
    assert module.mirror("s3://bucket/there", here) == 0, "nothing has changed"
    with (there / "first/tb/1/events").open("a") as file:
        file.write("more")
    assert module.mirror("s3://bucket/there", here) == 1
    assert (here / "first/tb/1/events").read_text() == "first/tb/1/eventsmore"
    assert sorted(path.name for path in here.rglob("*") if path.is_file()) == ["events", "events"]


def _above(folder: Path, name: str, line: str) -> list[dict[str, object]]:
    """A reader's own overlay on one of ours, with one line."""
    folder.mkdir()
    ours = os.path.relpath(K8S / "overlays" / name, folder.resolve())
    (folder / "kustomization.yaml").write_text(f"resources: [{ours}]\n{line}\n")
    return build(folder)
