"""Preflight, stage B: every `_target_` imports, is of the kind its place asks for, accepts its keywords, and builds.

Importing the user's modules, torch and Lightning takes seconds, and building reads the data, so a study does it where
they are needed anyway, in its first slots (``trial/trainable.py``). ``mode=plan`` starts none and asks a process of its
own: ``python -m raytune_nn.trial.targets`` reads a request as JSON and answers with the first rule that is broken.
What is built is ``trial/rehearsal.py``.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.values import shown
from raytune_nn.trial.instantiate import locate, target_nodes
from raytune_nn.trial.keywords import check_keywords, check_param_groups, check_schedule
from raytune_nn.trial.kinds import OPTIONAL, PARTS, check_kind, kind_of, places, wanted
from raytune_nn.trial.task import Size


@dataclass(frozen=True)
class TargetCheck:
    """What is to be checked; light to send to where the libraries are.

    Args:
        configs: Configurations, interpolations resolved where their values matter.
        allowed: Targets that need not be of their place's kind (``security.allow_targets``).
        trials: Configurations as trials get them, interpolations unresolved; one of them must build.
        largest: The same, with what is searched at its highest: how large a trial can be. They need not build.
    """

    configs: Sequence[Mapping[str, Any]]
    allowed: Sequence[str]
    trials: Sequence[Mapping[str, Any]] = ()
    largest: Sequence[Mapping[str, Any]] = ()

    def run(self) -> Size | None:
        """Checks in this process, and returns how large checkpoints are at most, where that is known.

        Raises:
            ConfigError: The first rule that is broken.
        """
        self.check_names()
        if not self.trials:
            return None
        from raytune_nn.trial.rehearsal import measured, rehearse

        sizes = [size for size in (rehearse(self.trials), *measured(self.largest)) if size is not None]
        return max(sizes, key=lambda size: size.state, default=None)

    def check_names(self) -> None:
        """Checks what the configurations name, and builds nothing.

        Raises:
            ConfigError: The first rule that is broken.
        """
        for config in self.configs:
            check_targets(config, self.allowed)

    def run_apart(self) -> Size | None:
        """The same in a process that ends with the check: what imports is not in this one's memory.

        Raises:
            ConfigError: The first rule that is broken.
        """
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps({field: list(value) for field, value in vars(self).items()}),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0 or not done.stdout:
            raise import_ends_process(f"exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
        answer = json.loads(done.stdout)
        if answer["refusal"] is not None:
            raise ConfigError(*answer["refusal"])
        return None if answer["size"] is None else Size(**answer["size"])


def as_plain(error: RaytuneError) -> tuple[str, str | None, str]:
    """The arguments that make the same error in another process."""
    return error.rule, None if error.found is None else str(error.found), error.fix


def import_ends_process(found: str) -> ConfigError:
    """What is wrong where a process did not survive the check."""
    rule = "the modules named by `_target_` must import without ending the process"
    return ConfigError(rule, found, "mend the module")


def check_targets(config: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Checks one configuration in this process.

    Raises:
        ConfigError: The first rule that is broken.
    """
    allowed = frozenset(allowed)
    for place in places(config):
        check_place(config, place, allowed)
    _check_optimizer(config)
    _check_loaders(config)


def check_place(config: Mapping[str, Any], place: str, allowed: Iterable[str]) -> None:
    """Checks what one place of a configuration builds, at every depth.

    Args:
        place: One of `raytune_nn.trial.kinds.places`.

    Raises:
        ConfigError: The first rule that is broken.
    """
    kind, extras = kind_of(place)
    node = _node_at(config, place)
    if node is None:
        return
    for path, inner in target_nodes(node, place):
        outermost = path == place
        target = _import(path, inner["_target_"])
        if inner["_target_"] not in allowed:
            check_kind(path, target, inner["_target_"], (kind,) if outermost else PARTS)
        check_keywords(path, target, inner, extras if outermost else ())


