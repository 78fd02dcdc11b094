"""What a configuration file may set of Hydra itself: where it searches, and nothing else.

Hydra calls what stands under ``hydra.callbacks`` and in its logging configuration, and sets environment variables,
before anything of ours has seen the configuration; a file of any config group can put it there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf

from raytune_nn.errors import ConfigError

_SILENT = {"version": 1, "root": {"level": "ERROR"}, "disable_existing_loggers": True}  # Hydra's option `disabled`
_OURS: dict[str, Any] = {  # where Hydra would act upon them
    "callbacks": {},
    "hydra_logging": _SILENT,
    "job_logging": _SILENT,
    "job.env_set": {},
    "job.chdir": None,
    "verbose": False,
}


@contextlib.contextmanager
def only_searchpath() -> Iterator[None]:
    """Inside, Hydra composes no configuration with settings of its own that would make it call or change something.

    Hydra has no option for it, and nothing that it calls before it has acted upon them.
    """
    load = ConfigLoaderImpl.load_configuration

    def checked(self: ConfigLoaderImpl, *arguments: Any, **keywords: Any) -> DictConfig:
        config = load(self, *arguments, **keywords)
        if keywords["from_shell"]:  # not by hydra.compose, which acts upon nothing
            check_hydra(config)
        return config

    with mock.patch.object(ConfigLoaderImpl, "load_configuration", checked):
        yield


def check_hydra(config: DictConfig) -> None:
    """Checks a composed configuration that Hydra has not acted upon yet.

    Raises:
        ConfigError: It sets something of Hydra's own.
    """
    for key, ours in _OURS.items():
        node = OmegaConf.select(config, f"hydra.{key}")
        found = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
        if found != ours:
            raise ConfigError(
                "a configuration file must not set Hydra's own keys, which can run what they name",
                f"hydra.{key}: {found}",
                f"take hydra.{key} out of that file",
            )
