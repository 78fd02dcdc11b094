"""Weights to start from: a Lightning checkpoint, a plain state dict, or the ``best/model.ckpt`` of a study."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytune_nn.errors import ConfigError
from raytune_nn.store.seal import damage, is_sealed

if TYPE_CHECKING:
    from torch import Tensor, nn

SHOWN = 5  # names in one message


def check_weights(path: str | None) -> None:
    """Checks that the file is there; without torch, so that the driver can ask.

    Raises:
        ConfigError: It is not.
    """
    if path is None or Path(path).is_file():
        return
    inside = Path(path) / "model.ckpt"
    fix = f"model_weights={inside}" if inside.is_file() else "model_weights=null"
    raise ConfigError("model_weights must be a file that exists", path, fix)


def load_weights(model: nn.Module, path: str, strict: bool) -> None:
    """Copies the weights of a file into a model.

    Args:
        model: Any module; it changes in place.
        path: What ``torch.save`` wrote: a mapping from names to tensors, or one that holds it under ``state_dict``.
        strict: Its names must be the model's, one for one, and so must the shapes. Otherwise what fits by name and
            shape is loaded, and the log says what is left.

    Raises:
        ConfigError: The file cannot be read safely, or does not fit the model.
    """
    found, own = read_weights(path), model.state_dict()
    missing = [name for name in own if name not in found]
    unexpected = [name for name in found if name not in own]
    shapes = {name: (tuple(found[name].shape), tuple(own[name].shape)) for name in found if name in own}
    differing = [f"{name} {theirs} for {ours}" for name, (theirs, ours) in shapes.items() if theirs != ours]
    fitting = {name: found[name] for name, (theirs, ours) in shapes.items() if theirs == ours}
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": differing}
    left = "; ".join(f"{what}: {_listed(names)}" for what, names in parts.items() if names)
    if left and strict:
        fix = "model_weights_strict=false, which loads what fits by name and shape"
        raise ConfigError("model_weights must fit the model, name for name", f"{path}: {left}", fix)
    if not fitting:
        raise ConfigError("something of model_weights must fit the model", f"{path}: {left}", "model_weights=null")
    model.load_state_dict(fitting, strict=False)
    if left:
        _say(f"{path}: {len(fitting)} of {len(own)} tensors loaded; {left}")


def read_weights(path: str) -> Mapping[str, Any]:
    """The tensors of a file by their names.

    Raises:
        ConfigError: The file cannot be read safely, or holds something else.
    """
    import torch

    check_weights(path)
    try:
        if is_sealed(Path(path)) and (why := damage(Path(path))):
            raise ValueError(why)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # not torch's at all, cut off, changed, or with objects that could run code
        raise ConfigError(
            "model_weights must be a file of tensors, as torch.load(weights_only=True) reads it",
            f"{path}: {type(error).__name__}: {_first_sentence(error)}",
            "save it again by torch.save(model.state_dict(), path)",
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    other = [content]
    if isinstance(content, Mapping):
        other = [value for value in content.values() if not isinstance(value, torch.Tensor)]
    if other:
        raise ConfigError(
            "model_weights must hold a mapping from names to tensors, or one under `state_dict`",
            f"{path}: {_listed([type(value).__name__ for value in other])}",
            "save it again by torch.save(model.state_dict(), path)",
        )
    weights: Mapping[str, Any] = content
    return weights


def differing_weights(path: Path, other: Path) -> list[str]:
    """The names of tensors that two models do not have alike, to the last bit; NaN equals NaN.

    Raises:
        ConfigError: A file cannot be read as weights.
    """
    ours, theirs = read_weights(str(path)), read_weights(str(other))
    names = dict.fromkeys([*ours, *theirs])
    return [name for name in names if name not in ours or name not in theirs or not _alike(ours[name], theirs[name])]


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _first_sentence(error: Exception) -> str:
    """Torch goes on to advise against the safe way of reading."""
    return re.split(r"\.\s|\n", str(error))[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


@cache  # once a process, however many trials start from this file
def _say(text: str) -> None:
    logging.getLogger(__name__).warning(text)
