"""The YAML of a command, rendered without what preflight asks of this machine."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from command_line import inside, run

from raytune_nn.cluster.shares import plan_share
from raytune_nn.cluster.submit import kuberay
from raytune_nn.cluster.submit.submission import Submission, arguments_inside
from raytune_nn.config.compose import Composed
from raytune_nn.config.submitters import KubeRayConfig
from raytune_nn.trial.targets import TargetCheck


def submission(*arguments: str) -> Submission:
    """What mode=submit hands to KubeRay."""
    return inside(_submission, *arguments)


def render(*arguments: str) -> str:
    return kuberay.render(submission(*arguments))


def printed(*arguments: str) -> str:
    """What the whole command prints, but for the import of what it names, which takes seconds."""
    with mock.patch.object(TargetCheck, "run_apart"):
        ran = run(*arguments, "cluster.dry_run=true")
    assert ran.code == 0, ran.err
    return ran.out


def _submission(composed: Composed) -> Submission:
    settings = composed.settings
    assert isinstance(settings.cluster, KubeRayConfig)
    kuberay.check(settings.cluster, settings.resources)
    name = settings.study.name or "unnamed"
    typed = arguments_inside(composed.arguments, composed.overrides, None, settings.cluster)
    slots = plan_share(kuberay.planned_nodes(settings.cluster), settings.cluster, settings.resources).slots
    return Submission(typed, name, Path(name).absolute(), Path.cwd(), settings.resources, slots, settings.cluster)
