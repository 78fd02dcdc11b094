"""Our own rules for manifests: what neither KubeRay's definition nor the schemas of Kubernetes can say.

A rule is a function of all objects that yields what breaks it; the docstring says what it is for.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence

import crd
import kubernetes_schema
from manifests import Manifest, of_kind, pods
from network_rules import NETWORK_RULES
from pod_rules import POD_RULES

Problems = Iterator[str]
EXTERNAL = ("kube-root-ca.crt", "raytune-nn-s3")  # which Kubernetes has anyway, and which the user makes


def kuberays_definition(objects: list[Manifest]) -> Problems:
    """KubeRay's API server refuses the job otherwise, or drops a field in silence."""
    for job in of_kind(objects, "RayJob"):
        yield from crd.problems(job)


def kubernetes_schemas(objects: list[Manifest]) -> Problems:
    """Kubernetes refuses an object or a Pod otherwise."""
    yield from kubernetes_schema.problems(objects)


def submitted_by_a_job_of_kubernetes(objects: list[Manifest]) -> Problems:
    """The definition takes any text here; a sidecar or HTTP would not resume as the page promises."""
    for job in of_kind(objects, "RayJob"):
        if job["spec"].get("submissionMode") != "K8sJobMode":
            yield f"submissionMode is {job['spec'].get('submissionMode')}"


def cluster_ends_with_the_job(objects: list[Manifest]) -> Problems:
    """Nodes with GPUs cost money after the study as well."""
    for job in of_kind(objects, "RayJob"):
        if job["spec"].get("shutdownAfterJobFinishes") is not True:
            yield "shutdownAfterJobFinishes is not true"


def has_deadlines(objects: list[Manifest]) -> Problems:
    """A Pod that finds no node, and a driver that hangs, end some day."""
    for job in [*of_kind(objects, "RayJob"), *of_kind(objects, "Job")]:
        keys = ["activeDeadlineSeconds", *(["preRunningDeadlineSeconds"] if job["kind"] == "RayJob" else [])]
        yield from (f"{key} is missing" for key in keys if not job["spec"].get(key, 0) > 0)


def retries_resume(objects: list[Manifest]) -> Problems:
    """A lost head costs a retry; with a name that is fixed the next driver goes on with the same study."""
    for job, words in _drivers(objects):
        if not job["spec"].get("backoffLimit", 0) > 0:
            yield "backoffLimit is not above 0"
        if not any(re.fullmatch(r"study\.name=.+", word) for word in words):
            yield "the command has no study.name"
        if "study.resume=never" in words or any(word.startswith("mode=") for word in words):
            yield "the command does not resume"


def driver_joins_its_own_cluster(objects: list[Manifest]) -> Problems:
    """Without it the driver would start a private Ray on the head, beside the workers."""
    for job, words in _drivers(objects):
        if job["kind"] == "RayJob" and not {"cluster=existing", "cluster.address=auto"} <= set(words):
            yield "the command has not cluster=existing cluster.address=auto"


def studies_outlive_the_pods(objects: list[Manifest]) -> Problems:
    """What is not on a claim or in an object store is gone with the Pod."""
    for job, words in _drivers(objects):
        place = next((word.partition("=")[2] for word in words if word.startswith("study.storage=")), "")
        if "://" in place:
            continue
        for where, template in pods([job]):
            if not where.endswith("/submitter") and place not in _claims(template):
                yield f"{where} has no claim at study.storage={place}"


def storage_is_shared(objects: list[Manifest]) -> Problems:
    """Head, workers and TensorBoard are on different nodes."""
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        if of_kind(objects, "RayJob") and claim["spec"]["accessModes"] != ["ReadWriteMany"]:
            yield f"{claim['metadata']['name']} is {claim['spec']['accessModes']}"


def head_runs_no_trial(objects: list[Manifest]) -> Problems:
    """A trial that takes all memory would take the driver with it; a GPU there would never be used."""
    for job in of_kind(objects, "RayJob"):
        head = job["spec"]["rayClusterSpec"]["headGroupSpec"]
        if head.get("rayStartParams", {}).get("num-cpus") != "0":
            yield 'num-cpus of the head is not "0"'
        for container in head["template"]["spec"]["containers"]:
            if "nvidia.com/gpu" in str(container.get("resources")):
                yield "the head has a GPU"


def asks_for_a_token(objects: list[Manifest]) -> Problems:
    """Any client of a Ray cluster can run code there; empty options mean that there is no token."""
    for job in of_kind(objects, "RayJob"):
        cluster = job["spec"]["rayClusterSpec"]
        if cluster.get("authOptions") != {"mode": "token"}:
            yield f"authOptions is {cluster.get('authOptions')}"
        if tuple(map(int, cluster.get("rayVersion", "0.0").split(".")[:2])) < (2, 52):
            yield f"rayVersion is {cluster.get('rayVersion')}, and tokens came with 2.52"


