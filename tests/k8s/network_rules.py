"""Our own rules for who may talk to whom, asked of the NetworkPolicies as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from manifests import Manifest, of_kind, one, pods

Problems = Iterator[str]
OPERATOR = {"app.kubernetes.io/name": "kuberay-operator"}
PART, COMPONENT = "app.kubernetes.io/part-of", "app.kubernetes.io/component"


def denies_by_default(objects: list[Manifest]) -> Problems:
    """A Pod that no policy names would be open to all."""
    closed = [
        policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["spec"]["podSelector"] == {} and not {"ingress", "egress"} & set(policy["spec"])
    ]
    if not any(set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in closed):
        yield "no policy denies all"


def pods_are_known_to_policies(objects: list[Manifest]) -> Problems:
    """Policies and Services find Pods by these labels."""
    for where, template in pods(objects):
        labels = template.get("metadata", {}).get("labels", {})
        if labels.get(PART) != "raytune-nn" or COMPONENT not in labels:
            yield f"{where}: {labels}"


def names_can_be_looked_up(objects: list[Manifest]) -> Problems:
    """Workers find the head by its name."""
    dns = {"k8s-app": "kube-dns"}
    for where, labels in _labels(objects):
        yield from (f"{where}: {kind}" for kind in ("UDP", "TCP") if not _lets_out(objects, labels, dns, 53, kind))


def ray_can_talk(objects: list[Manifest]) -> Problems:
    """Head and workers use any port among themselves, and nobody else uses the head's."""
    there = dict(_labels(objects))
    ray = {where: labels for where, labels in there.items() if labels.get(COMPONENT) in ("head", "worker")}
    for one_end, labels in ray.items():
        for other, others in ray.items():
            if not (_lets_in(objects, labels, others, 6379) and _lets_out(objects, others, labels, 6379)):
                yield f"{other} cannot reach {one_end}"
        yield from (f"{where} can reach {one_end}" for where, of in there.items() if where not in ray
                    if _lets_in(objects, labels, of, 6379))  # fmt: skip


def job_reaches_the_dashboard(objects: list[Manifest]) -> Problems:
    """The submitter hands the job in there, and the operator, in another namespace, asks how it is; nobody else."""
    heads = [labels for _, labels in _labels(objects) if labels.get(COMPONENT) == "head"]
    for head in heads:
        submitter = head | {COMPONENT: "submitter"}
        if not (_lets_in(objects, head, submitter, 8265) and _lets_out(objects, submitter, head, 8265)):
            yield "the submitter does not"
        if not _lets_in(objects, head, OPERATOR, 8265, same=False):
            yield "the operator does not"
        if _lets_in(objects, head, {"app": "anything"}, 8265) or _lets_in(objects, head, head, 8265, same=False):
            yield "anybody does"


def autoscaler_reaches_kubernetes(objects: list[Manifest]) -> Problems:
    """It asks for workers there."""
    for job in of_kind(objects, "RayJob"):
        if job["spec"]["rayClusterSpec"].get("enableInTreeAutoscaling"):
            head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["metadata"]["labels"]
            yield from (f"port {port}" for port in (443, 6443) if not _lets_out(objects, head, None, port))


def tensorboard_can_be_seen(objects: list[Manifest]) -> Problems:
    """The Service leads to its Pods, at a port that they have and that is open."""
    service, deployment = one(objects, "Service")["spec"], one(objects, "Deployment")["spec"]["template"]
    labels = deployment["metadata"]["labels"]
    named = {port["name"]: port["containerPort"] for port in deployment["spec"]["containers"][0]["ports"]}
    if not service["selector"].items() <= labels.items():
        yield "the Service selects others"
    for port in service["ports"]:
        number = named.get(port["targetPort"])
        if number is None or not _lets_in(objects, labels, {"app": "anything"}, number):
            yield f"port {port['targetPort']}"
        if f"--port={number}" not in deployment["spec"]["containers"][0]["command"]:
            yield f"TensorBoard is not told {number}"


def lives_in_its_namespace(objects: list[Manifest]) -> Problems:
    """There Kubernetes enforces what these rules say of Pods."""
    space = one(objects, "Namespace")["metadata"]
    if space["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "it takes any Pod"
    for each in objects:
        if each["kind"] != "Namespace" and each["metadata"].get("namespace") != space["name"]:
            yield f"{each['kind']}/{each['metadata']['name']}"


def _labels(objects: list[Manifest]) -> Iterator[tuple[str, dict[str, str]]]:
    for where, template in pods(objects):
        yield where, template.get("metadata", {}).get("labels", {})


def _lets_in(objects: list[Manifest], to: dict[str, str], of: dict[str, str], port: int, same: bool = True) -> bool:
    return _allows(objects, "ingress", "from", to, of, port, "TCP", same)


def _lets_out(
    objects: list[Manifest], of: dict[str, str], to: dict[str, str] | None, port: int, protocol: str = "TCP"
) -> bool:
    """To Pods of these labels; None: to any address outside."""
    return _allows(objects, "egress", "to", of, to, port, protocol, same=to is None or "k8s-app" not in to)


def _allows(
    objects: list[Manifest],
    way: str,
    ends: str,
    labels: dict[str, str],
    other: dict[str, str] | None,
    port: int,
    protocol: str,
    same: bool,
) -> bool:
    """Whether some policy for Pods of these labels allows it; ``same``: both are in one namespace."""
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        if not _selects(spec["podSelector"], labels):
            continue
        for rule in spec.get(way, ()):
            listed = [(each["port"], each["protocol"]) for each in rule.get("ports", ())]
            is_open = (port, protocol) in listed or "ports" not in rule
            if is_open and any(_is_end(end, other, same) for end in rule[ends]):
                return True
    return False


def _is_end(end: dict[str, Any], other: dict[str, str] | None, same: bool) -> bool:
    if other is None:
        return "ipBlock" in end
    if "ipBlock" in end or (not same and "namespaceSelector" not in end):
        return False
    return _selects(end.get("podSelector", {}), other)


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for each in selector.get("matchExpressions", ()):
        if each["operator"] != "In" or labels.get(each["key"]) not in each["values"]:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


NETWORK_RULES: Sequence[Callable[[list[Manifest]], Problems]] = (
    denies_by_default,
    pods_are_known_to_policies,
    names_can_be_looked_up,
    ray_can_talk,
    job_reaches_the_dashboard,
    autoscaler_reaches_kubernetes,
    tensorboard_can_be_seen,
    lives_in_its_namespace,
)
