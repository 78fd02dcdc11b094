"""The driver's command line, its config dir and the name of its job, on their way into Kubernetes."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner
from command_line import compose
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.cluster.submit.config_map import LARGEST, config_map, read_config_dir, take_config_dir
from raytune_nn.cluster.submit.kuberay_job import entrypoint, job_name
from raytune_nn.errors import ConfigError

NASTY = [
    "a b",
    "it's",
    '"',
    "$HOME",
    "$(HOME)",
    "$$(HOME)",
    "`id`",
    "\\",
    "\\\\n",
    "#x",
    "a\nb",
    "*",
    "~",
    "",
    "ü",
    "{a: [1]}",
]
WORDS = st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), max_size=5)


def kubelet(text: str) -> str:
    """What Kubernetes makes of a container's argument: `$$` is `$`, and `$(NAME)` a variable where there is one."""
    return re.sub(r"\$(?:\$|\(HOME\))", lambda found: "$" if found[0] == "$$" else "/of/kubernetes", text)


def split_by(shell: str, line: str) -> list[str]:
    """The words that a shell makes of a line."""
    ran = subprocess.run([shell, "-c", f"printf '%s\\0' {line}"], capture_output=True, env={"HOME": "/of/the/shell"})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode().split("\0")[:-1]


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_the_driver_gets_each_argument_as_it_was_typed(arguments: list[str]) -> None:
    quoted_by_ray = shlex.join(split_by("bash", kubelet(entrypoint(arguments))))
    assert split_by("sh", quoted_by_ray) == ["python", "-m", "raytune_nn", *arguments]


def test_ray_quotes_what_it_submits() -> None:
    from ray.dashboard.modules.job import cli

    with mock.patch.object(cli, "_get_sdk_client") as connect:
        words = split_by("bash", kubelet(entrypoint(NASTY)))
        ran = CliRunner().invoke(cli.submit, ["--address=http://head:8265", "--no-wait", "--", *words])
    assert ran.exception is None, ran.output
    line = connect.return_value.submit_job.call_args.kwargs["entrypoint"]
    assert split_by("sh", line) == ["python", "-m", "raytune_nn", *NASTY]


@given(st.text(min_size=1, max_size=120))
def test_any_study_gives_a_name_that_kuberay_takes(study: str) -> None:
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", job_name(study))
    assert len(job_name(study)) <= 47


def test_a_label_stays_and_others_keep_apart() -> None:
    assert job_name("first-2") == "first-2"
    assert job_name("2026-11-20_17-05-33_asha_mlp_digits").startswith("study-2026-11-20-17-05-33-asha")
    studies = ["first_2", "first.2", "First-2", "first-2", "a" * 48, "a" * 49, "ä", "ö", "-", "_"]
    assert len({job_name(study) for study in studies}) == len(studies)


@pytest.mark.parametrize("typed", [["--config-dir", "my"], ["--config-dir=my"], ["-cd", "my"], ["-cd=my"]])
def test_the_config_dir_is_replaced_however_it_was_typed(typed: list[str]) -> None:
    assert take_config_dir(["+search=asha", *typed, "model=mine"], "/there") == (
        ["+search=asha", "--config-dir", "/there", "model=mine"],
        "my",
    )
    assert take_config_dir(["model=mine"], "/there") == (["model=mine"], None)


def test_a_config_dir_composes_where_kubernetes_mounts_it(here: Path) -> None:
    mine = here / "mine"
    for path in ("model/my mlp.yaml", "data/digits_2.yaml", "optimizer/x.yaml"):
        (mine / path).parent.mkdir(parents=True)
        (mine / path).write_text("_target_: torch.optim.SGD\nlr: 0.1\n")
    data, items = read_config_dir(mine)
    assert all(re.fullmatch("[-._a-zA-Z0-9]{1,253}", key) for key in data)
    mounted = here / "mounted"  # as the kubelet does: the files in a folder of this moment, and links to it
    for item in items:
        file = mounted / "..2026_11_22" / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data[item["key"]])
    (mounted / "..data").symlink_to("..2026_11_22")
    for name in ("model", "data", "optimizer"):
        (mounted / name).symlink_to(f"..data/{name}")
    assert compose("--config-dir", str(mounted), "optimizer=x").config["optimizer"]["lr"] == 0.1


def test_a_config_dir_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/small.yaml").write_text("a: 1\n")
    (tmp_path / "model/large.yaml").write_text("# " + "x" * LARGEST)
    with pytest.raises(ConfigError, match=r"900,000 bytes at most") as caught:
        read_config_dir(tmp_path)
    assert "most of them in large.yaml" in str(caught.value.found)
    (tmp_path / "model/large.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config_dir(tmp_path)


def test_the_largest_config_dir_fits_into_an_object(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.yaml").write_text("x" * (LARGEST // 200))
    data, _ = read_config_dir(tmp_path)
    assert len(str(config_map("a", "b", {}, data))) < 2**20
