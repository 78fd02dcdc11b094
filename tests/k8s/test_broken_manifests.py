"""Deliberate breakages, each caught by the rule that is there for it."""

from __future__ import annotations

from typing import Any

import pytest
import rules
from manifests import Manifest, of_kind, one, overlay

GONE = object()
CLUSTER = "spec.rayClusterSpec"
HEAD = f"{CLUSTER}.headGroupSpec.template.spec"
WORKERS = f"{CLUSTER}.workerGroupSpecs.0"
WORKER = f"{WORKERS}.template.spec"
SUBMITTER = "spec.submitterPodTemplate.spec"

# rule: (kind and name, path, value)
BREAKAGES: list[tuple[str, str, str, Any]] = [
    ("kuberays_definition", "RayJob", "spec.backOffLimit", 3),
    ("kuberays_definition", "RayJob", f"{CLUSTER}.enableInTreeAutoscaling", "yes"),
    ("kuberays_definition", "RayJob", f"{CLUSTER}.autoscalerOptions.upscalingMode", "Fast"),
    ("kuberays_definition", "RayJob", "spec.preRunningDeadlineSeconds", 0),
    ("kuberays_definition", "RayJob", f"{WORKER}.containers.0.resources.limit", {"memory": "8Gi"}),
    ("kuberays_definition", "RayJob", "spec.managedBy", "somebody"),  # a rule in CEL
    ("kuberays_definition", "RayJob", "spec.deletionStrategy", {"onSuccess": {"policy": "DeleteSelf"}}),  # and another
    ("kubernetes_schemas", "RayJob", f"{WORKER}.containers.0.volumeMounts.0.mountpath", "/tmp"),
    ("kubernetes_schemas", "RayJob", f"{HEAD}.containers.0.ports.0.containerPort", "6379"),
    ("kubernetes_schemas", "Deployment", "spec.replica", 2),
    ("kubernetes_schemas", "NetworkPolicy deny-all", "spec.podSelector", GONE),
    ("submitted_by_a_job_of_kubernetes", "RayJob", "spec.submissionMode", "K8SJobMode"),
    ("submitted_by_a_job_of_kubernetes", "RayJob", "spec.submissionMode", "HTTPMode"),
    ("cluster_ends_with_the_job", "RayJob", "spec.shutdownAfterJobFinishes", GONE),
    ("has_deadlines", "RayJob", "spec.activeDeadlineSeconds", GONE),
    ("has_deadlines", "RayJob", "spec.preRunningDeadlineSeconds", GONE),
    ("retries_resume", "RayJob", "spec.backoffLimit", 0),
    ("retries_resume", "RayJob", "spec.entrypoint", "python -m raytune_nn +search=asha"),
    ("driver_joins_its_own_cluster", "RayJob", "spec.entrypoint", "python -m raytune_nn study.name=a cluster=existing"),
    ("studies_outlive_the_pods", "RayJob", f"{WORKER}.containers.0.volumeMounts.1.mountPath", "/elsewhere"),
    ("studies_outlive_the_pods", "RayJob", f"{HEAD}.volumes.1", {"name": "studies", "emptyDir": {}}),
    ("storage_is_shared", "PersistentVolumeClaim", "spec.accessModes", ["ReadWriteOnce"]),
    ("head_runs_no_trial", "RayJob", f"{CLUSTER}.headGroupSpec.rayStartParams.num-cpus", GONE),
    ("head_runs_no_trial", "RayJob", f"{HEAD}.containers.0.resources.limits.nvidia~com/gpu", "1"),
    ("asks_for_a_token", "RayJob", f"{CLUSTER}.authOptions", {}),
    ("asks_for_a_token", "RayJob", f"{CLUSTER}.authOptions.mode", "disabled"),
    ("asks_for_a_token", "RayJob", f"{CLUSTER}.rayVersion", "2.51.1"),
    ("autoscaler_is_the_second", "RayJob", f"{CLUSTER}.autoscalerOptions.version", "v1"),
    ("no_fault_tolerant_gcs", "RayJob", f"{CLUSTER}.gcsFaultToleranceOptions", {"redisAddress": "redis:6379"}),
    ("workers_can_exist", "RayJob", f"{WORKERS}.minReplicas", 5),
    ("workers_can_exist", "RayJob", f"{WORKERS}.minReplicas", 0),
    ("workers_can_exist", "RayJob", f"{CLUSTER}.enableInTreeAutoscaling", False),
    ("workers_can_exist", "RayJob", f"{WORKER}.containers", []),
    ("ray_knows_what_a_worker_has", "RayJob", f"{WORKERS}.rayStartParams.num-cpus", "8"),
    ("names_fit_kuberay", "RayJob", "metadata.name", "1st"),
    ("names_fit_kuberay", "RayJob", "metadata.name", "a" * 48),
    ("references_lead_somewhere", "RayJob", f"{WORKER}.volumes.1.persistentVolumeClaim.claimName", "studies"),
    ("references_lead_somewhere", "RayJob", f"{HEAD}.serviceAccountName", "head"),
    ("is_restricted", "RayJob", f"{WORKER}.securityContext.runAsNonRoot", GONE),
    ("is_restricted", "RayJob", f"{HEAD}.securityContext.seccompProfile.type", "Unconfined"),
    ("is_restricted", "RayJob", f"{SUBMITTER}.containers.0.securityContext.allowPrivilegeEscalation", True),
    ("is_restricted", "Deployment", "spec.template.spec.containers.0.securityContext.capabilities", GONE),
    ("is_restricted", "RayJob", f"{CLUSTER}.autoscalerOptions.securityContext", GONE),
    ("is_restricted", "RayJob", f"{WORKER}.hostNetwork", True),
    ("writes_to_volumes_only", "RayJob", f"{HEAD}.containers.0.securityContext.readOnlyRootFilesystem", False),
    ("writes_to_volumes_only", "RayJob", f"{WORKER}.containers.0.volumeMounts.0.mountPath", "/scratch"),
    ("has_no_token_for_kubernetes", "RayJob", f"{WORKER}.automountServiceAccountToken", GONE),
    ("has_no_token_for_kubernetes", "RayJob", f"{CLUSTER}.autoscalerOptions.volumeMounts.0", GONE),
    ("has_no_token_for_kubernetes", "RayJob", f"{HEAD}.containers.0.volumeMounts.0.name", "kubernetes-token"),
    ("has_no_token_for_kubernetes", "ServiceAccount raytune-nn-head", "automountServiceAccountToken", True),
    ("memory_is_what_it_asks_for", "RayJob", f"{WORKER}.containers.0.resources.requests.memory", "1Gi"),
    ("memory_is_what_it_asks_for", "RayJob", f"{CLUSTER}.autoscalerOptions.resources", GONE),
    ("image_is_a_version", "RayJob", f"{WORKER}.containers.0.image", "raytune-nn"),
    ("image_is_a_version", "RayJob", f"{SUBMITTER}.containers.0.image", "raytune-nn:0.2.0"),
    ("has_time_to_save", "RayJob", f"{HEAD}.terminationGracePeriodSeconds", 20),
    ("has_time_to_save", "RayJob", f"{WORKER}.containers.0.lifecycle", GONE),
    ("ends_once", "RayJob", f"{WORKER}.restartPolicy", "OnFailure"),
    ("keeps_no_secret", "RayJob", f"{HEAD}.containers.0.env.0", {"name": "RAY_AUTH_TOKEN", "value": "1234"}),
    ("denies_by_default", "NetworkPolicy deny-all", "spec.policyTypes", ["Ingress"]),
    ("denies_by_default", "NetworkPolicy deny-all", "spec.egress", [{}]),
    ("pods_are_known_to_policies", "RayJob", f"{WORKERS}.template.metadata", GONE),
    ("names_can_be_looked_up", "NetworkPolicy names", "spec.egress.0.ports.0.port", 5353),
    ("ray_can_talk", "NetworkPolicy ray", "spec.podSelector.matchExpressions.0.values", ["head"]),
    ("ray_can_talk", "NetworkPolicy ray", "spec.ingress.0.from", [{"podSelector": {}}]),
    ("job_reaches_the_dashboard", "NetworkPolicy dashboard", "spec.ingress.0.from.1.namespaceSelector", GONE),
    ("job_reaches_the_dashboard", "NetworkPolicy submitter", "spec.egress.0.ports.0.port", 8000),
    ("job_reaches_the_dashboard", "NetworkPolicy dashboard", "spec.ingress.0.from", [{"namespaceSelector": {}}]),
    ("autoscaler_reaches_kubernetes", "NetworkPolicy autoscaler", "spec.egress.0.ports.0.port", 80),
    ("tensorboard_can_be_seen", "Service", "spec.selector.app~kubernetes~io/component", "board"),
    ("tensorboard_can_be_seen", "Deployment", "spec.template.spec.containers.0.ports.0.containerPort", 6007),
    ("lives_in_its_namespace", "RayJob", "metadata.namespace", "default"),
    ("lives_in_its_namespace", "Namespace", "metadata.labels.pod-security~kubernetes~io/enforce", "baseline"),
]


