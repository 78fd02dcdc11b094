"""Whether what is called takes the keywords that it is given, and schedule and parameter groups theirs.

A part of ``trial/targets.py``.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.trial.instantiate import RESERVED, locate

# Keys of Lightning's scheduler dictionary, which only warns of others, and of the warm-up.
_SCHEDULE = (
    *("scheduler", "interval", "frequency", "monitor", "strict", "name", "reduce_on_plateau"),
    *("warmup", "warmup_start"),
)


def check_keywords(path: str, target: Any, node: Mapping[str, Any], extras: Sequence[str]) -> None:
    """Checks the keywords of a target node by the signature of its target.

    Args:
        path: Where the node stands.
        extras: Keywords that our own code adds.

    Raises:
        ConfigError: The first rule that is broken.
    """
    if not callable(target):
        raise ConfigError(f"{path}._target_ must be callable", node["_target_"], f"{path}._target_=<a class>")
    try:
        signature = inspect.signature(target)
    except ValueError:  # written in C, without a signature
        return
    given = [key for key in node if key not in RESERVED]
    for key in given:
        if key in extras:
            raise ConfigError(f"{path}.{key} is set by the tuner itself", node[key], f"~{path}.{key}")
    _check_names(path, signature, node, given)
    bind = signature.bind_partial if node.get("_partial_") else signature.bind
    try:
        bind(*node.get("_args_", ()), **dict.fromkeys([*given, *extras]))
    except TypeError as error:
        missing = re.search(r"missing a required .*argument: '(\w+)'", str(error))
        if missing is None:
            raise ConfigError(f"{path} must fit {node['_target_']}", error, f"~{path}._args_") from None
        raise ConfigError(
            f"{path} must give {missing[1]!r}, which {node['_target_']} needs", None, f"+{path}.{missing[1]}=…"
        ) from None


def _check_names(path: str, signature: inspect.Signature, node: Mapping[str, Any], given: Sequence[str]) -> None:
    parameters = signature.parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for key in given:
        if key not in named:
            raise _unknown(path, key, node, f"a keyword of {node['_target_']}", named)


def _unknown(path: str, key: str, node: Mapping[str, Any], what: str, known: Sequence[str]) -> ConfigError:
    """The error for a key that a node must not have.

    Args:
        what: What its keys must be.
        known: What they may be.
    """
    near = difflib.get_close_matches(key, known, n=1)
    return ConfigError(
        f"{path}.{key} must be {what}",
        f"{key}; known are {', '.join(known) or 'none'}",
        f"{'' if near[0] in node else '+'}{path}.{near[0]}={node[key]}" if near else f"~{path}.{key}",
    )


def check_schedule(lr_scheduler: Mapping[str, Any], max_epochs: object = None) -> None:
    """Checks what stands beside ``lr_scheduler.scheduler``: Lightning's keys, and those of the warm-up.

    Args:
        max_epochs: Epochs of the training, where they are known.

    Raises:
        ConfigError: The first rule that is broken.
    """
    for key in lr_scheduler:
        if key not in _SCHEDULE:
            raise _unknown(
                "lr_scheduler", key, lr_scheduler, "a key of Lightning's schedules or the warm-up", _SCHEDULE
            )
    interval, frequency = lr_scheduler.get("interval", "epoch"), lr_scheduler.get("frequency", 1)
    if interval not in ("epoch", "step"):
        raise ConfigError("lr_scheduler.interval must be epoch or step", interval, "lr_scheduler.interval=epoch")
    if not _is_count(frequency, 1):
        raise ConfigError(
            "lr_scheduler.frequency must be a whole number of epochs, at least 1", frequency, "lr_scheduler.frequency=1"
        )
    if interval == "step":
        _check_steps(lr_scheduler)
    _check_warmup(lr_scheduler, interval, max_epochs)


def _check_steps(lr_scheduler: Mapping[str, Any]) -> None:
    if lr_scheduler.get("frequency", 1) != 1:  # Lightning would count batches, and begin anew in each epoch
        raise ConfigError(
            "with lr_scheduler.interval=step the schedule goes on after every optimizer step",
            f"lr_scheduler.frequency={lr_scheduler['frequency']}",
            "lr_scheduler.frequency=1",
        )
    scheduler = _class_of(lr_scheduler.get("scheduler"))
    if scheduler is not None and issubclass(scheduler, locate("torch.optim.lr_scheduler.ReduceLROnPlateau")):  # type: ignore[arg-type]
        raise ConfigError(
            "a plateau is seen in validations, not in steps",
            "lr_scheduler.interval=step",
            "lr_scheduler.interval=epoch",
        )


def _check_warmup(lr_scheduler: Mapping[str, Any], interval: str, max_epochs: object) -> None:
    warmup, start = lr_scheduler.get("warmup", 0), lr_scheduler.get("warmup_start", 0.1)
    if not _is_count(warmup, 0):
        raise ConfigError(
            f"lr_scheduler.warmup must be a whole number of {interval}s, 0 for none", warmup, "lr_scheduler.warmup=2"
        )
    if not isinstance(start, (int, float)) or not 0 <= start <= 1:
        raise ConfigError("0 <= lr_scheduler.warmup_start <= 1 must hold", start, "lr_scheduler.warmup_start=0.1")
    if interval == "epoch" and isinstance(max_epochs, int) and warmup >= max_epochs > 0:
        raise ConfigError(
            "lr_scheduler.warmup must be shorter than the training",
            f"{warmup} of {max_epochs} epochs",
            "lr_scheduler.warmup=0",
        )


def check_param_groups(optimizer: Mapping[str, Any], param_groups: Mapping[str, Any], accumulate: object = 1) -> None:
    """Checks ``param_groups`` against the optimizer that gets the groups, and L-BFGS against what it cannot do.

    Args:
        accumulate: ``trainer.accumulate_grad_batches``.

    Raises:
        ConfigError: The first rule that is broken.
    """
    decay, layer_decay = param_groups.get("decay_norms_and_biases", True), param_groups.get("layer_decay", 1.0)
    if not 0 < layer_decay <= 1:
        raise ConfigError("0 < param_groups.layer_decay <= 1 must hold", layer_decay, "param_groups.layer_decay=0.8")
    target = _class_of(optimizer)
    if target is None:
        return
    name = optimizer["_target_"]
    if not decay and "weight_decay" not in inspect.signature(target).parameters:
        raise ConfigError(
            "param_groups.decay_norms_and_biases=false needs an optimizer with weight_decay",
            name,
            "param_groups.decay_norms_and_biases=true",
        )
    if not issubclass(target, locate("torch.optim.LBFGS")):  # type: ignore[arg-type]
        return
    if layer_decay != 1:
        raise ConfigError(
            "L-BFGS takes no groups of parameters",
            f"param_groups.layer_decay={layer_decay}",
            "param_groups.layer_decay=1",
        )
    if accumulate not in (None, 1):  # each evaluation inside a step would add to the gradient of the one before
        raise ConfigError(
            "L-BFGS takes no accumulated gradients",
            f"trainer.accumulate_grad_batches={accumulate}",
            "trainer.accumulate_grad_batches=1, and a larger data.batch_size",
        )


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _class_of(node: Mapping[str, Any] | None) -> type | None:
    """The class that a node names; None where it names none."""
    found: object = locate(node["_target_"]) if node and node.get("_target_") else None
    return found if isinstance(found, type) else None
