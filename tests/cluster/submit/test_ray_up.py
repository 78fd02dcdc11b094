"""The documented cluster of machines with ssh only is one that Ray's launcher takes."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from raytune_nn.config.compose import conf_dir


def test_the_file_of_the_page_passes_rays_own_check() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    page = (Path(conf_dir()) / "README.md").read_text()
    (text,) = re.findall(r"<!-- tested: ray up -->\n```yaml\n(.*?)```", page, re.DOTALL)
    config = yaml.safe_load(text)
    validate_config(prepare_config(dict(config)))
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in command for command in starts if "ray start" in command)
    assert [Path(path).name for path in config["file_mounts"]] == ["auth_token"]
