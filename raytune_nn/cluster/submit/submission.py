"""What is handed in: one command, and all that a submitter must know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from raytune_nn.cluster.nodes import Node
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig


@dataclass(frozen=True)
class Submission:
    """A study that is to run in a job."""

    arguments: tuple[str, ...]  # after `python -m raytune_nn`; the submitter adds `cluster.address=…`
    study: str  # its name, the same in each attempt, so that a job that runs again resumes
    folder: Path  # of the study, absolute
    work: Path  # working directory of the command, to which relative paths in the arguments refer
    resources: ResourcesConfig  # of a worker of a trial
    slots: int  # trials at once
    cluster: Any  # the submitter's own keys, a class of config/submitters.py


class Submitter(Protocol):
    """A place that takes jobs; a module of this package is one."""

    SHARES_FILES: bool  # whether the job sees the storage, the data and the code at the paths that they have here

    def check(self, cluster: Any, resources: ResourcesConfig) -> None:
        """Checks the submitter's own keys, and what a worker of a trial wants of them; raises ConfigError."""

    def planned_nodes(self, cluster: Any) -> Sequence[Node]:
        """The Ray nodes that the job is to have, at its largest."""

    def render(self, submission: Submission) -> str:
        """What is handed in, as text."""

    def submit(self, submission: Submission, text: str) -> None:
        """Hands it in, and prints how to watch and to stop it; raises UnusableError."""


def arguments_inside(
    arguments: Sequence[str], overrides: Sequence[str], name: str | None, cluster: ClusterConfig
) -> tuple[str, ...]:
    """The command line for a driver that runs on one node of the job's own Ray cluster.

    Args:
        arguments: As typed, flags included.
        overrides: As typed, without flags.
        name: For the study, where nothing that was typed names it.
        cluster: Whose values hold for any cluster are handed on.
    """
    typed = frozenset(overrides)
    kept = [text for text in arguments if text not in typed or not _is_replaced(text)]
    shared: Mapping[str, Any] = {field.name: getattr(cluster, field.name) for field in fields(ClusterConfig)}
    handed_on = [f"cluster.{key}={value}" for key, value in shared.items() if key != "address" and value is not None]
    named = [] if name is None else [f"study.name={name}"]
    return (*kept, *named, "cluster=existing", *handed_on)


def _is_replaced(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+~")
    return key in ("mode", "cluster") or key.startswith("cluster.")