@pytest.mark.parametrize(("rule", "which", "path", "value"), BREAKAGES, ids=[" ".join(each[:3]) for each in BREAKAGES])
def test_a_breakage_is_caught_by_its_rule(rule: str, which: str, path: str, value: Any) -> None:
    objects = overlay("rayjob")
    kind, _, name = which.partition(" ")
    change(one(objects, kind, name or None), path, value)
    named = next(each for each in rules.RULES if each.__name__ == rule)
    assert list(named(objects)), f"{rule} does not see it"


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, *_ in BREAKAGES} == {rule.__name__ for rule in rules.RULES}


def test_a_job_that_would_be_killed_while_it_saves_is_seen_without_ray_too() -> None:
    objects = overlay("single-node")
    change(one(objects, "Job"), "spec.template.spec.terminationGracePeriodSeconds", 25)
    assert set(rules.broken(objects)) == {"has_time_to_save"}
    assert of_kind(objects, "RayJob") == []


def change(manifest: Manifest, path: str, value: Any) -> None:
    """Sets or takes away what a dotted path leads to; ``~`` stands for a dot within a key."""
    *above, last = [part.replace("~", ".") for part in path.split(".")]
    there: Any = manifest
    for part in above:
        there = there[int(part)] if isinstance(there, list) else there[part]
    key = int(last) if isinstance(there, list) else last
    if value is GONE:
        del there[key]
    else:
        there[key] = value