def autoscaler_is_the_second(objects: list[Manifest]) -> Problems:
    """The first one is no longer maintained; without options KubeRay takes it."""
    for job in of_kind(objects, "RayJob"):
        cluster = job["spec"]["rayClusterSpec"]
        if cluster.get("enableInTreeAutoscaling") and cluster.get("autoscalerOptions", {}).get("version") != "v2":
            yield "autoscalerOptions.version is not v2"


def no_fault_tolerant_gcs(objects: list[Manifest]) -> Problems:
    """It does not save a driver; a retry on a new cluster does."""
    for job in of_kind(objects, "RayJob"):
        text = str(job["metadata"].get("annotations")) + str(job["spec"]["rayClusterSpec"])
        for word in ("gcsFaultToleranceOptions", "ray.io/ft-enabled", "RAY_REDIS_ADDRESS"):
            if word in text:
                yield word


def workers_can_exist(objects: list[Manifest]) -> Problems:
    """The definition takes min above max and groups without a container; the operator does not."""
    for job in of_kind(objects, "RayJob"):
        cluster = job["spec"]["rayClusterSpec"]
        for group in cluster["workerGroupSpecs"]:
            if not 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]:
                yield f"{group['groupName']}: not 1 <= minReplicas <= replicas <= maxReplicas"
            if group["maxReplicas"] > group["minReplicas"] and not cluster.get("enableInTreeAutoscaling"):
                yield f"{group['groupName']}: nobody scales it"
        yield from (f"{where}: no container" for where, pod in pods([job]) if not pod["spec"].get("containers"))


def ray_knows_what_a_worker_has(objects: list[Manifest]) -> Problems:
    """Ray counts what it is told: more than the Pod has, and trials would share it without knowing."""
    for job in of_kind(objects, "RayJob"):
        for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
            told = group.get("rayStartParams", {})
            for container in group["template"]["spec"]["containers"]:
                has = container["resources"]["requests"]
                for name, key in (("num-cpus", "cpu"), ("num-gpus", "nvidia.com/gpu")):
                    if float(told.get(name, -1)) != float(has.get(key, 0)):
                        yield f"{name}={told.get(name)}, and the Pod has {has.get(key, 0)}"


def names_fit_kuberay(objects: list[Manifest]) -> Problems:
    """KubeRay names Services and Pods after the job."""
    for job in of_kind(objects, "RayJob"):
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", job["metadata"]["name"]):
            yield job["metadata"]["name"]


def references_lead_somewhere(objects: list[Manifest]) -> Problems:
    """A Pod waits for ever for a claim or a ConfigMap that has another name."""
    there = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for where, template in pods(objects):
        for kind, name in _references(template["spec"]):
            if (kind, name) not in there and name not in EXTERNAL:
                yield f"{where}: no {kind} {name}"


def _drivers(objects: list[Manifest]) -> Iterator[tuple[Manifest, Sequence[str]]]:
    """Each job with the command line of its driver."""
    for job in of_kind(objects, "RayJob"):
        yield job, shlex.split(job["spec"].get("entrypoint", ""))
    for job in of_kind(objects, "Job"):
        yield job, job["spec"]["template"]["spec"]["containers"][0]["args"]


def _claims(template: Manifest) -> list[str]:
    """Where the first container has claims."""
    claims = [volume["name"] for volume in template["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    mounts = [mount for container in template["spec"]["containers"][:1] for mount in container["volumeMounts"]]
    return [mount["mountPath"] for mount in mounts if mount["name"] in claims and not mount.get("readOnly")]


def _references(spec: Manifest) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", ()):
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in spec["containers"]:
        for source in container.get("envFrom", ()):
            yield ("Secret", source["secretRef"]["name"]) if "secretRef" in source else ("ConfigMap", str(source))


RULES: Sequence[Callable[[list[Manifest]], Problems]] = (
    kuberays_definition,
    kubernetes_schemas,
    submitted_by_a_job_of_kubernetes,
    cluster_ends_with_the_job,
    has_deadlines,
    retries_resume,
    driver_joins_its_own_cluster,
    studies_outlive_the_pods,
    storage_is_shared,
    head_runs_no_trial,
    asks_for_a_token,
    autoscaler_is_the_second,
    no_fault_tolerant_gcs,
    workers_can_exist,
    ray_knows_what_a_worker_has,
    names_fit_kuberay,
    references_lead_somewhere,
    *POD_RULES,
    *NETWORK_RULES,
)


def broken(objects: list[Manifest]) -> dict[str, list[str]]:
    """Each rule that is broken, by name, with what breaks it."""
    found = {rule.__name__: list(rule(objects)) for rule in RULES}
    return {name: problems for name, problems in found.items() if problems}
