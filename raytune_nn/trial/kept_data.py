"""Built-in data modules are set up once, and the trials that follow in a process find theirs set up.

Every trial gets a module of its own, built from its own configuration. What the first ``setup`` under that
configuration left in such a module (rows, splits, what was learnt from the training rows) is kept, and put into the
later ones. A module of the user's is a stranger: it is built anew, and left to Lightning to set up.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from raytune_nn.trial.instantiate import instantiate, locate, targets

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule

MOST_BYTES = 2**26  # kept beside the arrays of the trial at work
_OURS = f"{__name__.partition('.')[0]}.data."


class KeptData:
    """Builds data modules for the trials of one study in one process.

    A file that changes under the study is not read again here.
    """

    def __init__(self) -> None:
        # By configuration, the one used last at the end: attributes of the module, and the bytes of their arrays.
        self._kept: dict[str, tuple[dict[str, Any], int]] = {}

    def build(self, node: Mapping[str, Any]) -> LightningDataModule:
        """A new data module; one of ours is set up to fit.

        Args:
            node: The configuration's ``data``, interpolations resolved.

        Raises:
            Exception: Whatever is raised by what the node names.
        """
        data: LightningDataModule = instantiate(node)
        if not _is_ours(data, node):
            return data
        name = repr(node)  # tells 1 from 1.0 and True, which are equal
        found = self._kept.pop(name, None)
        while sum(size for _, size in self._kept.values()) > MOST_BYTES:
            del self._kept[next(iter(self._kept))]
        if found is None:
            attributes = _set_up(data)
            found = attributes, sum({id(array): array.nbytes for array in _arrays(attributes)}.values())
        self._kept[name] = found
        for attribute, value in found[0].items():
            # What a trial does to the lists and mappings of its module stays there. Batches are copies anyway.
            setattr(data, attribute, copy.copy(value) if isinstance(value, (list, dict)) else value)
        return data


def _is_ours(data: Any, node: Mapping[str, Any]) -> bool:
    """Whether a module is exactly what one of our classes makes of plain values."""
    kind = type(data)
    return kind.__module__.startswith(_OURS) and locate(node["_target_"]) is kind and len(list(targets(node))) == 1


def _set_up(data: LightningDataModule) -> dict[str, Any]:
    """Sets it up, and returns the attributes that it has got by that."""
    before = dict(vars(data))
    data.prepare_data()
    data.setup("fit")
    return {name: value for name, value in vars(data).items() if name not in before or before[name] is not value}


def _arrays(value: Any) -> Iterator[Tensor | np.ndarray]:
    if isinstance(value, (Tensor, np.ndarray)):
        yield value
    elif isinstance(value, (dict, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _arrays(item)
