"""The YAML of a command, rendered without what preflight asks of this machine."""

from __future__ import annotations

from pathlib import Path

from command_line import inside

from raytune_nn.cluster.submit import kuberay
from raytune_nn.cluster.submit.submission import Submission, arguments_inside
from raytune_nn.config.compose import Composed
from raytune_nn.config.submitters import KubeRayConfig


def submission(*arguments: str) -> Submission:
    """What mode=submit hands to KubeRay."""
    return inside(_submission, *arguments)


def render(*arguments: str) -> str:
    return kuberay.render(submission(*arguments))


def _submission(composed: Composed) -> Submission:
    settings = composed.settings
    assert isinstance(settings.cluster, KubeRayConfig)
    kuberay.check(settings.cluster, settings.resources)
    name = settings.study.name or "unnamed"
    typed = arguments_inside(composed.arguments, composed.overrides, None, settings.cluster)
    return Submission(typed, name, Path(name).absolute(), Path.cwd(), settings.resources, 1, settings.cluster)
