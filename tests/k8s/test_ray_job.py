"""A job as KubeRay runs it, with a real Ray and without Kubernetes: submitted, told to end, and tried again.

Head, worker and driver are the processes of one namespace, as those of a Pod are; nothing of it is left.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from manifests import one, with_base
from processes import REPOSITORY, events
from rendering import render

from raytune_nn.cluster.submit.kuberay_pods import END_DRIVER

TYPED = (
    *("+search=random", "mode=submit", "cluster=kuberay", "cluster.image=raytune-nn:0.1.0", "study.name=first"),
    *("budget.num_trials=2", "budget.max_epochs=400", "search_space.model.net.width.options=[256]"),
)
POD = """
set -e
ray start --head --num-cpus=0 --node-ip-address=127.0.0.1 --port=$GCS --dashboard-host=127.0.0.1 \
    --dashboard-port=$PORT --temp-dir=$TEMPORARY --object-store-memory=100000000
ray start --address=127.0.0.1:$GCS --node-ip-address=127.0.0.1 --num-cpus=1 --object-store-memory=100000000
submit() {
    eval "ray job submit --address http://127.0.0.1:$PORT --submission-id $1 --no-wait -- $ENTRYPOINT"
}
submit one
until grep -qs '"reported"' $STUDIES/first/journal/*; do sleep 0.2; done
bash -c "$HOOK"
until ray job status --address http://127.0.0.1:$PORT one | grep -q failed; do sleep 0.5; done
python -c "$ASK" > $TEMPORARY/said
cp -r $STUDIES/first $STUDIES/../interrupted
submit two
until grep -qs '"ended"' $STUDIES/first/journal/*; do sleep 0.5; done
bash -c "$HOOK"
"""
ASK = """
import os, ray.job_submission as jobs
print(jobs.JobSubmissionClient("http://127.0.0.1:" + os.environ["PORT"]).get_job_info("one").message)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_driver_that_is_told_to_end_saves_and_the_next_one_resumes(tmp_path: Path) -> None:
    studies, into = tmp_path / "studies", tmp_path / "built"
    into.mkdir()
    job = one(with_base(into, render(*TYPED)), "RayJob")
    entrypoint = job["spec"]["entrypoint"].replace("/studies", str(studies)).replace("python", sys.executable, 1)
    with tempfile.TemporaryDirectory(prefix="rtn-") as temporary:
        known = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
            "GCS": str(free_port()),
            "PORT": str(free_port()),
            "TEMPORARY": temporary,
            "STUDIES": str(studies),
            "ENTRYPOINT": entrypoint,
            "ASK": ASK,
            "HOOK": END_DRIVER.replace("ray stop", "true"),  # the next attempt has this cluster too
        }
        ran = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", POD],
            env=known,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        said = Path(temporary, "said").read_text() if ran.returncode == 0 else ""
    if "Operation not permitted" in ran.stderr:
        pytest.skip(f"needs the permission to make a namespace (CAP_SYS_ADMIN): {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "exit code 75" in said, "by which mode=submit knows how the driver ended"
    summary = json.loads((tmp_path / "interrupted/summary.json").read_text())
    assert summary["status"] == "interrupted"
    reported = [(event["trial"], event["epoch"]) for event in events(studies / "first") if event["type"] == "reported"]
    assert len(reported) == len(set(reported)), "no epoch is trained twice"
    assert summary["counts"]["epochs"] > 0


def free_port() -> int:
    """Of loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
