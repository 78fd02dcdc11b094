"""What the pages and the Dockerfile tell a reader to type fits together."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import rules
import yaml
from manifests import K8S, one, overlay, pods, with_base
from rendering import printed, render

from raytune_nn import __version__

PAGE = (K8S / "README.md").read_text()
DOCKERFILE = (K8S / "Dockerfile").read_text()
COMMANDS = [line for line in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0].splitlines() if line]


def test_ten_commands_lead_to_a_running_job() -> None:
    assert len(COMMANDS) == 10
    programs = [shlex.split(line)[0] for line in COMMANDS]
    assert programs == [
        "kind",
        "helm",
        "docker",
        "kind",
        "docker",
        *["kubectl"] * 2,
        ".venv/bin/python",
        *["kubectl"] * 2,
    ]


@pytest.mark.usefixtures("here")
def test_the_command_among_them_renders_a_job_that_breaks_no_rule(tmp_path: Path) -> None:
    (typed,) = [shlex.split(line)[3:] for line in COMMANDS if "raytune_nn" in line]
    into = tmp_path / "built"
    into.mkdir()
    assert rules.broken(with_base(into, printed(*typed))) == {}


def test_files_that_are_named_are_there() -> None:
    named = [word for line in COMMANDS for word in shlex.split(line) if word.startswith("k8s/")]
    assert named
    for path in (*named, *re.findall(r"\]\((\.\./[^)#]+)\)", PAGE)):
        assert (K8S.parent / path if path.startswith("k8s/") else K8S / path).exists(), path


def test_the_folder_of_kind_becomes_the_claims_volume() -> None:
    volume = yaml.safe_load((K8S / "kind-volume.yaml").read_text())["spec"]
    claim = one(overlay("rayjob"), "PersistentVolumeClaim")
    assert volume["claimRef"] == {key: claim["metadata"][key] for key in ("name", "namespace")}
    assert volume["accessModes"] == claim["spec"]["accessModes"]
    assert volume["capacity"] == claim["spec"]["resources"]["requests"]
    (made,) = [shlex.split(line)[-1] for line in COMMANDS if "install -d" in line]
    assert volume["hostPath"]["path"] == made


def test_the_image_is_this_version_and_its_parts_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases)
    assert "--constraint requirements.lock" in DOCKERFILE
    images = {each["image"] for _, template in pods(overlay("rayjob")) for each in template["spec"]["containers"]}
    assert images == {f"raytune-nn:{__version__}"}
    assert all(f"raytune-nn:{__version__}" in text for text in (PAGE, DOCKERFILE))


def test_the_image_runs_as_the_user_of_the_pods_behind_tini() -> None:
    users = {template["spec"]["securityContext"]["runAsUser"] for _, template in pods(overlay("rayjob"))}
    assert re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE) == [str(*users)]
    assert re.search(r'^ENTRYPOINT \["tini",', DOCKERFILE, re.MULTILINE)


def test_what_is_copied_into_the_image_is_not_ignored() -> None:
    kept = re.findall(r"^!(\S+)$", (K8S / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)]
    assert sorted(path for paths in copied for path in paths) == sorted(kept)
    assert all((K8S.parent / path).exists() for path in kept)


def test_the_option_of_your_own_renders(here: Path, tmp_path: Path) -> None:
    page = (K8S.parent / "conf/README.md").read_text()
    (option,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "[kuberay]" in block]
    (here / "my_conf/cluster").mkdir(parents=True)
    (here / "my_conf/cluster/ours.yaml").write_text(option)
    into = tmp_path / "built"
    into.mkdir()
    typed = ("--config-dir", "my_conf", "cluster=ours", "mode=submit", "+search=asha", "study.name=first")
    objects = with_base(into, render(*typed, "resources.gpus=1"))
    assert set(rules.broken(objects)) == {"image_is_a_version"}, "TensorBoard's is k8s/base's own"
    (group,) = one(objects, "RayJob")["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["template"]["spec"]["tolerations"][0]["operator"] == "Exists"