def _node_at(config: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
    """The target node at a place; None where nothing is configured there."""
    node: Any = config
    for part in place.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if node is None or (place in OPTIONAL and node.get("_target_") is None):
        return None
    name = node.get("_target_", "no _target_") if isinstance(node, Mapping) else node
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        kind = wanted(kind_of(place)[0])
        own = ", into which loaders of the model itself are moved" if place == "data" else ""
        raise ConfigError(f"{place} must name its class by _target_", shown(name), f"{place}._target_=<{kind}>{own}")
    if node.get("_partial_"):
        raise ConfigError(f"{place} must be built, not left as a part", "_partial_=true", f"~{place}._partial_")
    return node


def _import(path: str, name: object) -> Any:
    if not isinstance(name, str) or not re.fullmatch(r"\w+(\.\w+)+", name):
        raise ConfigError(
            f"{path}._target_ must be a dotted name", shown(name), f"{path}._target_=package.module.Class"
        )
    try:
        return locate(name)
    except (Exception, SystemExit) as error:  # a user's module can raise anything while it is imported
        meant = _nearest_name(name, str(error)) if isinstance(error, ImportError) else None
        raise ConfigError(
            f"{path}._target_ must be importable",
            f"{name} ({type(error).__name__}: {error})",
            f"{path}._target_={meant or 'package.module.Class, from the folder that holds the package'}",
        ) from error


def _nearest_name(name: str, message: str) -> str | None:
    """What was probably meant by a last part that its module has not."""
    found = re.fullmatch(r"(.+) has no '(\w+)'", message)
    if found is None or f"{found[1]}.{found[2]}" != name:
        return None
    try:
        names = dir(importlib.import_module(found[1]))
    except ImportError:  # a class: nothing is near enough to be offered
        return None
    near = difflib.get_close_matches(found[2], names, n=1)
    return f"{found[1]}.{near[0]}" if near else None


def _check_optimizer(config: Mapping[str, Any]) -> None:
    """``optimizer=from_model`` needs a model that makes its own, and then its own schedule and groups as well."""
    groups = config.get("param_groups") or {}
    if config["optimizer"].get("_target_") is not None:
        trainer = config.get("trainer") or {}
        check_schedule(config["lr_scheduler"], trainer.get("max_epochs"))
        check_param_groups(config["optimizer"], groups, trainer.get("accumulate_grad_batches"))
        return
    model, base = locate(config["model"]["_target_"]), locate("pytorch_lightning.LightningModule")
    if getattr(model, "configure_optimizers", None) is base.configure_optimizers:  # type: ignore[attr-defined]
        raise ConfigError(
            "optimizer=from_model needs a model with configure_optimizers of its own",
            config["model"]["_target_"],
            "optimizer=adamw",
        )
    schedule = config["lr_scheduler"]
    if schedule.get("scheduler") or schedule.get("warmup"):
        raise ConfigError(
            "with optimizer=from_model the schedule is the model's own too",
            (schedule.get("scheduler") or {}).get("_target_", f"lr_scheduler.warmup={schedule.get('warmup')}"),
            "lr_scheduler=none",
        )
    for key, alike in (("decay_norms_and_biases", True), ("layer_decay", 1)):
        if groups.get(key, alike) != alike:
            raise ConfigError(
                "with optimizer=from_model the groups of parameters are the model's own too",
                f"param_groups.{key}={groups[key]}".lower(),
                f"param_groups.{key}={alike}".lower(),
            )


def _check_loaders(config: Mapping[str, Any]) -> None:
    """A model with loaders of its own was made for their data, and Lightning would use those of `data` in silence."""
    model, base = locate(config["model"]["_target_"]), locate("pytorch_lightning.LightningModule")
    data = config["data"]["_target_"]
    own = getattr(model, "train_dataloader", None) is not base.train_dataloader  # type: ignore[attr-defined]
    if own and (data.startswith("raytune_nn.data.") or data == "pytorch_lightning.LightningDataModule"):
        raise ConfigError(
            "a model with a train_dataloader of its own needs it in a data module, since `data` gives the batches",
            f"{config['model']['_target_']}.train_dataloader, data._target_={data}",
            "data._target_=<a LightningDataModule with the model's loaders>",
        )


def _answer() -> None:
    request = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # the user's modules may print on import, and their threads later
    try:
        size = TargetCheck(**request).run()
        answer: dict[str, Any] = {"refusal": None, "size": None if size is None else vars(size)}
    except RaytuneError as error:
        answer = {"refusal": as_plain(error), "size": None}
    with os.fdopen(answers, "w") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    _answer()
