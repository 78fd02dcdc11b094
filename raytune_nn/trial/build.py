"""From a trial's plain configuration to live objects, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from raytune_nn.config.epochs import EPOCHS, epochs
from raytune_nn.config.from_trainer import FROM_TRAINER, from_trainer
from raytune_nn.config.of_trial import MARKS, TRIAL, of_trial
from raytune_nn.config.secrets import Secrets, references_kept
from raytune_nn.errors import ConfigError
from raytune_nn.trial.hidden import hide_in_checkpoints
from raytune_nn.trial.instantiate import instantiate
from raytune_nn.trial.kinds import check_kinds, places
from raytune_nn.trial.optimizers import set_optimizer
from raytune_nn.trial.weights import load_weights

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
    from pytorch_lightning.loggers import Logger


@dataclass(frozen=True)
class Built:
    """The parts of one training, ready to fit."""

    model: LightningModule
    data: LightningDataModule
    trainer: Trainer
    config: dict[str, Any]  # the configuration with every interpolation resolved
    stored: dict[str, Any]  # the same, less what comes from the environment: may be written


def build_trial(
    config: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
    begins: Callable[[str], None] = lambda part: None,
    first: Sequence[Callback] = (),
    build_data: Callable[[Any], LightningDataModule] = instantiate,
    names: Mapping[str, str] = MARKS,
    open_logger: Callable[[Callable[[], Logger]], Logger] | None = None,
    **trainer_extras: Any,
) -> Built:
    """Builds data, model and trainer, in this order: the model may ask the data for its sizes.

    Args:
        config: A trial's configuration: the sampled values are in it, interpolations are not resolved.
        callbacks: Ours, which run after the configured ones.
        begins: Told the configuration's part that is built next.
        first: Ours, which run before the configured ones.
        build_data: Makes a data module of its part of the configuration.
        names: What ``${trial:…}`` stands for.
        open_logger: Takes what makes the configured logger, and returns one that stands beside ``logger``; None: there
            is none.
        trainer_extras: Keywords of the Trainer that are not the user's to set (logger, …).

    Raises:
        ConfigError: The data lack what the configuration asks of them, or a target is not of its place's kind.
        Exception: Whatever is raised by what the configuration names.
    """
    begins("data")
    # A trial's values are sampled, and what they were sampled from is a third of all.
    tree = OmegaConf.create({key: part for key, part in config.items() if key != "search_space"})
    allowed = config.get("security", {}).get("allow_targets", ())
    OmegaConf.register_new_resolver(TRIAL, of_trial(names), replace=True)
    data, resolved = _resolve(tree, allowed, build_data)
    check_kinds(resolved, (place for place in places(resolved) if not place.startswith(("data", "search."))), allowed)
    begins("model")
    model = instantiate(resolved["model"])
    if resolved["init"].get("_target_") is not None:
        begins("init")
        instantiate(resolved["init"], module=model)
    if resolved["model_weights"] is not None:
        load_weights(model, resolved["model_weights"], resolved["model_weights_strict"])
    if resolved["optimizer"].get("_target_") is not None:
        set_optimizer(model, resolved["optimizer"], resolved["lr_scheduler"], resolved["param_groups"])
    begins("callbacks")
    chosen = [instantiate(node) for node in resolved["callbacks"].values() if node is not None]
    if open_logger is not None and resolved["logger"].get("_target_") is not None:
        begins("logger")
        trainer_extras["logger"] = [trainer_extras["logger"], open_logger(partial(instantiate, resolved["logger"]))]
    begins("trainer")
    trainer = instantiate(resolved["trainer"], **trainer_extras, callbacks=[*first, *chosen, *callbacks])
    secrets = Secrets(config)
    if not secrets:
        return Built(model, data, trainer, resolved, resolved)
    hide_in_checkpoints(trainer, secrets)
    with references_kept():
        return Built(model, data, trainer, resolved, OmegaConf.to_container(tree, resolve=True))  # type: ignore[arg-type]


def _resolve(
    tree: DictConfig, allowed: Collection[str], build_data: Callable[[Any], LightningDataModule]
) -> tuple[LightningDataModule, dict[str, Any]]:
    """Builds the data, then resolves all interpolations; ``${from_data:x}`` is the data module's attribute x."""
    data: Any = None
    failures: list[Exception] = []

    def from_data(name: str, _node_: Node) -> Any:
        try:
            return _plain(_attribute(data, name, str(_node_._get_full_key(None))))
        except Exception as error:
            failures.append(error)
            raise

    OmegaConf.register_new_resolver("from_data", from_data, replace=True)
    OmegaConf.register_new_resolver(FROM_TRAINER, from_trainer, replace=True)
    OmegaConf.register_new_resolver(EPOCHS, epochs, replace=True)
    try:
        node = OmegaConf.to_container(tree["data"], resolve=True)
        check_kinds({"data": node}, ("data",), allowed)
        data = build_data(node)
        resolved = OmegaConf.to_container(tree, resolve=True)
    except InterpolationResolutionError:
        if failures:  # OmegaConf wraps what the data raise in an error of its own
            raise failures[0] from None
        raise
    return data, resolved  # type: ignore[return-value]


def _attribute(data: Any, name: str, path: str) -> Any:
    """What ``${from_data:name}`` at a path of the configuration stands for."""
    if data is None:
        rule = "`data` cannot refer to itself by ${from_data:…}"
        raise ConfigError(rule, f"{path}=${{from_data:{name}}}", f"{path}=…")
    if not hasattr(data, name):  # many modules know their sizes only once they have read the files
        data.prepare_data()
        data.setup("fit")
    if not hasattr(data, name):
        raise ConfigError(
            f"the data must have what {path} asks of them",
            f"{type(data).__name__} has no {name}",
            f"another model or data, or {path}=…",
        )
    return getattr(data, name)


def _plain(value: Any) -> Any:
    """What numpy or torch counted, as Python numbers: a configuration holds nothing else, and goes into a file."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
