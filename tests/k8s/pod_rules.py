"""Our own rules for every Pod: what it may do, what it writes to, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from manifests import Manifest, of_kind, pods

Problems = Iterator[str]
GRACE, CLOSE = 20, 10  # seconds: cluster.grace_seconds unless it is given, and for the driver's end beyond it
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def _containers(objects: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    for where, template in pods(objects):
        spec = template["spec"]
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            yield f"{where}/{container.get('name')}", spec, container


def is_restricted(objects: list[Manifest]) -> Problems:
    """The namespace refuses any other Pod; a trial is somebody's code, and has no business with the node."""
    for where, template in pods(objects):
        spec = template["spec"]
        security = spec.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser", 0) > 0:
            yield f"{where}: may run as root"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{where}: no seccomp profile"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")) or "hostPath" in str(spec):
            yield f"{where}: uses what is the node's"
    for where, _, container in _containers(objects):
        security = container.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
            yield f"{where}: may gain privileges"
        if security.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{where}: keeps capabilities"


def writes_to_volumes_only(objects: list[Manifest]) -> Problems:
    """A program that is broken into cannot change itself; Ray and torch need /tmp."""
    for where, spec, container in _containers(objects):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{where}: its root can be written to"
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}
        if "emptyDir" not in volumes.get(mounts.get("/tmp", ""), {}):
            yield f"{where}: no /tmp of its own"
        yield from (f"{where}: no volume {name}" for name in mounts.values() if name not in volumes)


def has_no_token_for_kubernetes(objects: list[Manifest]) -> Problems:
    """Code of a trial must not act as the autoscaler, which alone talks to Kubernetes."""
    for where, template in pods(objects):
        spec = template["spec"]
        if spec.get("automountServiceAccountToken") is not False or "serviceAccountName" not in spec:
            yield f"{where}: is handed its account's token"
        tokens = {volume["name"] for volume in spec.get("volumes", ()) if "serviceAccountToken" in str(volume)}
        for container in spec["containers"]:
            mounts = container.get("volumeMounts", ())
            has = any(mount["name"] in tokens or mount["mountPath"].startswith(TOKEN) for mount in mounts)
            if has != (container.get("name") == "autoscaler"):
                yield f"{where}/{container.get('name')}: {'has a token' if has else 'needs a token'}"
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount/{account['metadata']['name']} hands out its token"


def memory_is_what_it_asks_for(objects: list[Manifest]) -> Problems:
    """A Pod that uses more than it asked for is killed when its node is full, in the middle of a trial."""
    for where, _, container in _containers(objects):
        asked, most = (container.get("resources", {}).get(key, {}) for key in ("requests", "limits"))
        if "memory" not in most or asked.get("memory") != most["memory"] or "cpu" not in asked:
            yield f"{where}: {asked} of {most}"


def image_is_a_version(objects: list[Manifest]) -> Problems:
    """A retry runs the same program, and head and workers the same Ray."""
    images = {container.get("image", "") for _, _, container in _containers(objects)}
    if len(images) > 1:
        yield f"several: {', '.join(sorted(images))}"
    yield from (image for image in images if not re.search(r":[\w.-]+$", image) or image.endswith(":latest"))


def has_time_to_save(objects: list[Manifest]) -> Problems:
    """Kubernetes kills a Pod after this time; the driver and the workers with its trials need all of it."""
    for job in [*of_kind(objects, "RayJob"), *of_kind(objects, "Job")]:
        found = re.search(r"cluster\.grace_seconds=([\d.]+)", str(job["spec"]))
        needed = float(found[1]) if found else GRACE
        for where, template in pods([job]):
            if where.endswith("/submitter"):
                continue
            if not template["spec"].get("terminationGracePeriodSeconds", 30) >= needed + CLOSE:
                yield f"{where}: less than {needed:g} + {CLOSE} seconds"
            hook = str(template["spec"]["containers"][0].get("lifecycle", {}).get("preStop"))
            if job["kind"] == "RayJob" and not re.search(r"kill -TERM|sleep \d", hook):
                yield f"{where}: nobody tells the driver, or waits for it"


def ends_once(objects: list[Manifest]) -> Problems:
    """The autoscaler and the retries begin Pods anew; one that restarts in place would lose its Ray."""
    for job in [*of_kind(objects, "RayJob"), *of_kind(objects, "Job")]:
        for where, template in pods([job]):
            if template["spec"].get("restartPolicy") != "Never":
                yield where


def keeps_no_secret(objects: list[Manifest]) -> Problems:
    """Manifests are read by many, and kept in git."""
    for where, _, container in _containers(objects):
        for variable in container.get("env", ()):
            if re.search("TOKEN|SECRET|PASSWORD|_KEY", variable["name"]) and "value" in variable:
                yield f"{where}: {variable['name']}"
    yield from (f"Secret/{each['metadata']['name']}" for each in of_kind(objects, "Secret"))


POD_RULES: Sequence[Callable[[list[Manifest]], Problems]] = (
    is_restricted,
    writes_to_volumes_only,
    has_no_token_for_kubernetes,
    memory_is_what_it_asks_for,
    image_is_a_version,
    has_time_to_save,
    ends_once,
    keeps_no_secret,
)
