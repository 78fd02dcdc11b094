"""A kubectl on the PATH that keeps one RayJob in a file: each look at it is one step further on its way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
words = sys.argv[3:]
with (folder / "calls").open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
refusal = folder / "refusal"
if refusal.exists():
    sys.exit(refusal.read_text())
job = folder / "job.json"
if words[0] == "apply":
    (folder / "applied.yaml").write_text(sys.stdin.read())
    (folder / "next.json").rename(job)
elif words[0] == "delete":
    job.unlink()
elif words[0] == "logs":
    print("the driver says", words[-1], flush=True)
elif job.exists():
    steps = json.loads(job.read_text())
    print(json.dumps(steps[0]))
    if len(steps) > 1:
        job.write_text(json.dumps(steps[1:]))
"""


class FakeKubectl:
    """What it was asked, and what there is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        program = folder / "bin/kubectl"
        program.parent.mkdir(parents=True)
        program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def is_there(self, *steps: dict[str, Any]) -> None:
        """A RayJob exists."""
        (self.folder / "job.json").write_text(json.dumps(steps))

    def will_go(self, *steps: dict[str, Any]) -> None:
        """How the next one that is applied gets on."""
        (self.folder / "next.json").write_text(json.dumps(steps))

    def refuses(self, words: str) -> None:
        (self.folder / "refusal").write_text(words)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    @property
    def verbs(self) -> list[str]:
        """One word a call, without looks that change nothing."""
        return [words[2] for words in self.calls if words[2] != "get"]


def step(deployment: str, status: str = "", message: str = "", command: str = "") -> dict[str, Any]:
    """A RayJob as Kubernetes shows it."""
    there = {"jobDeploymentStatus": deployment, "jobStatus": status, "message": message}
    return {"metadata": {"name": "first", "annotations": {"raytune-nn/command": command}}, "status": there}
