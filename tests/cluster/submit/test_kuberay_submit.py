"""A job is applied and followed, against a kubectl that stands in."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from command_line import inside
from fake_kubectl import FakeKubectl, step

from raytune_nn.cluster.submit import kuberay, kuberay_follow
from raytune_nn.cluster.submit.kubectl import Kubectl
from raytune_nn.cluster.submit.kuberay_job import command_of
from raytune_nn.cluster.submit.submission import Submission, arguments_inside
from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError, InterruptedStudyError, NoSuccessfulTrialError, RaytuneError, UnusableError

TYPED = ("+search=asha", "mode=submit", "cluster=kuberay", "cluster.image=raytune-nn:0.1.0", "study.name=first")
PHASES = (step(""), step("Initializing"), step("Running", "RUNNING"), step("Running", "RUNNING"))
DONE = (*PHASES, step("Complete", "SUCCEEDED"))


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    monkeypatch.setattr(kuberay_follow, "POLL_SECONDS", 0.0)
    return FakeKubectl(tmp_path / "fake", monkeypatch)


@pytest.fixture
def first(here: Path) -> Submission:
    """What mode=submit hands over."""
    return inside(lambda composed: _submission(composed, here), *TYPED)


def test_a_job_is_applied_and_followed_to_its_end(
    kubectl: FakeKubectl, first: Submission, capfd: pytest.CaptureFixture[str]
) -> None:
    kubectl.will_go(*DONE)
    kuberay.submit(first, kuberay.render(first))
    shown = capfd.readouterr().out
    assert kubectl.verbs == ["apply", "logs", "logs"]
    assert (kubectl.folder / "applied.yaml").read_text() == kuberay.render(first)
    assert {tuple(words[:2]) for words in kubectl.calls} == {("-n", "raytune-nn")}
    for line in ("rayjob/first: Initializing", "rayjob/first: Running", "rayjob/first: Complete"):
        assert shown.count(line) == 1
    assert "the driver says job/first" in shown
    for way in (
        "watch       kubectl -n raytune-nn get rayjob,pods",
        "stop        kubectl -n raytune-nn delete rayjob first",
    ):
        assert way in shown
    since = [
        [word for word in words if word.startswith("--since-time=")] for words in kubectl.calls if words[2] == "logs"
    ]
    assert [len(each) for each in since] == [0, 1], "a log that breaks off goes on where it was"


def test_one_that_has_ended_is_replaced_so_that_its_study_resumes(kubectl: FakeKubectl, first: Submission) -> None:
    kubectl.is_there(step("Failed", "FAILED"))
    kubectl.will_go(*DONE)
    kuberay.submit(first, "text")
    assert kubectl.verbs[:2] == ["delete", "apply"]


def test_one_that_runs_is_followed_again(
    kubectl: FakeKubectl, first: Submission, capfd: pytest.CaptureFixture[str]
) -> None:
    running = step("Running", "RUNNING", command=command_of(first))
    kubectl.is_there(running, running, *DONE)
    kuberay.submit(first, "text")
    assert "apply" not in kubectl.verbs
    assert "rayjob/first runs already" in capfd.readouterr().out


def test_another_command_on_a_study_that_runs_is_refused(kubectl: FakeKubectl, first: Submission) -> None:
    kubectl.is_there(step("Running", "RUNNING", command="python -m raytune_nn +search=pbt"))
    with pytest.raises(ConfigError, match="one job at a time") as caught:
        kuberay.submit(first, "text")
    assert "+search=pbt" in str(caught.value.found)
    assert caught.value.fix == "kubectl -n raytune-nn delete rayjob first"
    assert kubectl.verbs == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (2, ConfigError),
        (3, NoSuccessfulTrialError),
        (4, UnusableError),
        (75, InterruptedStudyError),
        (1, UnusableError),
    ],
)
def test_a_drivers_own_end_is_the_commands(
    kubectl: FakeKubectl, first: Submission, code: int, error: type[RaytuneError]
) -> None:
    message = f"Job entrypoint command failed with exit code {code}, last available logs: …"
    kubectl.will_go(*PHASES, step("Failed", "FAILED", message))
    with pytest.raises(RaytuneError, match="the driver as FAILED") as caught:
        kuberay.submit(first, "text")
    assert type(caught.value) is error
    assert caught.value.found == message


def test_a_retry_is_followed_on(kubectl: FakeKubectl, first: Submission, capfd: pytest.CaptureFixture[str]) -> None:
    kubectl.will_go(*PHASES, step("Retrying", "FAILED"), *DONE)
    kuberay.submit(first, "text")
    assert capfd.readouterr().out.count("rayjob/first: Initializing") == 2


def test_what_kuberay_refuses_is_said(kubectl: FakeKubectl, first: Submission) -> None:
    kubectl.will_go(step("ValidationFailed", "", "The RayJob spec is invalid"))
    with pytest.raises(UnusableError, match="The RayJob spec is invalid") as caught:
        kuberay.submit(first, "text")
    assert caught.value.fix == "kubectl -n raytune-nn describe rayjob first"


def test_what_kubernetes_refuses_is_said(kubectl: FakeKubectl, first: Submission) -> None:
    kubectl.refuses('error: the server doesn\'t have a resource type "rayjob"')
    with pytest.raises(UnusableError, match="doesn't have a resource type"):
        kuberay.submit(first, "text")


def test_without_kubectl_a_dry_run_is_named(first: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableError, match="kubectl must be on the PATH") as caught:
        kuberay.submit(first, "text")
    assert "cluster.dry_run=true" in caught.value.fix


def test_a_job_that_is_deleted_is_no_fault(
    kubectl: FakeKubectl, first: Submission, capfd: pytest.CaptureFixture[str]
) -> None:
    kubectl.will_go(*PHASES)
    with mock.patch.object(Kubectl, "follow_log", lambda self, name, since: self.delete_job(name)):
        kuberay.submit(first, "text")
    assert "rayjob/first was deleted" in capfd.readouterr().out


def test_ctrl_c_looks_away(kubectl: FakeKubectl, first: Submission, capfd: pytest.CaptureFixture[str]) -> None:
    kubectl.will_go(*PHASES)
    with mock.patch.object(Kubectl, "follow_log", side_effect=KeyboardInterrupt):
        kuberay.submit(first, "text")
    assert "rayjob/first goes on" in capfd.readouterr().out
    assert "delete" not in kubectl.verbs


def test_studies_need_a_place(here: Path) -> None:
    with pytest.raises(ConfigError, match="outlives its Pods"):
        kuberay.render(inside(lambda composed: _submission(composed, here), *TYPED, "cluster.claim=null"))


def _submission(composed: Composed, here: Path) -> Submission:
    settings = composed.settings
    typed = arguments_inside(composed.arguments, composed.overrides, None, settings.cluster)
    return Submission(typed, "first", here / "studies/first", here, settings.resources, 4, settings.cluster)
